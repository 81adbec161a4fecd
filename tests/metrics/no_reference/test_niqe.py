"""NIQE against numbers that the public implementation (basicsr 1.4.2) gave for the same photographs."""

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms.functional import gaussian_blur

from greycard.metrics.full_reference.lpips import MeasureUnavailable
from greycard.metrics.no_reference.images import brightness
from greycard.metrics.no_reference.niqe import Niqe, NiqeLocal
from greycard.metrics.no_reference.niqe_parameters import NiqeParameters, block_features, fit_folder, gaussian, read
from tests.metrics.no_reference.photos import WEIGHTS, photo

# fmt: off
CHELSEA = [
    2.057583, 0.714909, 0.686333, 0.081629, 0.084376, 0.118221, 0.712083, 0.039257, 0.096996,
    0.119796, 0.69975, -0.024374, 0.116011, 0.096542, 0.681917, 0.009607, 0.099201, 0.099986,
    2.19375, 0.770547, 0.746167, 0.091817, 0.092552, 0.141691, 0.746167, 0.048963, 0.10093,
    0.133608, 0.7305, -0.008447, 0.116362, 0.110487, 0.738833, 0.001496, 0.114848, 0.11325,
]
# fmt: on


def of(name, channel="gray"):
    found = gaussian(block_features(brightness(photo(name)[0].numpy(), channel), 96))
    assert found is not None
    return NiqeParameters(*found)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pristine")
    for name in ("astronaut", "coffee", "rocket"):
        Image.fromarray(photo(name)[0].permute(1, 2, 0).numpy()).save(folder / f"{name}.png")
    return folder


@pytest.fixture(scope="module")
def local(pristine):
    return NiqeLocal(weights=str(pristine), sharpness=0.2).build()


def test_features_of_a_photo():
    np.testing.assert_allclose(of("chelsea").mean, CHELSEA, atol=2e-6)


def test_distance_to_another_photo(tmp_path):
    of("coffee").save(tmp_path / "coffee.npz")
    found = Niqe(weights=str(tmp_path / "coffee.npz")).build()(photo("chelsea"))
    assert found.dtype == torch.float64
    assert found.tolist() == pytest.approx([13.673930695800832], rel=1e-5)


@pytest.mark.skipif(not (WEIGHTS / "niqe_pris_params.npz").is_file(), reason="GREYCARD_QUALITY_WEIGHTS names no NIQE")
@pytest.mark.parametrize(
    ("name", "channel", "expected", "tolerance"),
    [
        ("chelsea", "gray", 2.572084171566674, 1e-5),
        ("chelsea", "y", 2.625524312789527, 1e-5),
        ("coffee", "gray", 4.060195441917552, 1e-5),
        ("astronaut", "gray", 3.0620227005299405, 1e-3),  # flat places, where the public code fits the rounding's noise
        ("rocket", "gray", 7.03591926359383, 1e-3),
        ("astronaut", "y", 3.090613592872324, 1e-2),
    ],
)
def test_published_parameters(name, channel, expected, tolerance):
    measure = Niqe(weights=str(WEIGHTS / "niqe_pris_params.npz"), channel=channel).build()
    assert measure(photo(name)).item() == pytest.approx(expected, rel=tolerance)


@pytest.mark.skipif(not (WEIGHTS / "niqe_pris_params.npz").is_file(), reason="GREYCARD_QUALITY_WEIGHTS names no NIQE")
def test_rises_with_noise_and_blur_under_the_published_parameters():
    measure = Niqe(weights=str(WEIGHTS / "niqe_pris_params.npz")).build()
    for images in worse(photo("chelsea")):
        values = measure(images).tolist()
        assert values == sorted(values)
        assert values[2] > 2 * values[0]


def worse(clean):
    """Return a photo with more and more noise, and with more and more blur."""
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    noisy = [(clean + sigma * noise).round().clip(0, 255).to(torch.uint8) for sigma in (0, 15, 40)]
    blurred = [clean, *(gaussian_blur(clean, 17, sigma) for sigma in (2.0, 4.0))]
    return torch.cat(noisy), torch.cat(blurred)


def test_worse_with_noise_and_blur(local):
    for images in worse(photo("chelsea")):
        values = local(images).tolist()
        assert min(values[1:]) > 1.3 * values[0]
    assert not local.higher_is_better


def test_a_batch_changes_nothing(local):
    images = torch.cat([photo("chelsea")[..., :288, :288], photo("coffee")[..., :288, :288]])
    assert local(images).tolist() == [local(image[None]).item() for image in images]
    assert local(images[:0]).shape == (0,)


