import pytest

from greycard.datasets.groups import RACE_MIXES, RFW_COUNTS, RFW_IMAGES, class_shares, race_shares, rfw_shares
from greycard.schema import PHENOTYPES, RACE


def test_every_table_counts_every_image_of_its_race_once():
    assert RFW_COUNTS.keys() == PHENOTYPES.keys()
    for name, attribute in PHENOTYPES.items():
        assert tuple(RFW_COUNTS[name]) == RACE.classes
        for race, counts in RFW_COUNTS[name].items():
            assert len(counts) == len(attribute.classes)
            assert sum(counts) == RFW_IMAGES[race], (name, race)
    assert sum(RFW_IMAGES.values()) == 40_607


def test_shares_are_counts_over_images():
    shares = rfw_shares("Asian", "skin_type")
    assert shares[1] == pytest.approx(0.0479, abs=5e-5)  # 464 of 9,688
    assert sum(shares) == pytest.approx(1.0)
    assert rfw_shares("African", "lip_type") == pytest.approx((8181 / 10415, 2234 / 10415))


def test_the_most_frequent_three_hair_classes_hold_the_published_shares():
    """African, Asian, Caucasian, Indian shares of the three most frequent classes, and the gap between the races."""
    for name, expected, gap in (
        ("hair_type", (0.996, 0.994, 0.968, 0.972), 0.029),
        ("hair_color", (0.993, 0.960, 0.811, 0.991), 0.181),
    ):
        held = [sum(sorted(rfw_shares(race, name))[-3:]) for race in RACE.classes]
        assert held == pytest.approx(expected, abs=6e-4)
        assert max(held) - min(held) == pytest.approx(gap, abs=6e-4)


@pytest.mark.parametrize(
    ("race", "attribute", "hint"), [("african", "skin_type", "African"), ("Asian", "hair_colour", "hair_color")]
)
def test_unknown_names_list_near_matches(race, attribute, hint):
    with pytest.raises(ValueError, match=hint):
        rfw_shares(race, attribute)


def test_mixes():
    for shares in RACE_MIXES.values():
        assert tuple(shares) == RACE.classes
        assert sum(shares.values()) == pytest.approx(1.0)
    assert RACE_MIXES["celeba_like"]["Caucasian"] > 0.70
    assert (RACE_MIXES["ffhq_like"]["Caucasian"], RACE_MIXES["ffhq_like"]["African"]) == (0.69, 0.04)
    assert RACE_MIXES["ffhq_like"]["Asian"] / RACE_MIXES["ffhq_like"]["Indian"] == pytest.approx(
        0.1748 / 0.0026, rel=0.02
    )
    assert race_shares(RACE_MIXES["african_only"]) == (1.0, 0.0, 0.0, 0.0)


def test_race_shares_are_scaled_and_ordered():
    assert race_shares({"Indian": 3.0, "African": 1.0}) == (0.25, 0.0, 0.0, 0.75)


def test_class_shares_are_scaled_and_ordered():
    assert class_shares({"brown": 1.0, "black": 3.0}, PHENOTYPES["hair_color"]) == (0.75, 0.0, 0.25, 0.0, 0.0)
    with pytest.raises(ValueError, match="brown"):
        class_shares({"brwn": 1.0}, PHENOTYPES["hair_color"])


@pytest.mark.parametrize("shares", [{"Afrikan": 1.0}, {"Asian": -0.1, "Indian": 1.0}, {}, {"Asian": float("nan")}])
def test_impossible_race_shares_are_refused(shares):
    with pytest.raises(ValueError):
        race_shares(shares)
