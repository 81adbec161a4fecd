import numpy as np
import pytest
import torch
from torch import Tensor

from greycard.losses import LOSSES, JointTable
from greycard.losses.joint_table import class_probabilities


def rows(count: int = 60, classes: int = 4, groups: int = 6) -> tuple[Tensor, Tensor, Tensor]:
    random = np.random.default_rng(0)
    probabilities = torch.from_numpy(random.dirichlet(np.ones(classes), count))
    labels = torch.from_numpy(random.integers(-1, classes, count))
    return probabilities, labels, torch.from_numpy(random.integers(-1, groups, count))


def test_equals_a_loop_over_rows_without_the_unknown() -> None:
    probabilities, labels, groups = rows()
    expected, counted = np.zeros((4, 4, 6)), 0
    for q, b, c in zip(probabilities.numpy(), labels.tolist(), groups.tolist(), strict=True):
        if b >= 0 and c >= 0:
            expected[:, b, c] += q
            counted += 1
    table = JointTable.zero(4, 6).add(probabilities, labels, groups)
    np.testing.assert_allclose(table.finish().numpy(), expected / counted, rtol=1e-12)
    assert table.counts.sum().item() == counted
    np.testing.assert_allclose(table.finish().sum().item(), 1)


@pytest.mark.parametrize("parts", [2, 5, 59])
@pytest.mark.parametrize("kind", LOSSES)
def test_any_split_merges_to_the_same_value(parts: int, kind: str) -> None:
    data = rows()
    whole = JointTable.zero(4, 6).add(*data)
    cuts = np.sort(np.random.default_rng(parts).choice(np.arange(1, 60), parts - 1, replace=False))
    shuffled = [column[torch.from_numpy(np.random.default_rng(1).permutation(60))] for column in data]
    merged = JointTable.zero(4, 6)
    for q, b, c in zip(*(column.tensor_split(cuts.tolist()) for column in shuffled), strict=True):
        merged = JointTable.zero(4, 6).add(q, b, c).merge(merged)
    torch.testing.assert_close(merged.counts, whole.counts, rtol=0, atol=0)
    torch.testing.assert_close(merged.sums, whole.sums, rtol=1e-13, atol=1e-13)
    loss = LOSSES[kind]()
    assert loss(merged).value.item() == pytest.approx(loss(whole).value.item(), rel=1e-11)


@pytest.mark.parametrize("kind", LOSSES)
def test_gradients_of_workers_add_up_to_that_of_all_rows(kind: str) -> None:
    probabilities, labels, groups = rows()
    loss, halves = LOSSES[kind](), [slice(0, 25), slice(25, 60)]
    everything = probabilities.clone().requires_grad_()
    (expected,) = torch.autograd.grad(loss(JointTable.zero(4, 6).add(everything, labels, groups)).value, everything)
    for mine, others in (halves, halves[::-1]):
        q = probabilities[mine].clone().requires_grad_()
        theirs = JointTable.zero(4, 6).add(probabilities[others], labels[others], groups[others])
        table = JointTable.zero(4, 6).add(q, labels[mine], groups[mine]).merge(theirs.detach())
        (found,) = torch.autograd.grad(loss(table).value, q)
        torch.testing.assert_close(found, expected[mine])


def test_crossed_groups_are_those_of_the_metrics() -> None:
    """The caller crosses; the first attribute varies slowest."""
    from greycard.metrics.by_group import Groups, cross

    probabilities, labels, _ = rows()
    race, gender = np.arange(60) % 3, np.arange(60) // 3 % 2
    both = cross([Groups("race", ("a", "b", "c"), race), Groups("gender", ("f", "m"), gender)])
    labels = labels.clamp(min=0)
    crossed = JointTable.zero(4, 6).add(probabilities, labels, torch.from_numpy(both.codes))
    alone = JointTable.zero(4, 3).add(probabilities, labels, torch.from_numpy(race))
    torch.testing.assert_close(crossed.sums.view(4, 4, 3, 2).sum(dim=3), alone.sums)


def test_a_head_of_one_logit_is_a_sigmoid() -> None:
    """Facts measured on the published code: its cross-entropy sees 0.881 for z = 1 where this is 0.731."""
    for z in (torch.tensor([1.0]), torch.tensor([[1.0]])):
        assert class_probabilities(z)[0, 1].item() == pytest.approx(1 / (1 + np.exp(-1)), rel=1e-6)


@pytest.mark.parametrize(
    ("columns", "match"),
    [
        ((torch.rand(3, 3), torch.zeros(3, dtype=int), torch.zeros(3, dtype=int)), r"must be \(N, 4\), got \(3, 3\)"),
        (
            (torch.rand(3, 4), torch.tensor([0, 4, 1]), torch.zeros(3, dtype=int)),
            r"labels must be codes -1..3, got 0..4",
        ),
        ((torch.rand(3, 4), torch.tensor([0, 1, 1]), torch.tensor([-2, 0, 0])), r"groups must be codes -1..5, got -2"),
        ((torch.rand(3, 4), torch.zeros(3), torch.zeros(3, dtype=int)), "integer codes, got torch.float32"),
        ((torch.rand(3, 4), torch.zeros(2, dtype=int), torch.zeros(3, dtype=int)), r"labels must be \(3,\)"),
    ],
)
def test_refuses_rows_that_do_not_fit(columns: tuple[Tensor, Tensor, Tensor], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        JointTable.zero(4, 6).add(*columns)


def test_refuses_tables_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="2 classes and 1 group"):
        JointTable.zero(1, 3)
    with pytest.raises(ValueError, match="do not merge"):
        JointTable.zero(2, 3).merge(JointTable.zero(2, 2))
    with pytest.raises(ValueError, match="logits must be"):
        class_probabilities(torch.zeros(2, 2, 2))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_rows_probabilities_do_not_depend_on_its_place_in_the_batch(dtype):
    logits = torch.linspace(-30, 30, 1001, dtype=dtype)[:, None]
    whole = class_probabilities(logits)
    for rows in (1, 2, 3, 7):
        assert torch.equal(torch.cat([class_probabilities(part) for part in logits.split(rows)]), whole)
    assert torch.allclose(whole[:, 1], torch.sigmoid(logits[:, 0]))
