"""Share losses: by hand, by finite differences, against the published weights and the noise floors measured before."""

import numpy as np
import pytest
import torch

from greycard.losses.shares import ShareLossConfig, estimated, importance_weights, noise_floor, share_weights

LONG_TAIL = np.array([5000, 3871, 2997, 2320, 1796, 1391, 1077, 834, 645, 500])
EVEN = torch.full((3,), 1 / 3, dtype=torch.float64)


def logits_of(codes, scale=2.0, classes=3):
    return scale * torch.nn.functional.one_hot(torch.tensor(codes), classes).double()


def test_value_by_hand():
    config = ShareLossConfig(memory=0.0, weights="none", weight=2.0)
    term = config.build(EVEN)(logits_of([0, 0, 0, 1]))  # shares .75, .25, 0
    assert term.value.item() == pytest.approx((1 / 3 - 0.25) + 1 / 3)
    assert term.weighted.item() == pytest.approx(2 * term.value.item())
    assert term.shares.tolist() == [0.75, 0.25, 0.0]


@pytest.mark.parametrize("estimator", ["hard", "straight_through"])
def test_printed_value_is_a_count(estimator):
    torch.manual_seed(0)
    logits = torch.randn(50, 3).double()
    counts = np.bincount(logits.argmax(1).numpy(), minlength=3) / 50
    term = ShareLossConfig(estimator=estimator, memory=0.0, weights="none").build(EVEN)(logits)
    assert term.value.item() == pytest.approx(np.clip(1 / 3 - counts, 0, None).sum())


def test_hard_has_no_gradient():
    logits = torch.randn(8, 3, requires_grad=True)
    term = ShareLossConfig(estimator="hard").build(EVEN)(logits)
    assert not term.value.requires_grad


@pytest.mark.parametrize("memory", [0.0, 0.9])
def test_gradient_of_soft_by_finite_differences(memory):
    torch.manual_seed(1)
    logits = torch.randn(6, 3, dtype=torch.float64, requires_grad=True)
    config = ShareLossConfig(estimator="soft", memory=0.0, weights="inverse")
    shares = torch.tensor([0.6, 0.3, 0.1], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: config.build(shares)(x).value, (logits,))
    if memory:  # the memory moves the value, never the batch's own slope where the same classes are short
        remembered = ShareLossConfig(estimator="soft", memory=memory).build(shares)
        (slope,) = torch.autograd.grad(remembered(logits).value, logits)
        short = (remembered.averaged < 1 / 3).double() * remembered.lambdas
        (expected,) = torch.autograd.grad(-(short * logits.softmax(1).mean(0)).sum(), logits)
        torch.testing.assert_close(slope, expected)


def test_straight_through_has_the_slope_of_soft_where_the_same_classes_are_short():
    logits = torch.tensor([[3.0, 0.0, 0.0], [2.0, 1.0, 0.0], [1.0, 0.9, 0.0]], dtype=torch.float64, requires_grad=True)
    slopes = []
    for estimator in ("soft", "straight_through"):
        term = ShareLossConfig(estimator=estimator, memory=0.0, weights="none").build(EVEN)(logits)
        slopes.append(torch.autograd.grad(term.value, logits)[0])
    torch.testing.assert_close(slopes[0], slopes[1])
    assert slopes[1].norm() > 0


def test_gumbel_is_one_hot_with_a_gradient():
    torch.manual_seed(0)
    logits = torch.randn(20_000, 3, dtype=torch.float64)[:1].expand(20_000, 3).clone().requires_grad_()
    sampled = estimated(logits, ShareLossConfig(estimator="gumbel"))
    assert set(sampled.detach().unique().tolist()) == {0.0, 1.0}
    np.testing.assert_allclose(sampled.mean(0).detach(), logits[0].softmax(0).detach(), atol=0.015)
    assert torch.autograd.grad(sampled[:, 0].sum(), logits)[0].norm() > 0


