"""EQ-Face against the same network put together from torch's modules, with few channels."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from greycard.metrics.full_reference.lpips import MeasureUnavailable
from greycard.metrics.no_reference.eq_face import EqFace
from tests.metrics.no_reference.photos import photo

DEPTHS = (1, 2, 1, 1)
WIDTHS = (4, 4, 6, 8, 8)


class Unit(nn.Module):
    def __init__(self, inside, outside, halves):
        super().__init__()
        stride = 2 if halves else 1
        self.res_layer = nn.Sequential(
            nn.BatchNorm2d(inside),
            nn.Conv2d(inside, outside, 3, padding=1, bias=False),
            nn.BatchNorm2d(outside),
            nn.PReLU(outside),
            nn.Conv2d(outside, outside, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outside),
        )
        conv = nn.Conv2d(inside, outside, 1, stride, bias=False)
        self.shortcut_layer = nn.Sequential(conv, nn.BatchNorm2d(outside)) if halves else nn.Identity()

    def forward(self, x):
        return self.shortcut_layer(x) + self.res_layer(x)


def networks():
    """Return the backbone and the head by the published names, their weights drawn."""
    torch.manual_seed(0)
    parts = {
        "input_layer": nn.Sequential(
            nn.Conv2d(3, WIDTHS[0], 3, padding=1, bias=False), nn.BatchNorm2d(WIDTHS[0]), nn.PReLU(WIDTHS[0])
        )
    }
    for stage, (inside, outside, depth) in enumerate(zip(WIDTHS, WIDTHS[1:], DEPTHS, strict=False), start=1):
        units = [Unit(inside if not unit else outside, outside, unit == 0) for unit in range(depth)]
        parts[f"layer{stage}"] = nn.Sequential(*units)
    parts["output_layer"] = nn.Sequential(nn.BatchNorm2d(WIDTHS[-1]), nn.Dropout(0.4), nn.Flatten())
    layers = [nn.Linear(WIDTHS[-1] * 49, 16, bias=False), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 2, bias=False)]
    backbone, head = nn.ModuleDict(parts), nn.ModuleDict({"qualtiy": nn.Sequential(*layers, nn.Softmax(dim=1))})
    for module in [*backbone.modules(), *head.modules()]:
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 2)
            nn.init.normal_(module.weight, 1, 0.2)
            nn.init.normal_(module.bias, 0, 0.2)
    return backbone.eval(), head.eval()


@pytest.fixture(scope="module")
def made():
    return networks()


@pytest.fixture(scope="module")
def files(made, tmp_path_factory):
    folder = tmp_path_factory.mktemp("eqface")
    backbone, head = made
    torch.save({f"module.{name}": part for name, part in backbone.state_dict().items()}, folder / "backbone.pth")
    torch.save(head.state_dict(), folder / "head.pth")
    return (str(folder / "backbone.pth"), str(folder / "head.pth"))


@pytest.fixture(scope="module")
def faces():
    image = photo("astronaut")[..., :200, 130:330]
    return torch.cat([image, image.flip(3), 255 - image])


@torch.no_grad()
def expected(made, pixels):
    backbone, head = made
    x = (pixels - 127.5) / 128
    for part in backbone.values():
        x = part(x)
    return head["qualtiy"](x)[:, 0].double()


def test_is_the_published_network(made, files, faces):
    measure = EqFace(weights=files).build()
    cut = faces[..., 40:152, 40:152]
    found = measure(cut)
    torch.testing.assert_close(found, expected(made, cut.float()), atol=1e-6, rtol=0)
    assert found.std() > 1e-3
    resized = functional.interpolate(faces.float(), (112, 112), mode="bilinear", align_corners=False).round()
    torch.testing.assert_close(measure(faces), expected(made, resized), atol=1e-6, rtol=0)
    assert (measure.name, measure.higher_is_better) == ("eqface", True)
    assert measure.judge(cut).reasons == ("", "", "")


def test_a_batch_changes_nothing(files, faces, one_thread):
    measure = EqFace(weights=files, compute_batch=2).build()
    assert measure(faces).tolist() == [measure(face[None]).item() for face in faces]
    assert measure(faces[:0]).shape == (0,)


def test_missing(files):
    said = EqFace().missing()
    assert "no EQ-Face weights named; fetch the backbone and the quality head" in said
    assert "no package holds them" in said
    with pytest.raises(MeasureUnavailable, match=r"eqface is not available: no EQ-Face weights at nowhere.pth"):
        EqFace(weights=(files[0], "nowhere.pth")).build()


def test_wrong_files(files, made, tmp_path):
    with pytest.raises(ValueError, match=r"lacks input_layer.0.weight"):
        EqFace(weights=files[::-1]).build()
    with pytest.raises(ValueError, match=r"lacks qualtiy.0.weight"):
        EqFace(weights=(files[0], files[0])).build()
    other = dict(made[1].state_dict())
    other["qualtiy.0.weight"] = torch.zeros(16, 99)
    torch.save(other, tmp_path / "head.pth")
    with pytest.raises(ValueError, match="are not one EQ-Face network"):
        EqFace(weights=(files[0], str(tmp_path / "head.pth"))).build()
    (tmp_path / "head.pth").write_bytes(b"junk")
    with pytest.raises(ValueError, match="not a file of plain weights"):
        EqFace(weights=(files[0], str(tmp_path / "head.pth"))).build()


def test_wrong_settings():
    with pytest.raises(ValueError, match=r"eqface.weights must be two files"):
        EqFace(weights=("backbone.pth",))
    with pytest.raises(ValueError, match=r"eqface.compute_batch must be at least 1"):
        EqFace(compute_batch=0)
