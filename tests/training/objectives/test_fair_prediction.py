import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from fairlearn.metrics import demographic_parity_difference, equalized_odds_difference
from sklearn.metrics import accuracy_score, balanced_accuracy_score, jaccard_score, roc_auc_score
from torch import nn

from greycard.losses import LOSSES, DpL2, EoL2, Iou
from greycard.losses.cells import describe_empty
from greycard.training.batches import Examples, training_batches
from greycard.training.loop import LoopConfig, fit
from greycard.training.objectives.cross_entropy import CrossEntropy, two_logits
from greycard.training.objectives.fair_prediction import FairPrediction
from greycard.training.optimizers import AdamConfig

SMILE = FairPrediction(
    target="smile",
    sensitive=("race",),
    groups=(("a", "b", "c"),),
    classes=("no", "yes"),
)


class Given(nn.Module):
    """A network whose logits are parameters: images hold the numbers of their rows."""

    def __init__(self, **logits):
        super().__init__()
        self.logits = nn.ParameterDict({name: nn.Parameter(values.clone()) for name, values in logits.items()})

    def forward(self, images):
        rows = images[:, 0, 0, 0].long()
        return {name: values[rows] for name, values in self.logits.items()}


def rows(count):
    return torch.arange(count, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, 1, 1)


def example(count=60, seed=0):
    generator = torch.Generator().manual_seed(seed)
    labels = {
        "smile": torch.randint(0, 2, (count,), generator=generator),
        "age": torch.randint(0, 3, (count,), generator=generator),
        "race": torch.randint(0, 3, (count,), generator=generator),
    }
    logits = {
        "smile": torch.randn(count, 2, generator=generator),
        "age": torch.randn(count, 3, generator=generator),
    }
    return logits, labels


def test_the_loss_is_the_mean_cross_entropy_over_tasks_plus_lambda_times_the_fairness_loss():
    logits, labels = example()
    fair = DpL2(lam=7.0)
    loss = replace(SMILE, fair=fair)(Given(**logits), rows(60), labels)
    ce = [-torch.log_softmax(logits[task], 1)[range(60), labels[task]].mean() for task in logits]
    q = logits["smile"].softmax(1)
    gaps = [q[labels["race"] == c].mean(0) - q.mean(0) for c in range(3)]
    expected = (ce[0] + ce[1]) / 2 + 7 * sum(gap.square().sum() for gap in gaps)
    assert loss.total.item() == pytest.approx(expected.item(), rel=1e-6)
    assert loss.parts["fair"].mean().item() == pytest.approx(sum(gap.square().sum() for gap in gaps).item(), rel=1e-5)
    assert loss.parts["fair_missing"].tolist() == [0] * 60
    assert loss.tally is None


@pytest.mark.parametrize("kind", sorted(LOSSES))
def test_every_fairness_loss_alone_moves_the_target_and_nothing_else(kind):
    logits, labels = example()
    network = Given(**logits)
    objective = replace(SMILE, fair=LOSSES[kind](lam=1e6))
    objective(network, rows(60), labels).total.backward()
    with_fair = network.logits["smile"].grad.clone(), network.logits["age"].grad.clone()
    network.zero_grad()
    SMILE(network, rows(60), labels).total.backward()
    assert (with_fair[0] - network.logits["smile"].grad).abs().max() > 1e-3
    assert torch.equal(with_fair[1], network.logits["age"].grad)


def test_class_weights_weigh_rows_and_unknown_labels_do_not_count():
    logits, labels = example()
    labels["smile"][:20] = -1
    weighted = replace(SMILE, class_weights={"smile": (0.25, 1.75)})
    got = weighted(Given(smile=logits["smile"]), rows(60), labels).total.item()
    expected = nn.functional.cross_entropy(
        logits["smile"][20:], labels["smile"][20:], weight=torch.tensor([0.25, 1.75])
    )
    assert got == pytest.approx(expected.item(), rel=1e-6)
    with pytest.raises(ValueError, match="must be 2 numbers, got 3"):
        replace(SMILE, class_weights={"smile": (1.0, 1.0, 1.0)})(Given(smile=logits["smile"]), rows(60), labels)


