import math

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import nn

from greycard.training.batches import Examples, batches_an_epoch, moved, soft, training_batches
from greycard.training.checkpoints import load_checkpoint, save_checkpoint
from greycard.training.ema import MovingAverage
from greycard.training.objectives.cross_entropy import CrossEntropy
from greycard.training.objectives.rate_distortion import RateDistortion
from greycard.training.optimizers import AdamConfig, CosineConfig, PlateauConfig, SgdConfig


def test_the_moving_average_against_hand_computation():
    network = nn.Linear(1, 1, bias=False)
    network.weight.data.fill_(2.0)
    average = MovingAverage(network, 0.9, warmup=False)
    network.weight.data.fill_(4.0)
    average.update(network, 1)
    network.weight.data.fill_(6.0)
    average.update(network, 2)
    # .9 (.9 x 2 + .1 x 4) + .1 x 6 = .9 x 2.2 + .6
    assert average.network.weight.item() == pytest.approx(2.58)


def test_the_average_warms_up_and_copies_whole_numbers():
    network = nn.BatchNorm1d(1)
    average = MovingAverage(network, 0.9)
    network.running_mean.fill_(11.0)
    network.num_batches_tracked.fill_(7)
    average.update(network, 1)
    assert average.decay_at(1) == pytest.approx(2 / 11)
    assert average.decay_at(1000) == 0.9
    assert average.network.running_mean.item() == pytest.approx(11 * 9 / 11)
    assert average.network.num_batches_tracked.item() == 7


def numbered(count):
    images = torch.arange(count * 12, dtype=torch.uint8).view(count, 3, 2, 2)
    return Examples(images, {"number": torch.arange(count)})


def numbers(**options):
    return [batch.labels["number"].tolist() for batch in training_batches(numbered(10), **options)]


def test_an_epoch_is_a_seeded_permutation_that_can_be_entered_anywhere():
    whole = numbers(batch_size=3, seed=1, epoch=0)
    assert [len(batch) for batch in whole] == [3, 3, 3]
    assert len({number for batch in whole for number in batch}) == 9
    assert numbers(batch_size=3, seed=1, epoch=0, first=2) == whole[2:]
    assert numbers(batch_size=3, seed=1, epoch=1) != whole
    assert numbers(batch_size=3, seed=2, epoch=0) != whole


def test_too_few_images_make_one_batch():
    assert batches_an_epoch(5, 8) == 1
    assert sorted(numbers(batch_size=16, seed=0, epoch=0)[0]) == list(range(10))


def test_mirroring_flips_about_half_of_the_images_left_to_right():
    data = numbered(10)
    flipped = 0
    for batch in training_batches(data, batch_size=5, seed=0, epoch=0, mirror=True):
        for image, number in zip(batch.images, batch.labels["number"], strict=True):
            same = torch.equal(image, data.images[number])
            assert same or torch.equal(image, data.images[number].flip(2))
            flipped += not same
    assert 1 <= flipped <= 9


def test_softening_averages_squares_and_keeps_flat_images():
    flat = torch.full((1, 3, 8, 8), 77, dtype=torch.uint8)
    assert torch.equal(soft(flat, 4), flat)
    halves = torch.zeros(1, 3, 8, 8, dtype=torch.uint8)
    halves[..., 4:] = 200
    row = soft(halves, 4)[0, 0, 0].tolist()  # centres at 1.5 and 5.5, a straight line between them
    assert row == [0, 0, 25, 75, 125, 175, 200, 200]


def test_moved_images_are_those_of_an_affine_map_about_the_centre():
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (24, 24), np.uint8)
    images = torch.from_numpy(np.repeat(image[None, None], 3, axis=1))
    assert torch.equal(moved(images, torch.zeros(1, 5)), images)
    for moves in random.uniform(-1, 1, (5, 5)):
        angle, scale, shear = math.radians(10) * moves[0], math.exp(0.1 * moves[3]), 0.1 * moves[4]
        matrix = scale * np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
        matrix[1, 0] += shear  # rows of (down, right), as SciPy counts axes
        shift = moves[[2, 1]] * 24 / 16
        offset = 11.5 + shift - matrix @ [11.5, 11.5]
        expected = ndimage.affine_transform(image.astype(float), matrix, offset, order=1, mode="nearest")
        found = moved(images, torch.tensor(moves, dtype=torch.float32)[None])[0, 1].numpy()
        np.testing.assert_allclose(found, expected, atol=0.6)


