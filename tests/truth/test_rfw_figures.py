"""The figures that follow from RFW's label counts alone, through the whole of findings: 40,607 labels, no images."""

import numpy as np
import pytest

from greycard import schema
from greycard.metrics.restoration.findings import Findings, FindingsConfig, summarise
from greycard.metrics.restoration.phenotypes import TopK, merged_chance, merged_classes
from tests.truth.planted import ATTRIBUTES, RFW_COUNTS, Images, audit_table, draw_labels, predictions

RACES = schema.RACE.classes
# class predicted everywhere -> merged accuracy of African, Asian, Caucasian, Indian, and the bias
CONSTANTS = {
    ("hair_type", "wavy"): ((0.996, 0.994, 0.968, 0.972), 0.029),
    ("hair_type", "bald"): ((0.996, 0.994, 0.968, 0.972), 0.029),
    ("hair_color", "black"): ((0.993, 0.960, 0.811, 0.991), 0.181),
    ("skin_type", "type4"): ((0.999, 0.994, 0.979, 0.988), 0.020),  # under the top 3, not the 5 % rule
}


def whole_of_rfw(task: str, constant: str) -> Findings:
    """Audit a classifier that says the same of every image of RFW."""
    counts = RFW_COUNTS[task]
    race = np.repeat(np.arange(4), counts.sum(axis=1))
    labels = np.concatenate([np.repeat(np.arange(counts.shape[1]), row) for row in counts])
    code = ATTRIBUTES[task].index(constant)
    faces = Images(race, np.arange(len(race)), {task: labels})
    table = audit_table(faces, "raw", 0.0, {task: np.full((len(race), 1), code)})
    rules = {"skin_type": TopK(k=3), "hair_type": TopK(k=3), "hair_color": TopK(k=3)}
    return summarise(table, ATTRIBUTES, FindingsConfig(resamples=0, permutations=0, rules=rules))


@pytest.mark.parametrize(("task", "constant"), CONSTANTS)
def test_constants_score_what_the_counts_say(task: str, constant: str) -> None:
    accuracies, printed = CONSTANTS[task, constant]
    found = whole_of_rfw(task, constant)
    rows = found.groups[
        (found.groups["attribute"] == "race") & (found.groups["measure"] == f"accuracy_merged/{task}")
    ].set_index("group")
    np.testing.assert_allclose(rows.loc[list(RACES), "value"], accuracies, atol=0.0006)
    assert rows["count"].sum() == 40607
    bias = found.disparities.set_index("measure").loc[f"accuracy_merged/{task}", "bias"]
    assert bias == pytest.approx(printed, abs=0.0006)
    chance = found.chance.set_index("group")
    np.testing.assert_allclose(chance.loc[list(RACES), "merged_chance"], accuracies, atol=0.0006)
    assert chance["constant_bias"].to_numpy() == pytest.approx(printed, abs=0.0006)


def test_no_constant_pleases_every_race_under_the_five_percent_skin_sets() -> None:
    """ "type 4" leaves African faces at .03, a bias of .95."""
    counts, classes = RFW_COUNTS["skin_type"], ATTRIBUTES["skin_type"]
    rule = FindingsConfig().rules["skin_type"]
    members = merged_classes(rule, RACES, classes, counts)
    assert not members.all(axis=0).any()
    found = merged_chance(members, counts)
    assert classes[found.constant] == "type4"
    assert found.accuracy[0] == pytest.approx(0.030, abs=0.0005)
    assert np.ptp(found.accuracy) == pytest.approx(0.95, abs=0.005)
    np.testing.assert_allclose(found.group_accuracy, [0.969, 0.946, 0.9785, 0.964], atol=0.0006)


def test_the_merged_sets_cover_the_published_shares() -> None:
    classes = ATTRIBUTES["hair_color"]
    members = merged_classes(FindingsConfig().rules["hair_color"], RACES, classes, RFW_COUNTS["hair_color"])
    shares = (RFW_COUNTS["hair_color"] * members).sum(axis=1) / RFW_COUNTS["hair_color"].sum(axis=1)
    assert shares[2] == pytest.approx(0.811, abs=0.0006)


def test_the_noise_floor_is_two_percent_at_the_papers_size() -> None:
    """About 1,015 images a race and an accuracy of .9: max - min of equal groups is 2.06 standard errors, about .02."""
    faces = draw_labels(identities=1015, images=1, tasks=("eye_type",))
    random = np.random.default_rng(0)
    predicted = predictions(faces.labels["eye_type"], 2, np.full(len(faces), 0.9), 1, random)
    found = summarise(audit_table(faces, "raw", 0.0, {"eye_type": predicted}), ATTRIBUTES, FindingsConfig(resamples=0))
    floor = found.disparities.set_index("measure").loc["accuracy/eye_type", "noise_floor"]
    assert floor == pytest.approx(2.06 * np.sqrt(0.9 * 0.1 / 1015), rel=0.06)
    assert floor == pytest.approx(0.02, abs=0.002)
