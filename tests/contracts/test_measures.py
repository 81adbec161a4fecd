"""What every measure of the table promises."""

import subprocess
import sys
from dataclasses import dataclass, field

import pytest
import torch

from greycard.config import ConfigError, from_dict, override, to_dict
from greycard.metrics.descriptions import COLUMNS
from greycard.metrics.full_reference.distortion import MEASURES, MeasureConfig, Mse
from greycard.protocols import Measure


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    measure: MeasureConfig = field(default_factory=Mse)


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file as torchvision's AlexNet weights, with random numbers in it."""
    from torchvision.models import alexnet

    path = tmp_path_factory.mktemp("weights") / "alexnet.pth"
    torch.manual_seed(0)
    torch.save(alexnet(weights=None).state_dict(), path)
    return str(path)


@pytest.fixture(params=sorted(MEASURES))
def measure(request: pytest.FixtureRequest, backbone: str) -> Measure:
    values = {"weights": backbone, "compute_batch": 4} if request.param == "lpips" else {}
    return MEASURES[request.param](**values).build()


def pair(count: int = 6, noise: int = 20) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(1)
    reference = torch.randint(40, 216, (count, 3, 64, 64), generator=random)
    offsets = torch.randint(-noise, noise + 1, reference.shape, generator=random)
    return reference.to(torch.uint8), (reference + offsets).clamp(0, 255).to(torch.uint8)


def test_gives_one_number_an_image(measure: Measure) -> None:
    assert isinstance(measure, Measure)
    values = measure(*pair())
    assert values.shape == (6,)
    assert values.dtype == torch.float64
    assert torch.isfinite(values).all()
    assert measure(*pair(0)).shape == (0,)


def test_does_not_depend_on_the_batch(measure: Measure) -> None:
    reference, restored = pair()
    whole = measure(reference, restored)
    for size in (1, 2, 5):
        parts = [measure(reference[i : i + size], restored[i : i + size]) for i in range(0, 6, size)]
        assert torch.equal(torch.cat(parts), whole)
    assert torch.equal(measure(reference.flip(0), restored.flip(0)).flip(0), whole)


def test_does_not_depend_on_memory_layout(measure: Measure) -> None:
    reference, restored = pair()
    expected = measure(reference, restored)
    channels_last = [images.contiguous(memory_format=torch.channels_last) for images in (reference, restored)]
    torch.testing.assert_close(measure(*channels_last), expected, rtol=1e-5, atol=1e-7)


def test_moves_in_its_direction(measure: Measure) -> None:
    sign = 1 if measure.higher_is_better else -1
    reference, _ = pair()
    qualities = [sign * measure(*pair(noise=noise)) for noise in (1, 10, 40)]
    assert (sign * measure(reference, reference) >= qualities[0]).all()
    assert (qualities[0] > qualities[1]).all()
    assert (qualities[1] > qualities[2]).all()


def test_leaves_its_input_alone(measure: Measure) -> None:
    reference, restored = pair()
    copies = reference.clone(), restored.clone()
    measure(reference, restored)
    assert torch.equal(reference, copies[0])
    assert torch.equal(restored, copies[1])


def test_refuses_what_is_not_a_pair_of_8_bit_batches(measure: Measure) -> None:
    reference, restored = pair()
    with pytest.raises(ValueError, match="one shape"):
        measure(reference, restored[:3])
    with pytest.raises(ValueError, match=r"\(N, 3, H, W\)"):
        measure(reference[0], restored[0])
    with pytest.raises(TypeError, match="uint8"):
        measure(reference, restored.to(torch.float32) / 255)


@pytest.mark.parametrize("kind", sorted(MEASURES))
def test_its_config_says_how_small_images_may_be(kind: str, backbone: str) -> None:
    config = MEASURES[kind](**{"weights": backbone} if kind == "lpips" else {})
    least = config.min_size
    measure = config.build()
    assert measure(*(images[:2, :, :least, :least] for images in pair())).shape == (2,)
    if least > 1:
        with pytest.raises(ValueError, match=f"at least {least} x {least} pixels"):
            measure(*(images[:2, :, :, : least - 1] for images in pair()))


@pytest.mark.parametrize("kind", sorted(MEASURES))
def test_is_made_from_a_config(kind: str) -> None:
    holder = from_dict(Holder, {"measure": {"kind": kind}})
    assert holder.measure == MEASURES[kind]()
    assert from_dict(Holder, to_dict(holder)) == holder
    assert override(Holder(), [f"measure.kind={kind}"]) == holder


def test_its_column_is_in_the_table_that_findings_and_reports_read(measure: Measure) -> None:
    column = COLUMNS[measure.name]
    assert column.higher_is_better == measure.higher_is_better
    assert column.label
    assert column.unit
    assert column.compares


def test_every_column_has_a_measure() -> None:
    assert sorted(config().name for config in MEASURES.values()) == sorted(COLUMNS)


def test_the_table_of_columns_needs_no_torch() -> None:
    names = "greycard.metrics.restoration.findings, greycard.reports.restoration.pictures"
    code = f"import sys, {names}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_unknown_kinds_list_near_ones() -> None:
    with pytest.raises(ConfigError, match="did you mean 'ssim'"):
        from_dict(Holder, {"measure": {"kind": "sim"}})
