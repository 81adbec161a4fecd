import json
from dataclasses import dataclass

import pytest
import yaml

from greycard.config import ConfigError, override
from jobs import command


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    name: str = "faces"
    count: int = 3


def faces():
    """Drawn faces.

    More words.
    """
    return Job()


def photos():
    """Real photographs."""
    return Job(name="photos")


RECIPES = {"faces": faces, "photos": photos}


def call(arguments, run=lambda config: None):
    return command.main("shards", RECIPES, run, "Write shards.", arguments)


def test_runs_the_resolved_config():
    seen = []
    assert call(["photos", "--set", "count=5"], seen.append) == 0
    assert seen == [Job(name="photos", count=5)]


def test_list_names_every_recipe_with_its_first_line(capsys):
    assert call(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(maxsplit=1) for line in lines[1:]] == [
        ["faces", "Drawn faces."],
        ["photos", "Real photographs."],
    ]


def test_dry_run_prints_the_config_and_runs_nothing(capsys):
    assert call(["faces", "--set", "count=5", "--dry-run"], pytest.fail) == 0
    assert yaml.safe_load(capsys.readouterr().out) == {"name": "faces", "count": 5}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["face"], ["unknown recipe 'face'", "'faces'", "faces, photos"]),
        (["faces", "--set", "cout=5"], ["'cout'", "'count'"]),
        (["faces", "--set", "count=many"], ["count", "integer", "'many'"]),
    ],
)
def test_bad_names_and_values_end_with_2(arguments, words, capsys):
    assert call(arguments, pytest.fail) == 2
    message = capsys.readouterr().err
    assert all(word in message for word in words), message


def test_without_a_recipe_the_list_is_shown(capsys):
    assert call([]) == 2
    assert "photos" in capsys.readouterr().out


def test_an_error_of_ours_is_one_line_and_others_keep_their_traceback(capsys):
    def ours(config):
        override(config, ["cout=1"])

    def theirs(config):
        json.loads("{")  # a ValueError as well, but not in our words

    assert call(["faces"], ours) == 1
    assert capsys.readouterr().err.startswith("error: cout: unknown field 'cout'; did you mean 'count'?")
    with pytest.raises(json.JSONDecodeError):
        call(["faces"], theirs)
    with pytest.raises(ConfigError):
        call(["faces", "--debug"], ours)