def test_its_own_images_are_nearest(pristine, local):
    again = fit_folder(pristine, block=96, channel="gray", sharpness=0.2)
    parameters = NiqeLocal(weights=str(pristine), sharpness=0.2).parameters()
    np.testing.assert_array_equal(again.covariance, parameters.covariance)
    assert parameters.distance(parameters.mean, parameters.covariance) == 0
    assert local(photo("coffee")).item() < local(gaussian_blur(photo("coffee"), 9, 3.0)).item()


def test_a_fit_is_saved_and_read(pristine, local, tmp_path):
    path = tmp_path / "own.npz"
    NiqeLocal(weights=str(pristine), sharpness=0.2).parameters().save(path)
    again = NiqeLocal(weights=str(path)).build()
    assert again(photo("chelsea")).item() == local(photo("chelsea")).item()


def test_smaller_blocks_for_smaller_images(pristine):
    measure = NiqeLocal(weights=str(pristine), block=32, sharpness=0.2).build()
    assert torch.isfinite(measure(photo("chelsea")[..., :64, :64])).all()
    assert "of 32 x 32 pixels" in NiqeLocal(block=32).unfit(32, 32)


def test_no_texture_is_no_value(local):
    images = torch.cat([torch.zeros(1, 3, 192, 192, dtype=torch.uint8), photo("chelsea")[..., :192, :192]])
    values, reasons = local.judge(images)
    assert torch.isnan(values).tolist() == [True, False]
    assert reasons == ("fewer than two blocks have any texture", "")


@pytest.mark.parametrize(("height", "width", "blocks"), [(32, 32, 0), (128, 128, 1), (95, 400, 0)])
def test_small_images_are_refused(local, height, width, blocks):
    said = (
        f"at least two whole blocks of 96 x 96 pixels for a covariance, and images of {height} x {width} have {blocks}"
    )
    assert said in Niqe().unfit(height, width)
    with pytest.raises(ValueError, match="measure larger images or leave niqe_local out"):
        local(torch.zeros(1, 3, height, width, dtype=torch.uint8))
    assert Niqe().unfit(96, 192) == ""


def test_missing():
    assert "no NIQE parameters named; take niqe_pris_params.npz out of basicsr's" in Niqe().missing()
    with pytest.raises(MeasureUnavailable, match=r"niqe is not available: no NIQE parameters at nowhere.npz"):
        Niqe(weights="nowhere.npz").build()
    with pytest.raises(MeasureUnavailable, match="set weights=FOLDER of the niqe_local measure"):
        NiqeLocal().build()


def test_wrong_files(tmp_path):
    def refused(match, **arrays):
        np.savez(tmp_path / "file.npz", **arrays)
        with pytest.raises(ValueError, match=match):
            read(tmp_path / "file.npz")

    refused("must hold numbers under mu_pris_param or pop_mu, got other", other=np.zeros(3))
    refused(
        r"mean of 36 and a covariance of 36 x 36 numbers, got \(18,\) and \(18, 18\)",
        mu_pris_param=np.zeros(18),
        cov_pris_param=np.eye(18),
    )
    refused("symmetric", mu_pris_param=np.zeros((1, 36)), cov_pris_param=np.triu(np.ones((36, 36))))
    refused("not an .npz file of plain arrays", mu_pris_param=np.array([{}], object), cov_pris_param=np.eye(36))
    for content in (b"", b"text", b"PK\x03\x04 torn"):
        (tmp_path / "file.npz").write_bytes(content)
        with pytest.raises(ValueError, match=r"not an .npz file of plain arrays"):
            read(tmp_path / "file.npz")
    np.save(tmp_path / "one.npy", np.zeros(36))
    with pytest.raises(ValueError, match=r"not an .npz file of plain arrays"):
        read(tmp_path / "one.npy")


def test_wrong_folders(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no image files"):
        NiqeLocal(weights=str(tmp_path)).build()
    Image.fromarray(photo("chelsea")[0, :, :192, :192].permute(1, 2, 0).numpy()).save(tmp_path / "few.png")
    with pytest.raises(ValueError, match=r"more than 36 sharp blocks of 96 x 96 pixels, and the 1 images"):
        NiqeLocal(weights=str(tmp_path)).build()
    (tmp_path / "bad.png").write_text("not pixels")
    with pytest.raises(ValueError, match=r"bad.png is not a readable image"):
        NiqeLocal(weights=str(tmp_path)).build()


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: Niqe(channel="luma"), "niqe.channel must be gray or y"),
        (lambda: NiqeLocal(block=15), "niqe_local.block must be even and at least 16, got 15"),
        (lambda: NiqeLocal(sharpness=1.0), "niqe_local.sharpness must be in"),
    ],
)
def test_wrong_settings(make, match):
    with pytest.raises(ValueError, match=match):
        make()