@pytest.mark.parametrize(("mode", "factor"), [("single", 1.0), ("doubled", 2.0)])
def test_a_head_of_one_logit(mode, factor):
    _, labels = example()
    z = torch.linspace(-2, 2, 60).view(-1, 1)
    objective = replace(SMILE, ce_mode=mode, fair=DpL2(lam=1.0))
    loss = objective(Given(smile=z), rows(60), labels)
    p = torch.sigmoid(factor * z[:, 0])
    ce = nn.functional.binary_cross_entropy(p, labels["smile"].float())
    q = torch.sigmoid(z[:, 0])  # the fairness loss sees this in both modes
    fair = 2 * sum((q[labels["race"] == c].mean() - q.mean()) ** 2 for c in range(3))
    assert loss.parts["ce"][0].item() == pytest.approx(ce.item(), rel=1e-5)
    assert loss.parts["fair"][0].item() == pytest.approx(fair.item(), rel=1e-5)
    plain = CrossEntropy()(Given(smile=z), rows(60), labels)
    assert plain.total.item() == pytest.approx(
        nn.functional.binary_cross_entropy(q, labels["smile"].float()).item(), rel=1e-5
    )
    assert torch.equal(two_logits(torch.ones(1, 3), mode), torch.ones(1, 3))


def test_sensitive_attributes_are_crossed_the_first_slowest():
    objective = replace(SMILE, sensitive=("race", "sex"), groups=(("a", "b", "c"), ("f", "m")))
    labels = {"race": torch.tensor([0, 1, 2, -1, 1]), "sex": torch.tensor([1, 0, 1, 0, -1])}
    assert objective.group_codes(labels).tolist() == [1, 2, 5, -1, -1]
    assert objective.group_names == ("a x f", "a x m", "b x f", "b x m", "c x f", "c x m")


def test_empty_cells_are_named_with_counts_before_training():
    labels = {"smile": torch.tensor([0, 0, 1, 1, 0]), "race": torch.tensor([0, 1, 0, 2, 2])}
    told = describe_empty(SMILE.cells(labels), SMILE.classes, SMILE.group_names)
    assert told == "1 of 6 (label, group) cells have no rows: yes, b (of 2 yes and 1 b)"


def validate(logits, labels, objective, batch_size):
    """Validate without training: at a learning rate of nearly 0 the logits stay what they are."""
    network = Given(**logits)
    data = Examples(rows(len(labels["smile"])), labels)
    config = LoopConfig(epochs=1, batch_size=batch_size, optimizer=AdamConfig(learning_rate=1e-30), keep="last")
    return fit(network, objective, data, data, config).history[0]


def test_validation_measures_against_other_libraries():
    logits, labels = example(200)
    found = validate(logits, labels, replace(SMILE, fair=Iou(lam=3.0)), 32)
    y, race = labels["smile"].numpy(), labels["race"].numpy()
    q = logits["smile"].softmax(1).numpy()
    decided = q.argmax(1)
    ious = [jaccard_score(y[race == c], decided[race == c], average="macro") for c in range(3)]
    expected = {
        "accuracy": accuracy_score(y, decided),
        "accuracy_all": (accuracy_score(y, decided) + (logits["age"].argmax(1) == labels["age"]).float().mean()) / 2,
        "balanced_accuracy": balanced_accuracy_score(y, decided),
        "iou": jaccard_score(y, decided, average="macro"),
        "sigma_iou": np.std(ious, ddof=1),
        "dp_difference": demographic_parity_difference(y, decided, sensitive_features=race),
        "eo_difference": equalized_odds_difference(y, decided, sensitive_features=race),
        "auc": roc_auc_score(y, q[:, 1]),
    }
    for name, value in expected.items():
        assert found[f"val/{name}"] == pytest.approx(float(value), abs=1e-6), name
    assert found["val/loss"] == pytest.approx(found["val/ce"] + 3 * found["val/fair"], rel=1e-9)
    assert {"val/ece", "val/fair_missing", "train/fair", "train/fair_missing", "train/ce"} <= found.keys()


