"""Two processes that train one model come to the numbers of one; here over gloo alone, without Ray."""

from dataclasses import replace

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn

from greycard.classifiers import ResNetConfig
from greycard.losses import EoL2
from greycard.training.batches import Examples
from greycard.training.checkpoints import CheckpointError
from greycard.training.loop import FitResult, LoopConfig, fit
from greycard.training.objectives.cross_entropy import CrossEntropy
from greycard.training.objectives.fair_prediction import FairPrediction
from greycard.training.objectives.rate_distortion import RateDistortion
from greycard.training.optimizers import CosineConfig, SgdConfig
from greycard.training.session import CHECKPOINT, DivergedError, Session
from greycard.training.workers import ALONE, Workers

LOOP = LoopConfig(
    epochs=2,
    batch_size=13,
    optimizer=SgdConfig(learning_rate=0.01, momentum=0.9),
    schedule=CosineConfig(warmup=0.2),
    clip_norm=1.0,
    ema=0.9,
    mirror=True,
    stratify=("smile", "race"),
    keep="last",
)
FAIR = FairPrediction(
    target="smile", sensitive=("race",), groups=(("a", "b"),), classes=("no", "yes"), fair=EoL2(lam=5.0)
)
CLASSES = {"smile": ("no", "yes"), "age": ("young", "old", "older")}


def faces(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    labels = {
        name: torch.randint(0, size, (count,), generator=generator)
        for name, size in (("smile", 2), ("age", 3), ("race", 2))
    }
    noise = torch.randint(0, 120, (count, 3, 16, 16), generator=generator)
    light = 60 * labels["smile"] + 30 * labels["race"]
    return Examples((noise + light.view(-1, 1, 1, 1)).to(torch.uint8), labels)


TRAIN, VAL = faces(56), faces(27, seed=1)  # the last validation batch holds one row: fewer than processes


def network():
    return ResNetConfig(tasks=("smile", "age"), classes=CLASSES, width=2, shared=True, binary="one_logit").network()


class Killed(BaseException):
    """Stands for the death of all processes."""


class DiesAt(FairPrediction):
    """Dies at its n-th call, in every process."""

    calls = 10**9

    def __call__(self, network, images, labels):
        DiesAt.calls -= 1
        if DiesAt.calls < 0:
            raise Killed
        return FairPrediction.__call__(self, network, images, labels)

    def __repr__(self):
        return repr(FAIR)


def dies_at(calls):
    DiesAt.calls = calls
    return DiesAt(**{name: getattr(FAIR, name) for name in FAIR.__dataclass_fields__})


def run(case, directory, workers):
    if case == "fair":
        net = network()
        return net, fit(net, FAIR, TRAIN, VAL, LOOP, Session(directory=directory), workers=workers)
    if case == "cross_entropy":
        net = network()
        data = [Examples(d.images, d.labels | {"smile": d.labels["smile"].clone()}) for d in (TRAIN, VAL)]
        data[0].labels["smile"][::3] = -1  # workers see other numbers of known labels
        loop = replace(LOOP, stratify=(), keep="best", patience=2, ema=0.0)
        return net, fit(net, CrossEntropy(), *data, loop, workers=workers)
    if case == "resumed":
        with pytest.raises(Killed):
            fit(network(), dies_at(8), TRAIN, VAL, LOOP, Session(directory=directory), workers=workers)
        net = network()
        return net, fit(net, FAIR, TRAIN, VAL, LOOP, Session(directory=directory), workers=workers)
    assert case == "diverges"
    wild = replace(LOOP, optimizer=SgdConfig(learning_rate=1e30), clip_norm=0.0)
    with pytest.raises(DivergedError, match="Lower the learning rate"):
        fit(network(), FAIR, TRAIN, VAL, wild, workers=workers)
    return nn.Identity(), None


def work(rank, cases, folder):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    found = {}
    for case in cases:
        net, result = run(case, folder / case, Workers(rank, 2))
        found[case] = (net.state_dict(), result)
    torch.save(found, folder / f"found{rank}.pt")
    dist.destroy_process_group()


CASES = ("fair", "cross_entropy", "resumed", "diverges")


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    mp.spawn(work, (CASES, folder), nprocs=2)
    with torch.serialization.safe_globals([FitResult]):
        return [torch.load(folder / f"found{rank}.pt", weights_only=True) for rank in (0, 1)], folder


@pytest.mark.parametrize("case", ["fair", "cross_entropy", "resumed"])
def test_weights_statistics_and_metrics_are_those_of_one_process(two, tmp_path, case, one_thread):
    net, expected = run("cross_entropy" if case == "cross_entropy" else "fair", tmp_path, ALONE)
    found, _ = two
    for state, result in (found[0][case], found[1][case]):
        assert state.keys() == net.state_dict().keys()
        for name, value in net.state_dict().items():
            torch.testing.assert_close(state[name], value, rtol=1e-4, atol=1e-5)
        assert (result.steps, result.best_epoch, result.stopped) == (
            expected.steps,
            expected.best_epoch,
            expected.stopped,
        )
        for mine, theirs in zip(result.history, expected.history, strict=True):
            assert mine == pytest.approx(theirs, rel=1e-4, abs=1e-5, nan_ok=True)


def test_both_processes_end_with_the_same_weights_bit_for_bit(two):
    found, _ = two
    for case in ("fair", "cross_entropy", "resumed"):
        first, second = found[0][case][0], found[1][case][0]
        assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_run_that_was_killed_ends_with_the_weights_of_one_that_was_not(two):
    found, _ = two
    assert all(torch.equal(found[0]["fair"][0][name], value) for name, value in found[0]["resumed"][0].items())


def test_a_checkpoint_of_two_processes_is_gone_on_with_by_one(two):
    _, folder = two
    assert (folder / "resumed" / CHECKPOINT).exists()
    net = network()
    result = fit(net, FAIR, TRAIN, VAL, LOOP, Session(directory=folder / "resumed"))
    assert result.steps == 8
    with pytest.raises(CheckpointError, match="objective differ"):
        fit(network(), replace(FAIR, fair=None), TRAIN, VAL, LOOP, Session(directory=folder / "resumed"))


def test_rows_are_shared_out_whole():
    for count in (0, 1, 5, 13, 14):
        shares = [range(count)[Workers(rank, 4).rows(count)] for rank in range(4)]
        assert [row for share in shares for row in share] == list(range(count))
        assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_what_several_processes_cannot_train_is_refused():
    workers = Workers(0, 2)

    class Codec(nn.Module):
        def __init__(self):
            super().__init__()
            self.quantiles = nn.Parameter(torch.zeros(1))

    with pytest.raises(ValueError, match=r"workers\.processes to 1"):
        fit(Codec(), RateDistortion(lam=0.1), TRAIN, VAL, LOOP, workers=workers)
    with pytest.raises(ValueError, match="cannot be split over 2 processes"):
        workers.spread(network().train())(TRAIN.images[:1])
