import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch
from torch import nn

from greycard.training.batches import Examples
from greycard.training.checkpoints import CheckpointError, load_checkpoint
from greycard.training.loop import LoopConfig, fit
from greycard.training.objectives.contract import Loss
from greycard.training.objectives.cross_entropy import CrossEntropy
from greycard.training.optimizers import AdamConfig, CosineConfig, PlateauConfig, SgdConfig
from greycard.training.session import CHECKPOINT, DivergedError, Session


class Small(nn.Module):
    """A classifier with everything that has a state: batch norm buffers and noise from the global generator."""

    def __init__(self, seed=0, noise=0.1):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.conv = nn.Conv2d(3, 4, 3, stride=2)
            self.norm = nn.BatchNorm2d(4)
            self.head = nn.Linear(4, 2)
        self.noise = noise

    def forward(self, images):
        x = torch.relu(self.norm(self.conv(images.float() / 255)))
        if self.training:
            x = x + self.noise * torch.randn_like(x)
        return {"side": self.head(x.mean(dim=(2, 3)))}


def faces(count, seed=0):
    """Images whose label is whether they are light."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 2, (count,), generator=generator)
    noise = torch.randint(0, 120, (count, 3, 8, 8), generator=generator)
    return Examples((noise + 60 * labels.view(-1, 1, 1, 1)).to(torch.uint8), {"side": labels})


TRAIN, VAL = faces(37), faces(16, seed=1)
FULL = LoopConfig(
    epochs=4,
    batch_size=8,
    patience=3,
    optimizer=AdamConfig(learning_rate=0.01),
    schedule=CosineConfig(warmup=0.2),
    clip_norm=1.0,
    ema=0.9,
    mirror=True,
    checkpoint_steps=3,
    seed=5,
)


class Killed(BaseException):
    """Stands for the death of the process."""


class DiesAt:
    """Cross-entropy whose process dies at its n-th call."""

    def __init__(self, call):
        self.left = call

    def __call__(self, network, images, labels):
        self.left -= 1
        if self.left < 0:
            raise Killed
        return CrossEntropy()(network, images, labels)

    def auxiliary_optimizer(self, network):
        return None

    def concerns(self, metrics):
        return []

    def __repr__(self):
        return repr(CrossEntropy())


def weights_equal(a, b):
    left, right = a.state_dict(), b.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def undisturbed(config=FULL):
    network = Small()
    return network, fit(network, CrossEntropy(), TRAIN, VAL, config)


@pytest.mark.parametrize("call", [0, 2, 4, 7, 11, 14, 22])
def test_a_killed_run_ends_with_the_weights_of_an_undisturbed_one(tmp_path, call):
    expected, result = undisturbed()
    with pytest.raises(Killed):
        fit(Small(), DiesAt(call), TRAIN, VAL, FULL, Session(directory=tmp_path))
    network = Small(seed=9)
    resumed = fit(network, CrossEntropy(), TRAIN, VAL, FULL, Session(directory=tmp_path))
    assert weights_equal(network, expected)
    assert resumed == result


@pytest.mark.parametrize("epoch", [1, 3])
def test_a_run_killed_while_reporting_resumes_and_reports_every_epoch(tmp_path, epoch):
    expected, result = undisturbed()

    def die(metrics, number):
        if number == epoch:
            raise Killed

    with pytest.raises(Killed):
        fit(Small(), CrossEntropy(), TRAIN, VAL, FULL, Session(directory=tmp_path, report=die))
    seen = {}
    network = Small(seed=9)
    fit(network, CrossEntropy(), TRAIN, VAL, FULL, Session(directory=tmp_path, report=lambda m, n: seen.update({n: m})))
    assert weights_equal(network, expected)
    assert [seen[number] for number in sorted(seen)] == list(result.history)


def test_it_survives_being_killed_again_and_again(tmp_path):
    expected, _ = undisturbed()
    network = Small()
    for _ in range(40):
        try:
            fit(network, DiesAt(4), TRAIN, VAL, FULL, Session(directory=tmp_path))
            break
        except Killed:
            network = Small(seed=3)
    assert weights_equal(network, expected)


@pytest.mark.parametrize(
    "config",
    [
        LoopConfig(epochs=5, batch_size=8, optimizer=SgdConfig(momentum=0.9), schedule=PlateauConfig(patience=0)),
        LoopConfig(epochs=4, batch_size=8, precision="bfloat16", keep="last"),
        LoopConfig(epochs=4, batch_size=8, channels_last=True, ema=0.5, ema_warmup=False),
    ],
)
def test_other_optimisers_schedules_and_precisions_resume_exactly_too(tmp_path, config):
    expected, _ = undisturbed(config)
    with pytest.raises(Killed):
        fit(Small(), DiesAt(13), TRAIN, VAL, config, Session(directory=tmp_path))
    network = Small(seed=9)
    fit(network, CrossEntropy(), TRAIN, VAL, config, Session(directory=tmp_path))
    assert weights_equal(network, expected)


def test_a_run_killed_by_the_system_resumes_exactly(tmp_path, one_thread):
    script = f"""
        import os, signal, sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        import torch
        torch.set_num_threads(1)
        from test_loop import CrossEntropy, FULL, Session, Small, TRAIN, VAL, fit, Path
        import test_loop
        step = test_loop.CrossEntropy.__call__
        calls = 0
        class Stopped:
            def __call__(self, *batch):
                global calls
                calls += 1
                if calls == 10:
                    os.kill(os.getpid(), signal.SIGKILL)
                return CrossEntropy()(*batch)
            def auxiliary_optimizer(self, network): return None
            def concerns(self, metrics): return []
            def __repr__(self): return repr(CrossEntropy())
        fit(Small(), Stopped(), TRAIN, VAL, FULL, Session(directory=Path({str(tmp_path)!r})))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert done.returncode == -signal.SIGKILL
    assert (tmp_path / CHECKPOINT).exists()
    expected, _ = undisturbed()
    network = Small(seed=9)
    fit(network, CrossEntropy(), TRAIN, VAL, FULL, Session(directory=tmp_path))
    assert weights_equal(network, expected)


