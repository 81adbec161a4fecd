"""Pixels and measures of pixels: where they are computed does not show."""

import pytest
import torch

from greycard.metrics.full_reference.distortion import Mse, Psnr, Ssim
from tests.gpu.comparing import assert_near, pictures


def pair(device="cpu"):
    reference = pictures(6)
    restored = torch.cat([pictures(5, seed=1), reference[5:]])  # the last one is restored perfectly
    return reference.to(device), restored.to(device)


@pytest.mark.parametrize("measure", [Mse(), Psnr()], ids=["mse", "psnr"])
def test_sums_of_whole_numbers_are_the_same_everywhere(device, measure):
    found = measure(*pair(device))
    assert found.device.type == device.type
    assert torch.equal(found.cpu(), measure(*pair()))


def test_ssim_is_that_of_a_cpu_in_double_precision(device):
    found = Ssim()(*pair(device))
    assert found.device.type == device.type
    assert found.dtype == torch.float64
    assert_near(found, Ssim()(*pair()), 1e-11)


@pytest.mark.parametrize("measure", [Mse(), Psnr(), Ssim()], ids=["mse", "psnr", "ssim"])
def test_no_images_have_no_values_on_their_own_device(device, measure):
    none = torch.empty(0, 3, 16, 16, dtype=torch.uint8, device=device)
    found = measure(none, none)
    assert found.shape == (0,)
    assert found.device.type == device.type


def test_jpeg_gives_the_same_files_and_pixels(device):
    pytest.importorskip("PIL", reason="JPEG is Pillow's")
    from greycard.codecs.jpeg import JpegConfig

    codec, images = JpegConfig(qualities=(5, 50)).build(), pictures(4)
    expected, found = codec.reconstruct(images, 5.0), codec.reconstruct(images.to(device), 5.0)
    assert found.images.device.type == device.type
    assert torch.equal(found.images.cpu(), expected.images)
    assert torch.equal(found.bits_total, expected.bits_total)
    assert codec.encode(images[0].to(device), 50.0) == codec.encode(images[0], 50.0)


def test_pixels_are_padded_and_rounded_as_on_a_cpu(device):
    pytest.importorskip("PIL", reason="the codecs' table holds JPEG, which is Pillow's")
    from greycard.codecs.pixels import to_bytes, to_float

    images = pictures(3, size=30)
    floats = to_float(images.to(device), 16)
    assert floats.device.type == device.type
    assert_near(floats, to_float(images, 16), 2e-7)  # CUDA divides by 255 as a product with its reciprocal
    assert torch.equal(to_bytes(floats, 30, 30).cpu(), images)


def test_lpips_is_that_of_a_cpu(device, tmp_path):
    """With a backbone of random weights: it is the arithmetic that is compared."""
    pytest.importorskip("lpips", reason="LPIPS is the package lpips")
    models = pytest.importorskip("torchvision.models", reason="LPIPS's backbone is torchvision's")
    from greycard.metrics.full_reference.lpips import Lpips

    features = models.alexnet(weights=None).features.state_dict()
    path = tmp_path / "alexnet.pth"
    torch.save({f"features.{name}": value for name, value in features.items()}, path)
    reference, restored = pictures(3, size=64), pictures(3, size=64, seed=1)
    expected, found = (
        Lpips(weights=str(path), device=where, compute_batch=2).build()(reference, restored)
        for where in ("cpu", str(device))
    )
    assert_near(found, expected)
