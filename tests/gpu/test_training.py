"""The plain training loop: the CPU's steps, the device's tensors, half precision, exact resume."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from greycard.losses import EoL2
from greycard.training.batches import Examples
from greycard.training.loop import LoopConfig, fit
from greycard.training.objectives.cross_entropy import CrossEntropy
from greycard.training.objectives.fair_prediction import FairPrediction
from greycard.training.optimizers import CosineConfig, SgdConfig
from greycard.training.session import Session
from tests.gpu.comparing import PATH, assert_metrics_near, assert_same_weights, pictures, way_apart

SHADES, GROUPS = ("dark", "grey", "light"), ("a", "b")
FAIR = FairPrediction(target="shade", classes=SHADES, sensitive=("group",), groups=(GROUPS,), fair=EoL2(lam=2.0))
# Adam divides by the gradient's size, so a gradient of nearly nothing would decide a whole step by its last bits.
PLAIN = LoopConfig(
    epochs=2,
    batch_size=16,
    optimizer=SgdConfig(learning_rate=0.01, momentum=0.9),
    clip_norm=1.0,
    ema=0.5,
    mirror=True,
    keep="last",
)


def examples(count, seed):
    """Images whose label is how light they are; the group is chance."""
    generator = torch.Generator().manual_seed(seed)
    shades = torch.randint(len(SHADES), (count,), generator=generator)
    groups = torch.randint(len(GROUPS), (count,), generator=generator)
    images = pictures(count, seed=seed) // 2 + (60 * shades).to(torch.uint8).view(-1, 1, 1, 1)
    return Examples(images, {"shade": shades, "group": groups})


TRAIN, VAL = examples(48, seed=0), examples(16, seed=1)


class Small(nn.Module):
    """Convolutions and batch norm, smooth everywhere: no last bit decides on which side of a kink a value falls.

    With ``noise``, its images get some in training, from the device's own generator.
    """

    def __init__(self, seed=0, noise=0.0):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.first = nn.Conv2d(3, 8, 3, stride=2)
            self.norm = nn.BatchNorm2d(8)
            self.second = nn.Conv2d(8, 16, 3)
            self.head = nn.Linear(16, len(SHADES))
        self.noise = noise

    def forward(self, images):
        x = images.float() / 255
        if self.training and self.noise:
            x = x + self.noise * torch.randn_like(x)
        x = nn.functional.gelu(self.norm(self.first(x)))
        return {"shade": self.head(nn.functional.gelu(self.second(x)).mean(dim=(2, 3)))}


class Watched:
    """Cross-entropy that notes the device and precision of what it is given and of what comes out."""

    def __init__(self):
        self.devices, self.precisions, self.calls = set(), set(), 0

    def __call__(self, model, images, labels):
        self.calls += 1
        logits = []
        hook = model.register_forward_hook(lambda *call: logits.extend(call[2].values()))
        loss = CrossEntropy()(model, images, {"shade": labels["shade"]})
        hook.remove()
        tensors = [images, *labels.values(), *logits, loss.total, *loss.parts.values()]
        self.devices |= {item.device.type for item in tensors}
        self.precisions |= {item.dtype for item in logits}
        return loss

    def auxiliary_optimizer(self, model):
        return None

    def concerns(self, metrics):
        return []

    def __repr__(self):
        return "watched"


def trained(model, device, objective=None, config=PLAIN, **options):
    objective = objective or CrossEntropy()
    return model, fit(model, objective, TRAIN, VAL, replace(config, device=str(device)), Session(**options))


@pytest.mark.parametrize("objective", [CrossEntropy(), FAIR], ids=["cross_entropy", "fair_prediction"])
def test_it_takes_the_steps_that_a_cpu_takes(device, objective):
    expected, on_cpu = trained(Small(), "cpu", objective)
    found, result = trained(Small(), device, objective)
    for metrics, wanted in zip(result.history, on_cpu.history, strict=True):
        assert_metrics_near(metrics, wanted)
    assert way_apart(found, expected, Small()) <= PATH


def test_the_layout_in_memory_changes_little(device):
    expected, _ = trained(Small(), "cpu")
    found, _ = trained(Small(), device, config=replace(PLAIN, channels_last=True))
    assert way_apart(found, expected, Small()) <= PATH


def test_a_step_is_on_the_device_and_its_end_on_the_cpu(device):
    watched = Watched()
    found, result = trained(Small(), device, watched)
    assert watched.devices == {device.type}
    assert watched.precisions == {torch.float32}
    assert {tensor.device.type for tensor in found.state_dict().values()} == {"cpu"}
    assert all(isinstance(value, float) for metrics in result.history for value in metrics.values())


def test_auto_is_the_device_that_is_there(device):
    if device.type == "cpu" and torch.cuda.is_available():
        pytest.skip("auto is CUDA here")
    watched = Watched()
    trained(Small(), "auto", watched)
    assert watched.devices == {device.type}


def test_bfloat16_computes_in_half_precision_and_keeps_weights_in_full(device):
    _, on_cpu = trained(Small(), "cpu")
    watched = Watched()
    found, result = trained(Small(), device, watched, replace(PLAIN, precision="bfloat16"))
    assert watched.precisions == {torch.bfloat16}
    assert {parameter.dtype for parameter in found.parameters()} == {torch.float32}
    for metrics, wanted in zip(result.history, on_cpu.history, strict=True):
        for name in ("train/loss", "val/loss"):
            assert metrics[name] == pytest.approx(wanted[name], rel=0.02)  # 8 bits of a factor: 0.4 % each


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="float16 needs CUDA, and torch.cuda.is_available() is False")
def test_float16_trains_with_scaled_gradients(tmp_path):
    watched = Watched()
    _, on_cpu = trained(Small(), "cpu")
    _, result = trained(Small(), "cuda", watched, replace(PLAIN, precision="float16"), directory=tmp_path)
    assert watched.precisions == {torch.float16}
    assert result.steps == on_cpu.steps
    assert result.history[-1]["val/loss"] == pytest.approx(on_cpu.history[-1]["val/loss"], rel=0.05)


class Killed(BaseException):
    """Stands for the death of the process."""


class DiesAt(Watched):
    def __init__(self, call):
        super().__init__()
        self.last = call

    def __call__(self, *batch):
        if self.calls == self.last:
            raise Killed
        return super().__call__(*batch)


ADAM = LoopConfig(
    epochs=3, batch_size=16, schedule=CosineConfig(), clip_norm=1.0, ema=0.5, mirror=True, checkpoint_steps=1
)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("call", [2, 6])
def test_a_killed_run_ends_with_the_weights_of_a_whole_one(device, same_every_time, tmp_path, call, precision):
    config = replace(ADAM, precision=precision)
    expected, result = trained(Small(noise=0.1), device, Watched(), config)
    with pytest.raises(Killed):
        trained(Small(noise=0.1), device, DiesAt(call), config, directory=tmp_path)
    found, resumed = trained(Small(seed=9, noise=0.1), device, Watched(), config, directory=tmp_path)
    assert_same_weights(found, expected)
    assert resumed == result
