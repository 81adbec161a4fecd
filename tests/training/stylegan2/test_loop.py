"""Adversarial training: its terms by hand, lazy penalties, exact resume, what learns and what does not."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
import torch

from greycard.generators import StyleGan2Config
from greycard.losses.shares import ShareLossConfig
from greycard.training.batches import Examples
from greycard.training.checkpoints import CheckpointError
from greycard.training.session import DivergedError, Session
from greycard.training.stylegan2.config import AdversarialConfig
from greycard.training.stylegan2.loop import Judge, train_adversarial
from greycard.training.stylegan2.terms import discriminator_loss, generator_loss, lazy_adam, path_lengths, r1_penalty

NETWORK = StyleGan2Config.preset("tiny", size=8, base=32, most=4)
SHORT = AdversarialConfig.preset("tiny", images=64, report_images=16, path_weight=2.0, mixing=0.5, path_every=2)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def data(count=40, size=8):
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (count, 3, size, size), generator=generator, dtype=torch.uint8)
    return Examples(images, {"digit": torch.arange(count) % 2})


def judge(shares=(0.75, 0.25)):
    """Bright images are class 1."""

    def logits(images):
        bright = images.mean(dim=(1, 2, 3)) / 255 - 0.5
        return torch.stack([-bright, bright], dim=1) * 20

    return Judge(logits, "digit", torch.tensor(shares, dtype=torch.float64))


def train(config=SHORT, **options):
    generator, discriminator = NETWORK.network(), NETWORK.discriminator()
    average, trained = train_adversarial(
        generator, discriminator, options.pop("images", data()), config, latent=NETWORK.latent, **options
    )
    return average, trained, generator, discriminator


def test_logistic_losses_by_hand():
    real, generated = torch.tensor([2.0, -1.0]), torch.tensor([0.5])
    expected = (math.log1p(math.exp(-2)) + math.log1p(math.exp(1))) / 2 + math.log1p(math.exp(0.5))
    assert discriminator_loss(real, generated).item() == pytest.approx(expected, rel=1e-6)
    weighted = discriminator_loss(real, generated, torch.tensor([2.0, 0.0])).item()
    assert weighted == pytest.approx(math.log1p(math.exp(-2)) + math.log1p(math.exp(0.5)), rel=1e-6)
    assert generator_loss(generated).item() == pytest.approx(math.log1p(math.exp(-0.5)), rel=1e-6)


def test_r1_of_a_known_function():
    images = torch.randn(3, 3, 4, 4, requires_grad=True)
    scores = images.square().sum(dim=(1, 2, 3)) / 2  # its slope is the image itself
    torch.testing.assert_close(r1_penalty(scores, images), images.square().sum(dim=(1, 2, 3)))


def test_path_length_of_a_linear_generator():
    torch.manual_seed(3)
    matrix = torch.randn(3 * 4 * 4, 5).double()
    w = torch.randn(6, 1, 5, dtype=torch.float64, requires_grad=True)
    noise = torch.randn(6, 3, 4, 4, dtype=torch.float64)
    images = (w[:, 0] @ matrix.T).view(6, 3, 4, 4)
    expected = [np.linalg.norm(matrix.numpy().T @ y.reshape(-1).numpy()) / 4 for y in noise]
    np.testing.assert_allclose(path_lengths(images, w, noise).detach(), expected)


def test_lazy_rates():
    optimizer = lazy_adam([torch.nn.Parameter(torch.zeros(1))], 0.002, 16)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.002 * 16 / 17)
    assert optimizer.param_groups[0]["betas"] == (0.0, pytest.approx(0.99 ** (16 / 17)))
    assert lazy_adam([torch.nn.Parameter(torch.zeros(1))], 0.002, 0).param_groups[0]["lr"] == 0.002


def test_average_forgets_with_its_half_life():
    config = AdversarialConfig(batch=32, average_images=320)
    assert config.average_decay(10_000) ** 10 == pytest.approx(0.5)
    ramped = dataclasses.replace(config, average_ramp=0.05)
    assert ramped.average_decay(640) == pytest.approx(0.5)  # 5 % of 640 images is one batch
    assert ramped.average_decay(10**6) == config.average_decay(0)


def test_learning_rate_falls_to_nothing_over_the_cooldown():
    config = AdversarialConfig(images=320, batch=32, cooldown=0.4)
    assert [round(config.cooled(step), 6) for step in range(10)] == [1.0] * 7 + [0.75, 0.5, 0.25]
    assert {dataclasses.replace(config, cooldown=0.0).cooled(step) for step in range(10)} == {1.0}

    def distances(cooldown):
        states = [NETWORK.network().state_dict()]
        config = dataclasses.replace(SHORT, images=16, report_images=8, average_images=1, cooldown=cooldown)
        train(config, draw=lambda average, images: states.append({n: p.clone() for n, p in average.named_parameters()}))
        moved = [sum((b[name] - a[name]).square().sum() for name in b) ** 0.5 for a, b in itertools.pairwise(states)]
        return moved[1] / moved[0]

    assert distances(cooldown=1.0) < 0.7 * distances(cooldown=0.0)  # half the rate in the second of two steps


def test_real_images_are_moved_and_the_layout_in_memory_changes_little():
    plain = train()[0].state_dict()
    moved = train(dataclasses.replace(SHORT, jitter=1.0))[0].state_dict()
    laid_out = train(dataclasses.replace(SHORT, images=8, channels_last=True))[0].state_dict()
    one_step = train(dataclasses.replace(SHORT, images=8))[0].state_dict()
    assert any(not torch.equal(value, moved[name]) for name, value in plain.items())
    for name, value in one_step.items():
        torch.testing.assert_close(value, laid_out[name], atol=1e-4, rtol=1e-3)


def test_every_weight_learns_and_penalties_come_when_due():
    _, trained, generator, discriminator = train()
    fresh, judged = NETWORK.network().state_dict(), NETWORK.discriminator().state_dict()
    still = [name for name, value in generator.state_dict().items() if torch.equal(value, fresh[name])]
    assert [name for name in still if not name.endswith(".noise")] == []
    assert not [name for name, value in discriminator.state_dict().items() if torch.equal(value, judged[name])]
    assert trained.images == 64
    assert [metrics["images"] for metrics in trained.history] == [16, 32, 48, 64]
    assert all("path/length" in metrics for metrics in trained.history)
    assert ["r1" in metrics for metrics in trained.history] == [True, False, False, False]  # steps 0 and 16


def test_it_trains_on_whatever_device_there_is():
    short = dataclasses.replace(SHORT, images=16)
    _, trained, generator, _ = train(dataclasses.replace(short, device="auto"))
    assert trained.images == 16
    assert {parameter.device.type for parameter in generator.parameters()} == {"cpu"}  # where it ends


@pytest.mark.skipif(torch.cuda.is_available(), reason="for machines without CUDA")
def test_a_device_that_is_not_there_is_named():
    with pytest.raises(ValueError, match="device cuda was asked for"):
        train(dataclasses.replace(SHORT, device="cuda"))


def test_frozen_layers_stay():
    _, _, _, discriminator = train(dataclasses.replace(SHORT, freeze=2))
    fresh = NETWORK.discriminator().state_dict()
    same = {
        name.rsplit(".", 1)[0] for name, value in discriminator.state_dict().items() if torch.equal(value, fresh[name])
    }
    assert same == {"from_rgb", "blocks.0.first"}


def test_every_seed_draws_latents_of_its_own():
    first = dataclasses.replace(SHORT, images=SHORT.batch, report_images=SHORT.batch)
    runs = [train(dataclasses.replace(first, seed=seed))[1].history[0] for seed in (0, 1, 256, 0)]
    scores = [metrics["score/generated"] for metrics in runs]  # of images that were drawn before anything was learnt
    assert scores[0] == scores[3]
    assert len(set(scores)) == 3


def test_killed_and_resumed_is_the_same_run(tmp_path):
    config = dataclasses.replace(SHORT, shares=ShareLossConfig(), cooldown=0.5, jitter=1.0, channels_last=True)
    whole, _, _, _ = train(config, judge=judge())

    def kill(metrics, number):
        if number == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(config, judge=judge(), session=Session(directory=tmp_path, report=kill))
    reported, drawn = [], []
    session = Session(directory=tmp_path, report=lambda metrics, number: reported.append((number, metrics["images"])))
    resumed, trained, _, _ = train(
        config, judge=judge(), session=session, draw=lambda average, images: drawn.append(images)
    )
    assert reported == [(1, 16), (2, 32), (3, 48), (4, 64)]
    assert drawn == [48, 64]
    assert len(trained.history) == 4
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_another_runs_checkpoint_is_refused(tmp_path):
    train(session=Session(directory=tmp_path, key={"data": "a"}))
    with pytest.raises(CheckpointError, match="its data differ"):
        train(session=Session(directory=tmp_path, key={"data": "b"}))


def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_checkpoint(tmp_path):
    def broken(images):
        return judge().logits(images) * (math.nan if broken.calls > 3 else 1.0)

    broken.calls = 0

    def count(images):
        broken.calls += 1
        return broken(images)

    config = dataclasses.replace(SHORT, shares=ShareLossConfig(estimator="soft"))
    with pytest.raises(DivergedError, match=r"generator's loss is nan after 24 images; the checkpoint in"):
        train(config, judge=judge()._replace(logits=count), session=Session(directory=tmp_path))
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["step"] == 2


def test_share_loss_brightens_a_dark_generator():
    """The only class that is short is the bright one, and the term is strong: images get brighter than without it."""
    config = dataclasses.replace(SHORT, images=400, path_weight=0.0, learning_rate=0.005, report_images=400)
    dark = data()._replace(images=data().images // 4)
    strong = dataclasses.replace(config, shares=ShareLossConfig(weight=20.0, estimator="soft", clip=10.0))
    z = torch.randn(64, NETWORK.latent)
    means = [
        train(chosen, judge=judge((0.999, 0.001)), images=dark)[0](z, noise="fixed").mean().item()
        for chosen in (config, strong)
    ]
    assert means[1] > means[0] + 0.1


def test_a_report_tells_the_shares_of_all_images_since_the_last():
    config = dataclasses.replace(SHORT, shares=ShareLossConfig(estimator="hard"), images=32)
    _, trained, _, _ = train(config, judge=judge()._replace(classes=("dark", "bright")))
    for metrics in trained.history:
        dark, bright = metrics["share/dark"], metrics["share/bright"]
        assert dark + bright == pytest.approx(1)
        assert (dark * 16).is_integer()  # 2 steps of 8 images
        assert metrics["discrepancy[judge]"] == pytest.approx(math.hypot(dark - 0.5, bright - 0.5))


@pytest.mark.parametrize("reweighting", ["real", "generated"])
def test_reweighting_changes_the_run(reweighting):
    config = dataclasses.replace(SHORT, images=32, reweighting=reweighting)
    plain, _, _, _ = train(dataclasses.replace(config, reweighting="none"))
    weighted, _, _, _ = train(config, judge=judge())
    assert not torch.equal(plain.state_dict()["synthesis.constant"], weighted.state_dict()["synthesis.constant"])


def test_even_data_need_no_reweighting():
    config = dataclasses.replace(SHORT, images=32, reweighting="real")
    plain, _, _, _ = train(dataclasses.replace(config, reweighting="none"))
    weighted, _, _, _ = train(config, judge=judge((0.5, 0.5)))
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(value, weighted.state_dict()[name], rtol=1e-5, atol=1e-6)


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match=r"makes images of \(3, 8, 8\), the data have \(3, 16, 16\)"):
        train(images=data(size=16))
    with pytest.raises(ValueError, match="needs a classifier"):
        train(dataclasses.replace(SHORT, reweighting="real"))
    with pytest.raises(ValueError, match="did you mean"):
        AdversarialConfig.preset("cifar10")
    with pytest.raises(ValueError, match="gamma must be 0 or above"):
        AdversarialConfig(gamma=-1.0)
    with pytest.raises(ValueError, match="freeze must be"):
        train(dataclasses.replace(SHORT, freeze=99))