def test_validation_does_not_depend_on_the_batches():
    logits, labels = example(201)
    labels["race"][::7] = -1
    labels["age"][::5] = -1
    objective = replace(SMILE, fair=EoL2(lam=2.0), class_weights={"smile": (0.5, 1.5)})
    one, many = (validate(logits, labels, objective, size) for size in (201, 13))
    for name, value in one.items():
        if name.startswith("val/"):
            assert many[name] == pytest.approx(value, rel=1e-6), name
    assert one["val/fair_missing"] == 0


def test_a_split_without_groups_or_with_numbers_that_are_none():
    logits, labels = example(20)
    labels["race"][:] = -1
    found = validate(logits, labels, SMILE, 20)
    assert math.isnan(found["val/sigma_iou"])
    assert math.isfinite(found["val/loss"])
    _, labels = example(20)
    broken = {"smile": torch.full((20, 2), float("nan"))}
    loss = replace(SMILE, fair=DpL2())(Given(**broken).eval(), rows(20), labels)
    assert all(math.isnan(value) for name, value in loss.tally.finish().items() if name != "accuracy_all")


def test_an_empty_cell_is_refused_in_training_and_counted_in_validation():
    logits, labels = example()
    labels["race"][:] = 0
    objective = replace(SMILE, fair=EoL2(empty="error"))
    with pytest.raises(ValueError, match="no rows for"):
        objective(Given(**logits), rows(60), labels)
    assert objective(Given(**logits).eval(), rows(60), labels).parts["fair_missing"][0] == 4


def test_unknown_names_list_near_matches():
    logits, labels = example()
    with pytest.raises(ValueError, match="'smiel'; did you mean 'smile'"):
        replace(SMILE, target="smiel")(Given(**logits), rows(60), labels)
    with pytest.raises(ValueError, match=r"no labels of rase: .*did you mean 'race'"):
        replace(SMILE, sensitive=("rase",))(Given(**logits), rows(60), labels)
    with pytest.raises(ValueError, match="3 classes, its head 2"):
        replace(SMILE, classes=("no", "a bit", "yes"))(Given(**logits), rows(60), labels)
    with pytest.raises(ValueError, match="ce_mode"):
        replace(SMILE, ce_mode="dubled")
    with pytest.raises(ValueError, match="class set for each"):
        replace(SMILE, sensitive=("race", "sex"))


def test_a_constant_predictor_is_a_concern():
    _, labels = example(200)
    constant = {"smile": torch.tensor([[1.0, 0.0]]).expand(200, 2)}
    found = validate(constant, labels, replace(SMILE, fair=DpL2(lam=1000.0)), 50)
    metrics = {name.removeprefix("val/"): value for name, value in found.items()}
    (concern,) = SMILE.concerns(metrics)
    assert "no better than by a constant" in concern
    assert SMILE.concerns({"balanced_accuracy": 0.8}) == []


def test_stratified_batches_hold_every_cell_in_its_share():
    labels = {"smile": torch.tensor([0] * 900 + [1] * 100), "race": torch.tensor([0] * 500 + [1] * 480 + [2] * 20)}
    data = Examples(torch.zeros(1000, 3, 1, 1, dtype=torch.uint8), labels | {"number": torch.arange(1000)})
    for epoch in (0, 1):
        seen = []
        for batch in training_batches(data, batch_size=100, seed=0, epoch=epoch, stratify=("smile", "race")):
            cells = torch.bincount(batch.labels["smile"] * 3 + batch.labels["race"], minlength=6)
            assert ((cells - torch.tensor([50, 40, 0, 0, 8, 2])).abs() <= 1).all()
            seen += batch.labels["number"].tolist()
        assert sorted(seen) == list(range(1000))
    first, second = (
        [
            b.labels["number"].tolist()
            for b in training_batches(data, batch_size=100, seed=s, epoch=0, stratify=["race"])
        ]
        for s in (0, 1)
    )
    assert first != second
    with pytest.raises(ValueError, match="did you mean 'race'"):
        next(training_batches(data, batch_size=100, seed=0, epoch=0, stratify=("rase",)))
