import zlib

import pytest

from greycard.codecs.container import BitstreamError, Container, as_float32, match_point, overhead, pack, unpack

ONE = Container(2, b"abcd", as_float32(0.0018), 64, 300, (b"zz", b"", b"yyy"))


def test_layout_by_hand():
    body = b"gc" + bytes([1, 2]) + b"abcd" + bytes.fromhex("3aebedfa") + bytes([64, 0b1010_1100, 2, 2, 0]) + b"zzyyy"
    assert pack(ONE) == body + zlib.crc32(body).to_bytes(4, "big")


def test_round_trip_and_overhead():
    data = pack(ONE)
    assert unpack(data, codec_id=2, num_strings=3) == ONE
    assert len(data) == 5 + overhead(64, 300, (2, 0, 3))


def resealed(body: bytes) -> bytes:
    return body + zlib.crc32(body).to_bytes(4, "big")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda body: body[:2] + b"\x09" + body[3:], "version must be 1, got 9"),
        (lambda body: body[:3] + b"\x07" + body[4:], "codec id must be 2, got 7"),
        (lambda body: body[:12] + b"\x00" + body[13:], "pixels"),
        (lambda body: body[:12] + b"\xff" * 10, "does not end"),
        (lambda body: body[:12] + b"\xff\xff\xff\x7f\xff\xff\xff\x7f\x01\x01", "pixels"),
        (lambda body: body[:15] + b"\x7f" + body[16:], "announced"),
    ],
)
def test_crafted_files_with_a_good_checksum_are_refused(change, message):
    with pytest.raises(BitstreamError, match=message):
        unpack(resealed(change(pack(ONE)[:-4])), codec_id=2, num_strings=3)


def test_sizes_and_points():
    with pytest.raises(ValueError, match="pixels"):
        pack(ONE._replace(height=0))
    assert match_point(as_float32(0.0067), (0.1, 0.0067)) == 0.0067
    with pytest.raises(BitstreamError, match=r"point 5; this codec has 0\.1"):
        match_point(5.0, (0.1,))
