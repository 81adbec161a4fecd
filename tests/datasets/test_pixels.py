import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageFile

from greycard.datasets.pixels import MAX_PIXELS, ImageError, decode_image, encode_png, image_bytes


def pixels(height=9, width=7, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def saved(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)
    return buffer.getvalue()


def png_chunks(header, *chunks):
    """A PNG written by hand: header is the IHDR payload, chunks are (name, payload)."""
    data = b"\x89PNG\r\n\x1a\n"
    for name, payload in ((b"IHDR", header), *chunks, (b"IEND", b"")):
        data += struct.pack(">I", len(payload)) + name + payload + struct.pack(">I", zlib.crc32(name + payload))
    return data


def test_png_round_trip_is_exact_and_deterministic():
    image = pixels()
    data = encode_png(image)
    assert np.array_equal(decode_image(data), image)
    assert data == encode_png(np.asfortranarray(image))


@pytest.mark.filterwarnings("ignore:The image decoding:DeprecationWarning")
def test_decode_agrees_with_torchvision_on_a_jpeg():
    import torch
    from torchvision.io import decode_jpeg

    data = saved(Image.fromarray(pixels(32, 32)), "JPEG", quality=90, subsampling=0)
    expected = decode_jpeg(torch.frombuffer(bytearray(data), dtype=torch.uint8)).permute(1, 2, 0).numpy()
    assert np.abs(decode_image(data).astype(int) - expected).max() <= 1  # two libjpeg builds


@pytest.mark.parametrize("bad", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)])
def test_encode_refuses_other_shapes(bad):
    with pytest.raises(ImageError, match="expected"):
        encode_png(bad)


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGBA", "LA"])
def test_modes_with_an_exact_rgb_value_are_converted(mode):
    image = Image.fromarray(pixels()).convert(mode)
    expected = np.asarray(image.convert("RGB"))
    assert np.array_equal(decode_image(saved(image)), expected)


def test_opaque_palette_with_a_transparency_block_is_converted():
    image = Image.fromarray(pixels()).convert("P", palette=Image.Palette.ADAPTIVE, colors=8)
    expected = np.asarray(image.convert("RGB"))
    assert np.array_equal(decode_image(saved(image, transparency=bytes([255] * 8))), expected)
    with pytest.raises(ImageError, match="transparent"):
        decode_image(saved(image, transparency=bytes([0] * 8)))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_pixels_are_refused(mode):
    image = Image.fromarray(pixels()).convert(mode)
    image.putalpha(Image.new("L", image.size, 128))
    with pytest.raises(ImageError, match="transparent"):
        decode_image(saved(image))


def test_cmyk_is_refused():
    with pytest.raises(ImageError, match="CMYK"):
        decode_image(saved(Image.fromarray(pixels()).convert("CMYK"), "JPEG"))


def test_16_bit_gray_and_16_bit_rgb_are_refused():
    gray = Image.fromarray(np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000)
    with pytest.raises(ImageError, match="16"):
        decode_image(saved(gray))
    rows = b"".join(b"\0" + bytes(range(24)) for _ in range(4))  # 4 x 4 pixels of 16-bit RGB, filter 0
    data = png_chunks(struct.pack(">IIBBBBB", 4, 4, 16, 2, 0, 0, 0), (b"IDAT", zlib.compress(rows)))
    assert Image.open(io.BytesIO(data)).mode == "RGB"  # Pillow alone would cut it to 8 bits without a word
    with pytest.raises(ImageError, match="16 bits"):
        decode_image(data)


def test_several_frames_are_refused():
    frames = [Image.fromarray(pixels(seed=seed)) for seed in range(2)]
    with pytest.raises(ImageError, match="2 frames"):
        decode_image(saved(frames[0], "GIF", save_all=True, append_images=frames[1:]))


@pytest.mark.parametrize(
    "data", [b"", b"GIF89a", b"not an image", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"%!PS-Adobe"]
)
def test_what_is_no_image_is_refused_with_a_short_reason(data):
    with pytest.raises(ImageError) as error:
        decode_image(data)
    assert 0 < len(str(error.value)) < 250


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP"])
@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_truncated_files_are_refused(kind, part):
    data = saved(Image.fromarray(pixels(64, 64)), kind)
    with pytest.raises(ImageError):
        decode_image(data[: int(len(data) * part)])


def test_a_flipped_bit_in_a_png_is_refused():
    data = bytearray(saved(Image.fromarray(pixels(32, 32))))
    data[len(data) // 2] ^= 1
    with pytest.raises(ImageError, match="damaged"):
        decode_image(bytes(data))


@pytest.mark.parametrize("side", [8_100, 12_000, 60_000])
def test_a_decompression_bomb_is_refused_before_its_pixels_are_read(side):
    assert side * side > MAX_PIXELS
    data = png_chunks(struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0), (b"IDAT", zlib.compress(b"\0" * 1000)))
    with pytest.raises(ImageError, match="too many pixels"):
        decode_image(data)


@pytest.mark.parametrize(("orientation", "turn"), [(1, 0), (3, 2), (6, 3), (8, 1)])
def test_exif_orientation_is_applied(orientation, turn):
    image = Image.fromarray(pixels(9, 7))
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert np.array_equal(decode_image(saved(image, exif=exif)), np.rot90(np.asarray(image), turn))


def test_exif_orientation_counts_before_the_size():
    exif = Image.Exif()
    exif[0x0112] = 6
    with pytest.raises(ImageError, match="wrong size: expected 9x9, got 9x7"):
        decode_image(saved(Image.fromarray(pixels(9, 7)), exif=exif), size=9)


def test_wrong_size_fails_unless_resizing_is_allowed():
    data = encode_png(pixels(20, 20))
    with pytest.raises(ImageError, match="expected 10x10, got 20x20"):
        decode_image(data, size=10)
    assert decode_image(data, size=10, resize=True).shape == (10, 10, 3)
    assert np.array_equal(decode_image(data, size=20, resize=True), pixels(20, 20))


def test_resizing_cuts_the_centred_square_and_does_not_alias():
    image = np.zeros((40, 60, 3), np.uint8)
    image[:, 10:50] = 100  # the centred square is flat, what is cut off is black
    assert (decode_image(encode_png(image), size=8, resize=True) == 100).all()
    checks = np.indices((64, 64)).sum(0) % 2 * 200
    small = decode_image(encode_png(np.repeat(checks[..., None], 3, 2).astype(np.uint8)), size=16, resize=True)
    assert np.abs(small[4:-4, 4:-4].astype(int) - 100).max() <= 2  # a fine checkerboard averages out


def test_image_cells_of_every_published_form():
    assert image_bytes(b"abc") == b"abc"
    assert image_bytes({"bytes": b"abc", "path": "x.png"}) == b"abc"
    assert image_bytes({"bytes": None, "path": "x.png"}) == b""
    assert image_bytes(None) == b""


def test_truncated_images_are_never_let_through_globally():
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False
