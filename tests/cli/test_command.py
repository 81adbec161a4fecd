import numpy as np
import pytest
from PIL import Image

from greycard.cli.command import main
from greycard.cli.doctor import _ray, report


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    gradient = np.add.outer(np.arange(40), np.arange(56)).astype(np.uint8)
    Image.fromarray(np.stack([gradient, 255 - gradient, gradient // 2], axis=-1)).save(path)
    return path


def test_jpeg_files_decode_to_what_pillow_would_show(photo, tmp_path, capsys):
    coded, back, plain = tmp_path / "photo.gcard", tmp_path / "back.png", tmp_path / "photo.jpg"
    assert main(["encode", str(photo), str(coded), "--quality", "30"]) == 0
    assert main(["decode", str(coded), str(back)]) == 0  # the file says its quality
    Image.open(photo).save(plain, quality=30)
    assert np.array_equal(np.asarray(Image.open(back)), np.asarray(Image.open(plain)))
    assert "56x40" in capsys.readouterr().out


def test_any_codec_of_the_table_codes_files(photo, tmp_path):
    coded, back = tmp_path / "photo.gcard", tmp_path / "back.png"
    assert main(["encode", str(photo), str(coded), "--codec", "raw"]) == 0
    assert main(["decode", str(coded), str(back), "--codec", "raw"]) == 0
    assert np.array_equal(np.asarray(Image.open(back)), np.asarray(Image.open(photo)))
    whole, once = tmp_path / "whole.gcard", tmp_path / "once.gcard"
    assert main(["encode", str(photo), str(whole), "--set", "qualities=[10]"]) == 0
    assert main(["encode", str(photo), str(once), "--quality", "10", "--set", "tables=once"]) == 0
    assert once.stat().st_size < whole.stat().st_size - 500
    assert main(["decode", str(once), str(back), "--set", "tables=once"]) == 0
    assert main(["decode", str(once), str(back)]) == 1


def test_verify_says_that_files_decode_to_the_scored_pixels(photo, capsys):
    assert main(["verify", str(photo.parent), "--quality", "30"]) == 0
    assert capsys.readouterr().out.startswith("ok  ")


def test_a_damaged_file_fails_alone_and_the_others_are_decoded(photo, tmp_path, capsys):
    folder = tmp_path / "coded"
    for name in ("good", "bad"):
        assert main(["encode", str(photo), str(folder / f"{name}.gcard")]) == 0
    data = bytearray((folder / "bad.gcard").read_bytes())
    data[len(data) // 2] ^= 0xFF
    (folder / "bad.gcard").write_bytes(data)
    assert main(["decode", str(folder), str(tmp_path / "back")]) == 1
    printed = capsys.readouterr()
    assert "1 of 2 files failed" in printed.err
    assert (tmp_path / "back" / "good.png").exists()
    assert not (tmp_path / "back" / "bad.png").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["decode", "missing.gcard", "x.png"], "missing.gcard"),
        (["encode", "missing.png", "x.gcard", "--quality", "0"], "1..100"),
        (["encode", "missing.png", "x.gcard", "--weights", "nowhere/weights"], "nowhere/weights"),
        (["encode", "missing.png", "x.gcard", "--weights", "w", "--quality", "5"], "leave out"),
        (["encode", "missing.png", "x.gcard", "--codec", "raw", "--quality", "5"], "of jpeg"),
        (["encode", "missing.png", "x.gcard", "--codec", "joint"], "no weights"),
        (["encode", "missing.png", "x.gcard", "--set", "qualty=5"], "qualities"),
    ],
)
def test_bad_input_is_one_line(arguments, words, capsys):
    assert main(arguments) == 1
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    assert words in message


@pytest.mark.parametrize(
    "arguments", [[], ["encod"], ["submit", "audits", "demo"], ["encode", "a", "b", "--codec", "jpg"]]
)
def test_bad_usage_ends_with_2(arguments):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2


def test_the_doctor_asks_the_address_whatever_ray_this_process_has(monkeypatch):
    """A session would take the Ray that the process has joined, and call a wrong address right."""
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    monkeypatch.setattr("greycard.streaming.cluster.CONNECT_SECONDS", 0.2)
    with pytest.MonkeyPatch.context() as joined:
        joined.setattr("ray.is_initialized", lambda: True)
        found = _ray()
    assert found.state == "problem"
    assert "127.0.0.1:9" in found.detail


def test_the_doctor_names_versions_and_what_does_not_answer(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "nothing-here")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    lines = []
    assert report(lines.append) == 1
    found = {line.split()[1]: line for line in lines}
    assert np.__version__ in found["numpy"]
    assert found["ray"].startswith("!!")
    assert "host:port" in found["ray"]
    assert found["mlflow"].startswith("!!")
    assert "does not answer" in found["mlflow"]