def test_a_finished_run_is_not_trained_again(tmp_path):
    network, result = undisturbed()
    fit(Small(), CrossEntropy(), TRAIN, VAL, FULL, Session(directory=tmp_path))
    again = Small(seed=9)
    assert fit(again, DiesAt(0), TRAIN, VAL, FULL, Session(directory=tmp_path)) == result
    assert weights_equal(again, network)


def test_a_checkpoint_of_another_run_or_a_damaged_one_is_refused(tmp_path):
    fit(Small(), CrossEntropy(), TRAIN, VAL, FULL, Session(directory=tmp_path))
    other = LoopConfig(epochs=9, batch_size=8)
    with pytest.raises(CheckpointError, match="belongs to another run"):
        fit(Small(), CrossEntropy(), TRAIN, VAL, other, Session(directory=tmp_path))
    path = tmp_path / CHECKPOINT
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(CheckpointError, match="not a readable checkpoint"):
        fit(Small(), CrossEntropy(), TRAIN, VAL, FULL, Session(directory=tmp_path))


def test_a_checkpoint_of_other_images_or_another_start_is_refused(tmp_path):
    with pytest.raises(Killed):
        fit(
            Small(), DiesAt(7), TRAIN, VAL, FULL, Session(directory=tmp_path, key={"shards": "a", "start_weights": "b"})
        )
    for key, named in (({"shards": "c", "start_weights": "b"}, "shards"), ({"shards": "a"}, "start_weights")):
        with pytest.raises(CheckpointError, match=f"its {named} differ"):
            fit(Small(), CrossEntropy(), TRAIN, VAL, FULL, Session(directory=tmp_path, key=key))
    expected, result = undisturbed()
    network = Small(seed=9)
    key = {"shards": "a", "start_weights": "b"}
    assert fit(network, CrossEntropy(), TRAIN, VAL, FULL, Session(directory=tmp_path, key=key)) == result
    assert weights_equal(network, expected)


def test_training_leaves_the_callers_generator_alone():
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    fit(Small(), CrossEntropy(), TRAIN, VAL, LoopConfig(epochs=1, batch_size=8))
    assert torch.equal(torch.rand(4), expected)


class Scripted:
    """An objective whose validation losses are given."""

    def __init__(self, losses):
        self.losses = iter(losses)

    def __call__(self, network, images, labels):
        total = network(images)["side"].square().mean()
        value = 1.0 if network.training else next(self.losses)
        return Loss(total, None, {"loss": torch.full((len(images),), value)})

    def auxiliary_optimizer(self, network):
        return None

    def concerns(self, metrics):
        return []