def test_gradient_of_gumbel_is_that_of_the_relaxed_sample_by_finite_differences():
    torch.manual_seed(2)
    logits = torch.randn(6, 3, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(6, 3, dtype=torch.float64)
    config = ShareLossConfig(estimator="gumbel")
    torch.manual_seed(3)
    (found,) = torch.autograd.grad((estimated(logits, config) * weights).sum(), logits)
    torch.manual_seed(3)
    noise = -torch.empty_like(logits).exponential_().log()

    def relaxed(x):
        return (((x + noise) / config.temperature).softmax(dim=1) * weights).sum().item()

    steps = 1e-6 * torch.eye(18, dtype=torch.float64).view(18, 6, 3)
    slopes = [(relaxed(logits.detach() + step) - relaxed(logits.detach() - step)) / 2e-6 for step in steps]
    np.testing.assert_allclose(found.flatten(), slopes, atol=1e-8)


def test_gradient_reaches_the_latents_of_a_linear_generator():
    """Images A z + b that a linear classifier C reads: the slope of soft shares by hand, through both matrices."""
    torch.manual_seed(4)
    matrix, offset, reader = (torch.randn(*shape, dtype=torch.float64) for shape in ((5, 4), (5,), (3, 5)))
    z = torch.randn(7, 4, dtype=torch.float64, requires_grad=True)

    def value(latents):
        config = ShareLossConfig(estimator="soft", memory=0.0, weights="none")
        return config.build(EVEN)((latents @ matrix.T + offset) @ reader.T).value

    assert torch.autograd.gradcheck(value, (z,))
    (slope,) = torch.autograd.grad(value(z), z)
    p = ((z @ matrix.T + offset) @ reader.T).softmax(dim=1).detach()
    short = (p.mean(dim=0) < 1 / 3).double()
    by_hand = -(p * (short - (p @ short)[:, None])) @ reader @ matrix / 7
    torch.testing.assert_close(slope, by_hand)


def test_weights_of_the_long_tail_are_the_published_ones():
    shares = torch.tensor(LONG_TAIL / LONG_TAIL.sum())
    published = [0.40862, 0.5278, 0.68172, 0.88065, 1.13758, 1.4688, 1.89703, 2.44976, 3.1676, 4.0862]
    np.testing.assert_allclose(share_weights(shares, ShareLossConfig()), published, rtol=1e-4)
    assert share_weights(shares, ShareLossConfig(clip=2.0)).max() == 2.0
    assert share_weights(shares, ShareLossConfig(normalise=True)).mean().item() == pytest.approx(1.0)
    complement = share_weights(shares, ShareLossConfig(weights="complement"))
    np.testing.assert_allclose(complement, (1 - LONG_TAIL / LONG_TAIL.sum()) / 9)


def test_an_absent_class_gets_the_largest_weight():
    assert share_weights(torch.tensor([1.0, 0.0]), ShareLossConfig(clip=7.0)).tolist() == [0.5, 7.0]


@pytest.mark.parametrize(
    ("classes", "images", "expected"),
    [(10, 4, 0.657), (10, 16, 0.309), (10, 64, 0.151), (10, 256, 0.075), (6, 32, 0.159), (6, 256, 0.056)],
)
def test_noise_floor(classes, images, expected):
    assert noise_floor(classes, images) == pytest.approx(expected, abs=0.003)


def test_memory_and_moving_weights():
    loss = ShareLossConfig(estimator="hard", memory=0.75, update="ema").build(EVEN)
    term = loss(logits_of([0, 0, 0, 0]))
    np.testing.assert_allclose(term.averaged, 0.75 / 3 + 0.25 * np.array([1, 0, 0]))
    np.testing.assert_allclose(loss.lambdas, 1 / 3 / term.averaged.numpy())
    loss.eval()
    loss(logits_of([1, 1]))
    np.testing.assert_allclose(loss.averaged, term.averaged)
    again = ShareLossConfig(memory=0.75).build(EVEN)
    again.load_state_dict(loss.state_dict())
    assert torch.equal(again.lambdas, loss.lambdas)


def test_parts_of_a_logical_batch_add_up():
    torch.manual_seed(2)
    config = ShareLossConfig(memory=0.0)
    logits = torch.randn(12, 3, dtype=torch.float64)
    whole = config.build(EVEN)(logits)
    rest = torch.nn.functional.one_hot(logits[4:].argmax(1), 3).double().sum(0)
    part = config.build(EVEN)(logits[:4], total=rest, count=8)
    torch.testing.assert_close(part.value, whole.value)


def test_importance_weights_by_hand():
    shares = torch.tensor([0.75, 0.25])
    weights = importance_weights(torch.tensor([0, 0, 0, 1, -1]), shares)
    np.testing.assert_allclose(weights, [2 / 3, 2 / 3, 2 / 3, 2.0, 1.0])
    assert weights[:4].mean().item() == pytest.approx(1.0)
    with pytest.raises(ValueError, match=r"classes \[1\]"):
        importance_weights(torch.tensor([1]), torch.tensor([1.0, 0.0]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"estimator": "straight"}, "did you mean 'straight_through'"),
        ({"weight": -1.0}, "0 or above"),
        ({"memory": 1.0}, r"in \[0, 1\)"),
        ({"update": "ema", "memory": 0.0}, "needs shares.memory"),
    ],
)
def test_impossible_configs_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        ShareLossConfig(**changes)


def test_shares_must_be_shares():
    with pytest.raises(ValueError, match="sum to 1"):
        ShareLossConfig().build(torch.tensor([0.5, 0.6]))
