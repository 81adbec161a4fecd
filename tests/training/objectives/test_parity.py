import math

import pytest
import torch
from torch import nn

from greycard.training.objectives.parity import ParityRateDistortion, parity_gap, with_gap
from greycard.training.objectives.rate_distortion import RateDistortion


class Halved(nn.Module):
    """Restores scale * x and says 2 bits an image element of y."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(0.5))

    def forward(self, x):
        likelihoods = torch.full((len(x), 1, 2, 2), 0.25)
        return {"x_hat": self.scale * x, "likelihoods": {"y": likelihoods}}


def images():
    """Three 2 x 2 images of one grey each: 0, 102 and 204 (x = 0, 0.4 and 0.8)."""
    return torch.tensor([0, 102, 204], dtype=torch.uint8).view(3, 1, 1, 1).expand(3, 3, 2, 2).contiguous()


def objective(**fields):
    fields = {"lam": 0.01, "mu": 2.0, "sensitive": "race", "groups": ("a", "b", "c")} | fields
    return ParityRateDistortion(**fields)


CODES = torch.tensor([0, 0, 1])
# x_hat = x / 2: squared errors 0, 0.04 and 0.16, times 255²; D = 0.2 / 3, D_a = 0.02, D_b = 0.16; c has no images
D = 255**2 * 0.2 / 3
RELATIVE = (0.02 / (0.2 / 3) - 1) ** 2 + (0.16 / (0.2 / 3) - 1) ** 2
ABSOLUTE = (255**2 * 0.02 - D) ** 2 + (255**2 * 0.16 - D) ** 2


@pytest.mark.parametrize(("gap", "expected"), [("relative", RELATIVE), ("absolute", ABSOLUTE)])
def test_the_loss_is_that_of_the_hand_made_table(gap, expected):
    loss = objective(gap=gap)(Halved(), images(), {"race": CODES})
    bpp = 2 * 4 / 4
    assert loss.total.item() == pytest.approx(bpp + 0.01 * D + 2 * expected, rel=1e-5)
    assert loss.parts["parity"].tolist() == pytest.approx([expected], rel=1e-5)
    assert loss.parts["loss"].mean().item() == pytest.approx(bpp + 0.01 * D, rel=1e-5)
    assert [len(loss.parts[f"psnr_db/{name}"]) for name in "abc"] == [2, 1, 0]
    assert loss.parts["psnr_db/b"].item() == pytest.approx(10 * math.log10(255**2 / 102**2), rel=1e-5)


def test_without_the_term_it_is_rate_distortion():
    ours = objective(mu=0.0)(Halved(), images(), {"race": CODES})
    plain = RateDistortion(lam=0.01)(Halved(), images(), {})
    assert ours.total.item() == plain.total.item()
    assert ours.parts["loss"].tolist() == plain.parts["loss"].tolist()


def test_an_image_of_unknown_group_counts_in_the_overall_distortion_alone():
    distortion = torch.tensor([1.0, 3.0, 8.0])
    codes = torch.tensor([0, 1, -1])  # D = 4
    assert parity_gap(distortion, codes, 2, "absolute").item() == 9 + 1
    assert parity_gap(torch.zeros(3), codes, 2, "relative").item() == 0  # a perfect codec


def test_the_parity_term_moves_the_network():
    network = Halved()
    distortion = torch.stack([(network.scale - 1).square() * factor for factor in (1.0, 2.0)])
    parity_gap(distortion, torch.tensor([0, 1]), 2, "absolute").backward()
    assert network.scale.grad.abs() > 0


@pytest.mark.parametrize(
    ("fields", "words"),
    [({"mu": -1.0}, "objective.mu"), ({"lam": 0.0}, "objective.lam"), ({"groups": ("a",)}, "at least 2")],
)
def test_fields_out_of_range_are_refused(fields, words):
    with pytest.raises(ValueError, match=words):
        objective(**fields)


def test_missing_labels_are_named():
    with pytest.raises(ValueError, match="no labels of race; they have gender"):
        objective()(Halved(), images(), {"gender": CODES})


def test_the_gap_is_between_the_best_and_the_worst_served_group():
    assert with_gap({"psnr_db/a": 30.0, "psnr_db/b": 28.5, "psnr_db/c": 29.0, "bpp": 1.0})["psnr_gap_db"] == 1.5
    assert math.isnan(with_gap({"bpp": 1.0})["psnr_gap_db"])