def test_jittered_batches_are_the_same_again_from_any_batch_on():
    data = Examples(torch.randint(0, 256, (20, 3, 8, 8), dtype=torch.uint8), {"n": torch.arange(20)})
    whole = list(training_batches(data, batch_size=4, seed=0, epoch=1, jitter=1.0))
    again = list(training_batches(data, batch_size=4, seed=0, epoch=1, jitter=1.0, first=2))
    plain = list(training_batches(data, batch_size=4, seed=0, epoch=1))
    assert all(torch.equal(one.images, other.images) for one, other in zip(whole[2:], again, strict=True))
    assert all(torch.equal(one.labels["n"], other.labels["n"]) for one, other in zip(whole, plain, strict=True))
    assert not any(torch.equal(one.images, other.images) for one, other in zip(whole, plain, strict=True))


def test_some_images_are_softened_again_the_same_way():
    torch.manual_seed(0)
    data = Examples(torch.randint(0, 256, (40, 3, 8, 8), dtype=torch.uint8), {"number": torch.arange(40)})

    def epoch(first=0):
        return list(training_batches(data, batch_size=8, seed=0, epoch=0, first=first, soften=0.5))

    same = [
        torch.equal(image, data.images[number])
        for batch in epoch()
        for image, number in zip(batch.images, batch.labels["number"], strict=True)
    ]
    assert 10 < sum(same) < 30
    assert torch.equal(epoch()[3].images, epoch(first=3)[0].images)


def test_the_cosine_schedule_against_its_formula():
    schedule = CosineConfig(warmup=0.2, final=0.1)
    factors = [schedule.factor(step, 10) for step in range(11)]
    assert factors[:2] == [0.5, 1.0]
    assert factors[6] == pytest.approx(0.1 + 0.9 * 0.5)
    assert factors[10] == pytest.approx(0.1)
    assert CosineConfig(warmup=0.0, final=0.0).factor(5, 10) == pytest.approx(0.5)


def test_the_plateau_schedule_divides_the_rate():
    weight = nn.Parameter(torch.zeros(1))
    optimizer = SgdConfig(learning_rate=1.0).build([weight])
    schedule = PlateauConfig(factor=0.1, patience=1).build(optimizer, 0)
    for loss in (3.0, 2.0, 2.0, 2.0):
        schedule.on_epoch(loss)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.1)


def test_adam_without_weight_decay_is_adam():
    ours, theirs = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(3))
    a, b = AdamConfig(learning_rate=0.1).build([ours]), torch.optim.Adam([theirs], lr=0.1)
    for scale in (1.0, -2.0, 0.5):
        for weight, optimizer in ((ours, a), (theirs, b)):
            weight.grad = scale * torch.arange(3.0)
            optimizer.step()
    assert torch.allclose(ours, theirs)


@pytest.mark.parametrize("make", [AdamConfig, SgdConfig])
def test_rates_out_of_range_are_refused(make):
    with pytest.raises(ValueError, match="learning_rate"):
        make(learning_rate=0.0)


