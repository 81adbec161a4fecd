"""The six losses against hand-made tables, SciPy's entropies, scikit-learn and finite differences."""

from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import pytest
import torch
from scipy.stats import entropy
from torch import Tensor

from greycard.config import ConfigError, from_dict, override
from greycard.losses import LOSSES, DpL2, DpMi, EoL2, EoMi, FairLossConfig, Iou, IouPaired, JointTable
from greycard.losses.cells import describe_empty


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A config with a loss in it."""

    fair: FairLossConfig = field(default_factory=DpL2)


names = pytest.mark.parametrize("kind", LOSSES)

# 24 rows, [prediction, label, group]: 8 rows with label 0 and 4 with label 1 in each of two groups
HAND = torch.tensor([[[6.0, 4.0], [1.0, 2.0]], [[2.0, 4.0], [3.0, 2.0]]], dtype=torch.float64)


def random_rows(rows: int = 40, classes: int = 3, groups: int = 3, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    logits = torch.randn(rows, classes, generator=random, dtype=torch.float64)
    labels = torch.arange(rows) % classes
    return logits, labels, (torch.arange(rows) // classes) % groups


def table_of(logits: Tensor, labels: Tensor, groups: Tensor, classes: int = 3, num_groups: int = 3) -> JointTable:
    return JointTable.zero(classes, num_groups).add_logits(logits, labels, groups)


def by_hand() -> dict[str, Fraction]:
    """The hand table's losses in exact fractions.

    Class 0 is predicted for 7 of 12 and 6 of 12: 13 of 24 in all, so each group is off by 1/24, in both classes.
    Given label 0: 6/8 and 4/8 (all: 5/8); given label 1: 1/4 and 2/4 (all: 3/8): 1/8 off, in 2 classes x 2 x 2.
    IoU of class 0: 6/9, 4/10, all 10/19; of class 1: 3/6, 2/8, all 5/14.
    """
    first = (Fraction(6, 9) + Fraction(3, 6)) / 2
    second = (Fraction(4, 10) + Fraction(2, 8)) / 2
    everyone = (Fraction(10, 19) + Fraction(5, 14)) / 2
    return {
        "dp_l2": 4 * Fraction(1, 24) ** 2,
        "eo_l2": 8 * Fraction(1, 8) ** 2,
        "iou": (first - everyone) ** 2 + (second - everyone) ** 2,
        "iou_paired": (first - second) ** 2,
    }


@pytest.mark.parametrize("kind", ["dp_l2", "eo_l2", "iou", "iou_paired"])
def test_equals_the_hand_made_table(kind: str) -> None:
    found = LOSSES[kind]()(JointTable.of(HAND))
    assert found.value.item() == pytest.approx(float(by_hand()[kind]), rel=1e-12)
    assert found.missing.item() == 0


def test_mutual_informations_equal_scipys_entropies() -> None:
    logits, labels, groups = random_rows()
    table = table_of(logits, labels, groups)
    J = table.finish().numpy()
    marginal = J.sum(axis=1)
    expected = entropy(marginal.sum(axis=1)) + entropy(marginal.sum(axis=0)) - entropy(marginal.ravel())
    assert DpMi()(table).value.item() == pytest.approx(expected, rel=1e-10)

    def given(b: int) -> float:
        return float(entropy(J[:, b].sum(axis=1)) + entropy(J[:, b].sum(axis=0)) - entropy(J[:, b].ravel()))

    shares = J.sum(axis=(0, 2))
    assert EoMi()(table).value.item() == pytest.approx(sum(given(b) for b in range(3)), rel=1e-10)
    weighted = EoMi(weighting="prevalence")(table).value.item()
    assert weighted == pytest.approx(sum(shares[b] * given(b) for b in range(3)), rel=1e-10)


def test_mutual_information_of_hard_decisions_equals_scikit_learns() -> None:
    from sklearn.metrics import mutual_info_score

    logits, labels, groups = random_rows(200)
    decided = logits.argmax(dim=1)
    hard = torch.nn.functional.one_hot(decided, 3).double()
    found = DpMi()(JointTable.zero(3, 3).add(hard, labels, groups))
    assert found.value.item() == pytest.approx(mutual_info_score(decided, groups), rel=1e-9)


def test_iou_mean_is_the_sum_over_the_number_of_groups() -> None:
    table = table_of(*random_rows())
    assert Iou(reduction="mean")(table).value.item() == pytest.approx(Iou()(table).value.item() / 3, rel=1e-12)


def test_iou_of_decisions_equals_scikit_learns() -> None:
    from sklearn.metrics import jaccard_score

    logits, labels, groups = random_rows(200)
    decided = logits.argmax(dim=1)
    table = JointTable.zero(3, 3).add(torch.nn.functional.one_hot(decided, 3).double(), labels, groups)
    each = [jaccard_score(labels[groups == c], decided[groups == c], average="macro") for c in range(3)]
    overall = jaccard_score(labels, decided, average="macro")
    assert Iou()(table).value.item() == pytest.approx(sum((x - overall) ** 2 for x in each), rel=1e-10)
    pairs = [(each[0] - each[1]) ** 2, (each[0] - each[2]) ** 2, (each[1] - each[2]) ** 2]
    assert IouPaired()(table).value.item() == pytest.approx(np.mean(pairs), rel=1e-10)


@names
@pytest.mark.parametrize("empty", ["skip", "zero_batch"])
def test_gradients_equal_finite_differences(kind: str, empty: str) -> None:
    logits, labels, groups = random_rows(18)
    loss = LOSSES[kind](empty=empty)
    assert torch.autograd.gradcheck(
        lambda z: loss(table_of(z, labels, groups)).value, (logits.requires_grad_(),), atol=1e-7
    )


@names
def test_gradients_with_missing_cells_equal_finite_differences(kind: str) -> None:
    logits, labels, groups = random_rows(12)
    keep = ~((labels == 0) & (groups == 1))  # one cell is missing, and a fourth group
    logits, labels, groups = logits[keep].requires_grad_(), labels[keep], groups[keep]
    loss = LOSSES[kind]()
    assert torch.autograd.gradcheck(
        lambda z: loss(table_of(z, labels, groups, num_groups=4)).value, (logits,), atol=1e-7
    )


@names
def test_gradients_of_a_single_logit_head_equal_finite_differences(kind: str) -> None:
    z = torch.linspace(-2, 2, 12, dtype=torch.float64, requires_grad=True)
    labels, groups = torch.arange(12) % 2, torch.arange(12) // 2 % 3
    assert torch.autograd.gradcheck(lambda z: LOSSES[kind]()(table_of(z, labels, groups, 2)).value, (z,), atol=1e-7)


@names
def test_the_loss_alone_has_a_gradient(kind: str) -> None:
    head = torch.nn.Linear(3, 3)
    inputs, labels, groups = random_rows()
    loss = LOSSES[kind](lam=150.0)(table_of(head(inputs.float()), labels, groups))
    loss.weighted.backward()
    assert head.weight.grad is not None
    assert head.weight.grad.norm() > 0
    assert loss.weighted.item() == pytest.approx(150 * loss.value.item())


@names
def test_saturated_probabilities_and_empty_cells_give_finite_gradients(kind: str) -> None:
    """The published IoU is 0/0 here."""
    logits = torch.tensor([[900.0, -900.0, -900.0], [-900.0, 900.0, -900.0]] * 3, requires_grad=True)
    labels, groups = torch.tensor([0, 1] * 3), torch.tensor([0, 0, 1, 1, 0, 1])
    for empty in ("skip", "zero_batch"):
        found = LOSSES[kind](empty=empty)(table_of(logits, labels, groups))
        (gradient,) = torch.autograd.grad(found.value, logits)
        assert torch.isfinite(found.value)
        assert torch.isfinite(gradient).all()


@names
def test_half_precision_logits_give_the_same_loss(kind: str) -> None:
    logits, labels, groups = random_rows()
    half = logits.to(torch.bfloat16)
    found, expected = (LOSSES[kind]()(table_of(z, labels, groups)).value for z in (half, half.double()))
    assert found.item() == pytest.approx(expected.item(), rel=1e-4)


@pytest.mark.parametrize("correlated", [True, False])
def test_a_perfect_classifier_has_equal_odds_and_overlap_but_not_parity(correlated: bool) -> None:
    """Section 3, eq. 15-16; parity holds too only where label and group are unrelated."""
    cells = [[30.0, 10.0], [10.0, 30.0]] if correlated else [[20.0, 20.0], [20.0, 20.0]]
    J = torch.diag_embed(torch.tensor(cells).T).permute(1, 2, 0)  # all mass at prediction = label
    value = {kind: loss()(JointTable.of(J)).value.item() for kind, loss in LOSSES.items()}
    for kind in ("eo_l2", "eo_mi", "iou", "iou_paired"):
        assert value[kind] == pytest.approx(0, abs=1e-14)
    if correlated:
        assert value["dp_l2"] == pytest.approx(0.25)  # 3/4 and 1/4 against 1/2, two classes and two groups
        assert value["dp_mi"] == pytest.approx(0.75 * np.log(1.5) + 0.25 * np.log(0.5))
    else:
        assert [value["dp_l2"], value["dp_mi"]] == pytest.approx([0, 0], abs=1e-14)


@names
def test_predictions_that_ignore_the_input_are_fair(kind: str) -> None:
    _, labels, groups = random_rows(27)
    always = torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64).expand(27, 3)
    found = LOSSES[kind]()(JointTable.zero(3, 3).add(always, labels, groups))
    assert found.value.item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("kind", ["dp_l2", "dp_mi"])
def test_squeezing_scales_parity_by_its_square(kind: str) -> None:
    """Eq. 18: gaps shrink by α, so the squared difference by α²; mutual information nearly so."""
    logits, labels, groups = random_rows()
    q = logits.softmax(dim=1)
    values = [
        LOSSES[kind]()(JointTable.zero(3, 3).add(alpha * q + (1 - alpha) / 3, labels, groups)).value.item()
        for alpha in (1.0, 0.1)
    ]
    assert values[1] / values[0] == pytest.approx(0.01, rel=1e-9 if kind == "dp_l2" else 0.3)


def test_squeezing_drives_the_overlap_loss_to_zero() -> None:
    logits, labels, groups = random_rows()
    q = logits.softmax(dim=1)
    values = []
    for alpha in (1.0, 0.3, 0.1, 0.01):
        squeezed = alpha * q + (1 - alpha) / 3
        assert torch.equal(squeezed.argmax(dim=1), q.argmax(dim=1))
        values.append(Iou()(JointTable.zero(3, 3).add(squeezed, labels, groups)).value.item())
    assert values == sorted(values, reverse=True)
    assert values[-1] < 1e-3 * values[0]


class TestEmptyCells:
    """Two labels, three groups; group 2 is absent and group 1 has no row of label 1."""

    def table(self) -> JointTable:
        probabilities = torch.tensor([[0.9, 0.1], [0.4, 0.6], [0.7, 0.3]], dtype=torch.float64, requires_grad=True)
        return JointTable.zero(2, 3).add(probabilities, torch.tensor([0, 1, 0]), torch.tensor([0, 0, 1]))

    def test_skip_counts_and_leaves_out_what_is_missing(self) -> None:
        table = self.table()
        assert DpL2()(table).missing.item() == 1
        assert EoL2()(table).missing.item() == 3
        q = [0.65, 0.7]
        overall = 2 / 3
        assert DpL2()(table).value.item() == pytest.approx(2 * sum((x - overall) ** 2 for x in q))
        assert EoL2()(table).value.item() == pytest.approx(2 * 2 * 0.1**2)  # label 0: 0.9 and 0.7 around 0.8
        overlap = [0.9 / (1 + 0.4), 0.7 / 1.0]
        everyone = 1.6 / (2 + 0.4)
        # class 1 is compared in group 0 only, where its overlap is 0.6 / 1.1; everyone's is 0.6 / 1.4
        first = ((overlap[0] - everyone) + (0.6 / 1.1 - 0.6 / 1.4)) / 2
        expected = first**2 + (overlap[1] - everyone) ** 2
        assert Iou()(table).value.item() == pytest.approx(expected)
        assert Iou(reduction="mean")(table).value.item() == pytest.approx(expected / 2)
        assert IouPaired()(table).value.item() == pytest.approx((overlap[0] - overlap[1]) ** 2)

    @names
    def test_zero_batch_is_the_published_code(self, kind: str) -> None:
        table = self.table()
        found = LOSSES[kind](empty="zero_batch")(table)
        assert (found.value.item() == 0) == (kind in ("dp_l2", "eo_l2", "iou", "iou_paired"))
        found.value.backward()  # a step of plain cross-entropy, not an error

    def test_zero_batch_counts_an_absent_class_as_no_overlap(self) -> None:
        """Group 1 predicts class 1 a little and has none of it: 0 / 0.3."""
        table = JointTable(self.table().sums[..., :2], self.table().counts[..., :2])
        everyone = [1.6 / 2.4, 0.6 / 1.4]
        gaps = [(0.9 / 1.4 + 0.6 / 1.1 - sum(everyone)) / 2, (0.7 + 0 - sum(everyone)) / 2]
        found = Iou(empty="zero_batch", reduction="mean")(table)
        assert found.value.item() == pytest.approx(np.mean(np.square(gaps)))
        assert found.missing.item() == 1

    @names
    def test_error_names_the_cells(self, kind: str) -> None:
        with pytest.raises(ValueError, match=f"{kind}: no rows for .*group 2.*fair.empty=skip"):
            LOSSES[kind](empty="error")(self.table())

    @names
    def test_no_rows_at_all_is_zero(self, kind: str) -> None:
        found = LOSSES[kind]()(JointTable.zero(2, 3))
        assert found.value.item() == 0
        assert found.missing.item() == (3 if kind.startswith("dp") else 6)

    def test_empty_cells_are_said_with_counts(self) -> None:
        said = describe_empty(self.table(), ("no", "yes"), ("x", "y", "z"))
        assert said.startswith("3 of 6 (label, group) cells have no rows: no, z (of 2 no and 0 z);")
        assert describe_empty(JointTable.of(HAND), ("no", "yes"), ("x", "y")) == ""


class TestConfigs:
    @names
    @pytest.mark.parametrize("lam", [-0.1, float("nan"), float("inf")])
    def test_refuses_lambda_outside_its_domain(self, kind: str, lam: float) -> None:
        with pytest.raises(ValueError, match=r"fair.lam must be 0 or above"):
            LOSSES[kind](lam=lam)

    @names
    def test_reads_from_plain_values(self, kind: str) -> None:
        assert from_dict(LOSSES[kind], {"kind": kind, "lam": 3}) == LOSSES[kind](lam=3.0).build()

    @pytest.mark.parametrize(
        ("make", "match"),
        [
            (lambda: DpL2(empty="zero_bach"), "unknown fair.empty 'zero_bach'; did you mean 'zero_batch'"),
            (lambda: Iou(reduction="avg"), "unknown fair.reduction"),
            (lambda: EoMi(weighting="uniforn"), "did you mean 'uniform'"),
            (lambda: from_dict(Iou, {"kind": "iou", "reductoin": "sum"}), "did you mean 'reduction'"),
        ],
    )
    def test_names_near_matches(self, make, match: str) -> None:
        with pytest.raises((ValueError, ConfigError), match=match):
            make()

    @names
    def test_is_a_field_of_a_larger_config(self, kind: str) -> None:
        values = {"fair": {"kind": kind, "lam": 150}}
        assert from_dict(Phase, values) == Phase(fair=LOSSES[kind](lam=150.0))
        assert override(Phase(), [f"fair.kind={kind}", "fair.lam=7"]).fair == LOSSES[kind](lam=7.0)

    def test_a_larger_config_refuses_unknown_kinds_and_negative_lambda(self) -> None:
        with pytest.raises(ConfigError, match=r"fair.kind: unknown kind 'eo_l3'; did you mean 'eo_l2'"):
            from_dict(Phase, {"fair": {"kind": "eo_l3"}})
        with pytest.raises(ConfigError, match=r"fair.lam must be 0 or above"):
            override(Phase(), ["fair.lam=-1"])
