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


def test_a_yaml_file_as_dry_run_prints_it_is_a_recipe(tmp_path, capsys):
    assert call(["photos", "--set", "name=1e-4", "--dry-run"]) == 0  # text that looks like a number stays text
    file = tmp_path / "mine.yaml"
    file.write_text(capsys.readouterr().out)
    seen = []
    assert call([str(file), "--set", "count=7"], seen.append) == 0
    assert seen == [Job(name="1e-4", count=7)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, ["no file", "faces, photos", "--dry-run"]),
        ("cout: 3", ["mine.yaml", "'cout'", "'count'"]),
        ("count: many", ["mine.yaml", "count", "integer", "'many'"]),
        ("name: [", ["mine.yaml", "not YAML", "line 1"]),
        ("just words", ["mine.yaml", "fields of a Job", "str"]),
        ("", ["mine.yaml", "fields of a Job"]),
    ],
)
def test_a_bad_yaml_file_ends_with_2_and_names_the_file(text, words, tmp_path, capsys):
    file = tmp_path / "mine.yaml"
    if text is not None:
        file.write_text(text)
    assert call([str(file)], pytest.fail) == 2
    message = capsys.readouterr().err
    assert all(word in message for word in words), message


def test_resume_is_there_only_for_jobs_that_check_it(capsys):
    with pytest.raises(SystemExit):
        call(["faces", "--resume"])
    capsys.readouterr()

    def check(config):
        override(config, ["nothing=to resume"])  # an error in our words

    def main(arguments, seen):
        return command.main("tune", RECIPES, seen.append, "Search.", arguments, check_resume=check)

    seen = []
    assert main(["faces", "--resume"], seen) == 1
    assert seen == []
    assert "'nothing'" in capsys.readouterr().err
    assert main(["faces"], seen) == 0
    assert seen == [Job()]
