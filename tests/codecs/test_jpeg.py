import io

import numpy as np
import pytest
import torch
from PIL import Image

from greycard.codecs import JpegConfig
from greycard.codecs.container import BitstreamError, pack, unpack
from greycard.codecs.jpeg import CODEC_ID, find_scans
from greycard.config import ConfigError, from_dict
from tests.codecs.networks import tiles


def by_pillow(image, **options):
    file = io.BytesIO()
    Image.fromarray(image.permute(1, 2, 0).numpy()).save(file, "JPEG", **options)
    return file.getvalue()


@pytest.mark.parametrize("quality", [1, 40, 95])
@pytest.mark.parametrize("options", [{}, {"optimize": True}, {"progressive": True}, {"subsampling": "4:4:4"}], ids=str)
def test_pixels_and_file_bits_are_pillows(quality, options):
    codec = JpegConfig(qualities=(quality,), **options).build()
    restored = codec.reconstruct(tiles()[:2], quality)
    for row in range(2):
        file = by_pillow(tiles()[row], quality=quality, **options)
        expected = torch.from_numpy(np.array(Image.open(io.BytesIO(file)))).permute(2, 0, 1)
        assert torch.equal(restored.images[row], expected)
        header = 20 - 2  # magic to point (12), height, width (1 each), checksum (4)
        assert restored.bits_total[row] == 8 * (len(file) + header)
        assert 0 < restored.bits_payload[row] < 8 * len(file)
        assert bool(restored.bits_estimated.isnan().all())


@pytest.mark.parametrize(
    ("size", "container"),
    [((64, 64), 18), ((127, 127), 18), ((128, 64), 19), ((130, 300), 20)],  # sides past 127 take two bytes
)
def test_total_bits_are_the_container_and_pillows_file(size, container):
    """The container: magic 2, version 1, codec 1, fingerprint 4, point 4, height and width 1 each, checksum 4."""
    image = torch.randint(256, (3, *size), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    codec = JpegConfig(qualities=(30,)).build()
    written = len(codec.encode(image, 30))
    assert written == len(by_pillow(image, quality=30)) + container
    assert codec.reconstruct(image[None], 30).bits_total.tolist() == [8 * written]


@pytest.mark.parametrize("tables", ["in_file", "once"])
def test_a_file_says_its_quality_itself(tables):
    writer, reader = (JpegConfig(qualities=(quality,), tables=tables).build() for quality in (10, 50))
    assert torch.equal(reader.decode(writer.encode(tiles()[2], 10)), writer.reconstruct(tiles()[2:3], 10).images[0])


@pytest.mark.parametrize("quality", [0.0, 30.5, 101.0, float("nan")])
def test_a_quality_that_does_not_exist_is_refused(quality):
    codec = JpegConfig(qualities=(50,)).build()
    container = unpack(codec.encode(tiles()[0], 50), codec_id=CODEC_ID, num_strings=1)
    with pytest.raises(BitstreamError, match=r"1\.\.100"):
        codec.decode(pack(container._replace(point=quality)))


def test_scan_bytes_by_hand():
    """A file's scan lies between the header of its SOS marker and the EOI marker."""
    file = by_pillow(tiles()[1], quality=50)
    start = file.rindex(b"\xff\xda")
    start += 2 + int.from_bytes(file[start + 2 : start + 4], "big")
    assert find_scans(file) == [(start, len(file) - 2)]
    assert len(find_scans(by_pillow(tiles()[1], quality=50, progressive=True))) > 1


@pytest.mark.parametrize("quality", [1, 50, 95])
def test_tables_once_counts_the_scan_and_restores_the_same_pixels(quality):
    whole, once = (JpegConfig(qualities=(quality,), tables=tables).build() for tables in ("in_file", "once"))
    for image in (tiles()[0], tiles()[5][:, :33, :50]):
        a, b = whole.reconstruct(image[None], quality), once.reconstruct(image[None], quality)
        assert torch.equal(a.images, b.images)
        assert torch.equal(once.decode(once.encode(image, quality)), a.images[0])
        assert b.bits_total[0] == b.bits_payload[0] + 8 * 18
        assert b.bits_total[0] < a.bits_total[0] - 8 * 500


def test_options_of_the_writer_are_needed_for_tables_once():
    once = JpegConfig(qualities=(50,), tables="once").build()
    data = once.encode(tiles()[0], 50)
    for other in (JpegConfig(qualities=(50,)), JpegConfig(qualities=(50,), tables="once", subsampling="4:4:4")):
        with pytest.raises(BitstreamError, match=r"codec\.tables"):
            other.build().decode(data)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"qualities": []}, r"codec\.qualities"),
        ({"qualities": [0]}, "1..100"),
        ({"qualities": [5, 5]}, "differ"),
        ({"tables": "once", "optimize": True}, "optimize=false"),
    ],
)
def test_config_errors(settings, message):
    with pytest.raises(ConfigError, match=message):
        from_dict(JpegConfig, settings)


@pytest.mark.parametrize("data", [b"", b"\xff\xd8", b"\xff\xd8\xff\xda\x00\x02\x01\x02", b"PNG"])
def test_what_is_not_a_jpeg_file_has_no_scans(data):
    with pytest.raises(BitstreamError):
        find_scans(data)
