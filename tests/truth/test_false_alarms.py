"""Two hundred audits each: how often chance is taken for bias, and how often an interval holds the truth."""

import numpy as np
import pytest
from scipy import stats

from greycard.metrics.by_group import Groups, by_group, clusters_of, means, partition
from greycard.metrics.disparity import bias, gap
from greycard.metrics.restoration.findings import FindingsConfig, summarise
from greycard.metrics.significance import Bootstrap, Permutation, interval, p_value
from tests.truth.planted import ATTRIBUTES, audit_table, draw_labels

AUDITS = 200
IMAGES = 4


def binomial_range(share: float) -> tuple[float, float]:
    """Where a rate over 200 audits lies 99.9 % of the time if ``share`` is true: .05 gives .01 to .11."""
    low, high = stats.binom.interval(0.999, AUDITS, share)
    return low / AUDITS, high / AUDITS


def answers(random: np.random.Generator, chances: np.ndarray) -> np.ndarray:
    """Right or wrong, (N,): images of an identity share how hard it is to read (correlation about .3)."""
    hard = random.beta(2 * chances, 2 * (1 - chances))
    return (random.random((len(chances), IMAGES)) < hard[:, None]).ravel().astype(float)


def race_of(identities: int, groups: int) -> Groups:
    return Groups("race", ATTRIBUTES["race"][:groups], np.repeat(np.arange(groups), identities * IMAGES))


@pytest.mark.slow
def test_five_percent_false_alarms_when_nothing_is_planted() -> None:
    """Through summarise, from predictions to p-value, for two measures."""
    alarms = {"accuracy/eye_type": 0, "psnr_db": 0}
    for seed in range(AUDITS):
        random = np.random.default_rng([seed, 7])
        faces = draw_labels(identities=40, images=IMAGES, tasks=("eye_type",), seed=seed)
        labels = faces.labels["eye_type"]
        right = answers(random, np.full(160, 0.9))
        predicted = np.where(right == 1, labels, 1 - labels)[:, None].astype(np.int8)
        psnr = random.normal(28, 1, 160).repeat(IMAGES) + random.normal(0, 1, len(faces))
        table = audit_table(faces, "jpeg", 1.0, {"eye_type": predicted}, {"psnr_db": psnr})
        config = FindingsConfig(resamples=0, permutations=199, seed=seed)
        found = summarise(table, ATTRIBUTES, config).disparities.set_index("measure")
        for measure in alarms:
            alarms[measure] += found.loc[measure, "p_value"] <= 0.05
    low, high = binomial_range(0.05)
    for measure, count in alarms.items():
        assert low <= count / AUDITS <= high, measure


def test_forgetting_identities_raises_false_alarms() -> None:
    """The control: images permuted one by one, as though nobody had several, alarm at more than twice the rate."""
    alarms = 0
    groups = race_of(40, 4)
    for seed in range(AUDITS):
        terms = means({"x": answers(np.random.default_rng([seed, 8]), np.full(160, 0.9))})
        permutation = Permutation.draw(groups, np.arange(len(groups.codes)), 199, seed)
        permuted = bias(permutation.replicates(permutation.units.sums(terms)))
        alarms += int(p_value(bias(by_group(terms, groups).values), permuted)[0] <= 0.05)
    assert alarms / AUDITS > binomial_range(0.05)[1]


@pytest.mark.parametrize("truth", [0.0, 0.15])
def test_the_interval_of_a_group_gap_holds_the_truth(truth: float) -> None:
    """Signed gap of two groups named beforehand; max - min is biased upwards and has no such promise.

    80 identities a group: the percentile interval's own shortfall is below a percentage point.
    """
    groups, identities = race_of(80, 2), np.repeat(np.arange(160), IMAGES)
    units = partition(groups, clusters_of(identities, len(identities)))
    chances = np.repeat([0.85 - truth, 0.85], 80)
    held = 0
    for seed in range(AUDITS):
        terms = means({"x": answers(np.random.default_rng([seed, 9]), chances)})
        replicates = Bootstrap.draw(units, 1000, seed).replicates(units.sums(terms))
        low, high = interval(gap(replicates, 0, 1), 0.95)
        held += int(low[0] <= -truth <= high[0])
    low_rate, high_rate = binomial_range(0.95)
    assert low_rate <= held / AUDITS <= high_rate


def test_the_interval_of_a_drop_holds_the_truth() -> None:
    """The paired interval of findings: every identity's images lose 1 dB on average."""
    held = 0
    for seed in range(AUDITS):
        random = np.random.default_rng([seed, 10])
        groups, identities = race_of(60, 1), np.repeat(np.arange(60), IMAGES)
        raw = random.normal(30, 3, 60).repeat(IMAGES)
        lost = random.normal(1, 0.5, 60).repeat(IMAGES) + random.normal(0, 0.5, len(raw))
        units = partition(groups, identities)
        drawn = Bootstrap.draw(units, 500, seed)
        before, after = (drawn.replicates(units.sums(means({"x": x}))) for x in (raw, raw - lost))
        low, high = interval((before - after)[:, 0, 0], 0.95)
        held += int(low <= 1 <= high)
        assert high - low < 0.5  # pairing removes the 3 dB between identities
    low_rate, high_rate = binomial_range(0.95)
    assert low_rate <= held / AUDITS <= high_rate