def test_an_interrupted_write_leaves_the_old_checkpoint(tmp_path):
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, {"step": 1})
    with pytest.raises(Exception, match="pickle"):
        save_checkpoint(path, {"step": lambda: None})
    assert load_checkpoint(path) == {"step": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["checkpoint.pt"]


class Logits(nn.Module):
    def __init__(self, **scores):
        super().__init__()
        self.scores = {task: torch.tensor(values) for task, values in scores.items()}

    def forward(self, images):
        return self.scores


def test_cross_entropy_by_hand_with_an_unknown_label():
    network = Logits(a=[[0.0, math.log(3.0)], [5.0, 0.0]], b=[[0.0, 0.0], [0.0, 0.0]])
    images = torch.zeros(2, 3, 4, 4, dtype=torch.uint8)
    loss = CrossEntropy()(network, images, {"a": torch.tensor([1, -1]), "b": torch.tensor([0, 1])})
    # a: one known label of probability 3/4; b: probability 1/2 twice
    assert loss.total.item() == pytest.approx(math.log(4 / 3) + math.log(2), rel=1e-6)
    assert loss.parts["accuracy/a"].tolist() == [1.0]
    assert loss.parts["accuracy/b"].tolist() == [1.0, 0.0]
    assert loss.parts["loss"].tolist() == pytest.approx([math.log(4 / 3) + math.log(2), math.log(2)])


def test_class_weights_make_a_weighted_mean_as_torch_does():
    scores, codes = [[0.0, 1.0, 2.0], [2.0, 0.0, 1.0], [0.5, 0.5, 0.0]], torch.tensor([2, 1, -1])
    images = torch.zeros(3, 3, 4, 4, dtype=torch.uint8)
    loss = CrossEntropy(class_weights={"a": (1.0, 5.0, 0.5)})(Logits(a=scores), images, {"a": codes})
    expected = nn.functional.cross_entropy(
        torch.tensor(scores), codes, weight=torch.tensor([1.0, 5.0, 0.5]), ignore_index=-1
    )
    torch.testing.assert_close(loss.total, expected)
    assert repr(CrossEntropy()) == "CrossEntropy(label_smoothing=0.0)"  # names of models trained before there were any


def test_a_task_without_labels_is_named():
    with pytest.raises(ValueError, match="no labels of a; they have b"):
        CrossEntropy()(
            Logits(a=[[0.0, 1.0]]), torch.zeros(1, 3, 4, 4, dtype=torch.uint8), {"b": torch.zeros(1, dtype=torch.int64)}
        )


class FixedCodec(nn.Module):
    def forward(self, x):
        likelihoods = {"y": torch.full((len(x), 2, 2, 2), 0.5), "z": torch.full((len(x), 1, 1, 1), 0.25)}
        return {"x_hat": x + 0.1, "likelihoods": likelihoods}


def test_rate_and_distortion_by_hand():
    images = torch.full((2, 3, 4, 4), 102, dtype=torch.uint8)  # .4
    loss = RateDistortion(lam=0.01)(FixedCodec(), images, {})
    assert loss.parts["bpp_y"].tolist() == [8 / 16] * 2
    assert loss.parts["bpp_z"].tolist() == [2 / 16] * 2
    assert loss.parts["bpp"].tolist() == [10 / 16] * 2
    assert loss.total.item() == pytest.approx(0.01 * 255**2 * 0.01 + 10 / 16, rel=1e-5)
    restored = np.full((4, 4, 3), 128, dtype=np.uint8)  # 127.5 rounds to the even 128
    from skimage.metrics import peak_signal_noise_ratio

    expected = peak_signal_noise_ratio(images[0].permute(1, 2, 0).numpy(), restored)
    assert loss.parts["psnr_db"].tolist() == pytest.approx([expected] * 2, rel=1e-5)


def test_the_loss_is_compressais():
    from compressai.losses import RateDistortionLoss
    from compressai.models import ScaleHyperprior

    torch.manual_seed(0)
    network = ScaleHyperprior(8, 12).eval()
    images = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    x = images.float() / 255
    expected = RateDistortionLoss(lmbda=0.0018)(network(x), x)
    ours = RateDistortion(lam=0.0018)(network, images, {})
    assert ours.total.item() == pytest.approx(expected["loss"].item(), rel=1e-5)
    assert ours.parts["bpp"].mean().item() == pytest.approx(expected["bpp_loss"].item(), rel=1e-5)


def test_the_quantiles_have_their_own_optimiser():
    from compressai.models import ScaleHyperprior

    network = ScaleHyperprior(8, 12)
    auxiliary = RateDistortion(lam=0.01).auxiliary_optimizer(network)
    (parameter,) = auxiliary.param_groups[0]["params"]
    assert parameter is network.entropy_bottleneck.quantiles


def test_entropy_models_stay_in_float32_under_autocast():
    from compressai.models import ScaleHyperprior

    torch.manual_seed(0)
    network = ScaleHyperprior(8, 12).eval()
    images = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    seen = []
    network.entropy_bottleneck.register_forward_hook(lambda module, args, out: seen.append(out[1].dtype))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = RateDistortion(lam=0.01)(network, images, {})
    assert seen == [torch.float32]
    assert "forward" not in vars(network.entropy_bottleneck)
    full = RateDistortion(lam=0.01)(network, images, {})
    assert mixed.total.item() == pytest.approx(full.total.item(), rel=0.02)


def test_a_collapse_is_reported():
    objective = RateDistortion(lam=1e-4)
    (concern,) = objective.concerns({"bpp": 0.004, "bpp_y": 0.0, "bpp_z": 0.004})
    assert "collapse" in concern
    assert objective.concerns({"bpp": 0.02}) == []
    with pytest.raises(ValueError, match="lam must be above 0"):
        RateDistortion(lam=0.0)