def test_it_stops_after_patience_epochs_without_a_lower_loss_and_keeps_the_best_weights():
    snapshots = []
    network = Small()
    config = LoopConfig(epochs=20, batch_size=16, patience=3)
    result = fit(
        network,
        Scripted([5.0, 4.0, 4.5, 4.0, 6.0, 1.0]),
        TRAIN,
        VAL,
        config,
        Session(report=lambda *_: snapshots.append({k: v.clone() for k, v in network.state_dict().items()})),
    )
    assert result.stopped == "patience"
    assert len(result.history) == 5
    assert (result.best_epoch, result.best_loss) == (1, 4.0)
    assert all(torch.equal(value, snapshots[1][name]) for name, value in network.state_dict().items())


def test_keep_last_returns_the_last_weights():
    result = fit(Small(), Scripted([1.0, 2.0]), TRAIN, VAL, LoopConfig(epochs=2, batch_size=16, keep="last"))
    assert (result.best_epoch, result.best_loss, result.stopped) == (1, 2.0, "epochs")


def test_a_loss_that_is_not_a_number_stops_the_run_and_the_checkpoint_before_it_stays_good(tmp_path):
    class Diverges(DiesAt):
        def __call__(self, network, images, labels):
            self.left -= 1
            loss = CrossEntropy()(network, images, labels)
            return loss._replace(total=loss.total * float("nan")) if self.left == 0 else loss

    with pytest.raises(DivergedError, match=r"the loss is nan at step 8 .*checkpoint.*learning rate"):
        fit(Small(), Diverges(13), TRAIN, VAL, FULL, Session(directory=tmp_path))
    saved = load_checkpoint(tmp_path / CHECKPOINT)["state"]
    assert saved["progress"]["step"] == 8
    assert all(torch.isfinite(value).all() for value in saved["network"].values())


def test_a_gradient_that_is_not_a_number_never_reaches_the_weights():
    class RootAtZero(DiesAt):
        def __call__(self, network, images, labels):
            loss = CrossEntropy()(network, images, labels)
            return loss._replace(total=loss.total + (network.head.bias * 0).sqrt().sum())

    network = Small()
    with pytest.raises(DivergedError, match="the gradient is nan"):
        fit(network, RootAtZero(0), TRAIN, VAL, FULL)
    assert all(torch.isfinite(value).all() for value in network.state_dict().values())


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_it_learns_a_few_images_by_heart(precision):
    data = Examples(torch.randint(0, 256, (16, 3, 8, 8), dtype=torch.uint8), {"side": torch.arange(16) % 2})
    network = nn.Sequential(nn.Flatten(), nn.Linear(192, 32), nn.ReLU(), nn.Linear(32, 2))

    class Wrapped(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = network

        def forward(self, images):
            return {"side": self.inner(images.float() / 255)}

    config = LoopConfig(epochs=60, batch_size=16, optimizer=AdamConfig(learning_rate=0.01), precision=precision)
    result = fit(Wrapped(), CrossEntropy(), data, data, config)
    assert result.history[-1]["val/accuracy/side"] == 1.0
    assert result.best_loss < 0.2 < result.history[0]["val/loss"]


def test_a_warm_start_goes_on_from_the_given_weights():
    network, first = undisturbed()
    again = Small(seed=9)
    again.load_state_dict(network.state_dict())
    result = fit(again, CrossEntropy(), TRAIN, VAL, LoopConfig(epochs=1, batch_size=8))
    assert result.history[0]["val/loss"] < first.history[0]["val/loss"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epochs", 0),
        ("batch_size", 0),
        ("patience", -1),
        ("ema", 1.0),
        ("precision", "float16"),
        ("seed", -1),
        ("soften", 1.1),
        ("jitter", -1.0),
    ],
)
def test_values_out_of_range_are_refused(field, value):
    with pytest.raises(ValueError, match=field):
        LoopConfig(**({"epochs": 1, "batch_size": 1} | {field: value}))


def test_no_images_are_refused():
    empty = Examples(TRAIN.images[:0], {"side": TRAIN.labels["side"][:0]})
    with pytest.raises(ValueError, match="got 0 to train on"):
        fit(Small(), CrossEntropy(), empty, VAL, FULL)


@pytest.mark.skipif(torch.cuda.is_available(), reason="for machines without CUDA")
def test_a_device_that_is_not_there_is_named():
    with pytest.raises(ValueError, match="cuda"):
        fit(Small(), CrossEntropy(), TRAIN, VAL, LoopConfig(epochs=1, batch_size=8, device="cuda"))
