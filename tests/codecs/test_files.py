import io

import pytest
import torch
from PIL import Image

from greycard.codecs import JpegConfig, RawConfig
from greycard.codecs.files import decode_path, encode_path, verify_path
from tests.codecs.networks import lively_config, tiles


@pytest.fixture
def folder(tmp_path):
    source = tmp_path / "in"
    (source / "deep").mkdir(parents=True)
    for name, row in (("a.png", 0), ("deep/b.png", 1), ("deep/b.bmp", 2)):
        Image.fromarray(tiles()[row].permute(1, 2, 0).numpy()).save(source / name)
    (source / "c.png").write_bytes(b"no image")
    (source / "notes.txt").write_text("not looked at")
    return source


def pixels(path):
    with Image.open(io.BytesIO(path.read_bytes())) as image:
        return torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8).reshape(64, 64, 3).permute(2, 0, 1)


def test_folders_there_and_back(folder, tmp_path):
    codec = lively_config("hyperprior", tmp_path / "weights").build()
    encoded = encode_path(codec, folder, tmp_path / "files", 0.01, progress=False)
    assert [(item.source.name, item.status) for item in encoded] == [
        ("a.png", "ok"),
        ("c.png", "failed"),
        ("b.bmp", "ok"),
        ("b.png", "ok"),
    ]
    assert "not an image" in encoded[1].error
    assert "64x64" in encoded[0].detail
    (tmp_path / "files" / "deep" / "bad.gcard").write_bytes(b"gc" + bytes(50))
    decoded = decode_path(codec, tmp_path / "files", tmp_path / "out", progress=False)
    assert {item.source.name: item.status for item in decoded} == {
        "a.gcard": "ok",
        "b.bmp.gcard": "ok",
        "b.png.gcard": "ok",
        "bad.gcard": "failed",
    }
    expected = codec.reconstruct(tiles()[:3], 0.01).images
    assert torch.equal(pixels(tmp_path / "out" / "a.png"), expected[0])
    assert torch.equal(pixels(tmp_path / "out" / "deep" / "b.bmp.png"), expected[2])
    assert not list((tmp_path / "out").rglob("*.part"))
    checked = verify_path(codec, folder, 0.01, progress=False)
    assert [item.status for item in checked] == ["ok", "failed", "ok", "ok"]
    assert "verified" in checked[0].detail


def test_one_file(folder, tmp_path):
    codec = JpegConfig(qualities=(50,)).build()
    (one,) = encode_path(codec, folder / "a.png", tmp_path / "one.gcard", 50, progress=False)
    assert one.target == tmp_path / "one.gcard"
    (back,) = decode_path(codec, tmp_path / "one.gcard", tmp_path, progress=False)
    assert back.target == tmp_path / "one.png"
    assert torch.equal(pixels(back.target), codec.reconstruct(tiles()[:1], 50).images[0])


def test_nothing_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        encode_path(RawConfig().build(), tmp_path / "nowhere", tmp_path, 0.0)
    with pytest.raises(FileNotFoundError, match=r"no files named \*\.gcard"):
        decode_path(RawConfig().build(), tmp_path, tmp_path)
