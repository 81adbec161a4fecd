import os
import pickle
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from greycard.metrics.full_reference.lpips import Lpips, MeasureUnavailable


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from torchvision.models import alexnet

    path = tmp_path_factory.mktemp("weights") / "alexnet.pth"
    torch.manual_seed(3)
    torch.save(alexnet(weights=None).state_dict(), path)
    return path


def images(count: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    shape = (count, 3, 64, 80)
    return tuple(torch.randint(0, 256, shape, generator=random).to(torch.uint8) for _ in range(2))


def test_equals_the_published_formula(weights: Path) -> None:
    import lpips
    from torchvision.models import alexnet

    features = alexnet(weights=None).features.eval()
    state = torch.load(weights, weights_only=True)
    features.load_state_dict({k.removeprefix("features."): v for k, v in state.items() if k.startswith("features")})
    heads = torch.load(Path(lpips.__file__).parent / "weights/v0.1/alex.pth", map_location="cpu", weights_only=True)
    shift, scale = torch.tensor([-0.030, -0.088, -0.188]), torch.tensor([0.458, 0.448, 0.450])

    def layers(image: torch.Tensor) -> list[torch.Tensor]:
        x = ((image.float() / 127.5 - 1) - shift[:, None, None]) / scale[:, None, None]
        found = []
        for index, layer in enumerate(features):
            x = layer(x)
            if index in (1, 4, 7, 9, 11):  # after each ReLU
                found.append(functional.normalize(x, dim=1))
        return found

    with torch.no_grad():
        x, y = images()
        expected = sum(
            ((a - b) ** 2 * heads[f"lin{index}.model.1.weight"]).sum(dim=1).mean(dim=(1, 2))
            for index, (a, b) in enumerate(zip(layers(x), layers(y), strict=True))
        )
    values = Lpips(weights=str(weights)).build()(x, y)
    torch.testing.assert_close(values, expected.double(), rtol=1e-4, atol=1e-6)


def test_building_leaves_the_random_state_alone(weights: Path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    Lpips(weights=str(weights)).build()
    assert torch.equal(torch.rand(1), expected)


def test_without_weights_it_says_what_to_fetch_and_where_to_put_it(tmp_path: Path) -> None:
    config = Lpips(weights=str(tmp_path / "alexnet.pth"))
    with pytest.raises(MeasureUnavailable) as caught:
        config.build()
    assert caught.value.measure == "lpips"
    assert caught.value.reason == config.missing()
    for part in (str(tmp_path / "alexnet.pth"), "https://", "alexnet-owt-7be5be79.pth"):
        assert part in caught.value.reason
    again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301  (as a worker sends it)
    assert (again.measure, again.reason, str(again)) == ("lpips", caught.value.reason, str(caught.value))


def test_looks_where_torchvision_keeps_its_downloads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert Lpips(net="vgg").weights_path() == tmp_path / "hub" / "checkpoints" / "vgg16-397923af.pth"


def test_refuses_another_architecture(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"vgg weights: features\.0\.weight should have shape \(64, 3, 3, 3\)"):
        Lpips(net="vgg", weights=str(weights)).build()
    other = tmp_path / "list.pth"
    torch.save([torch.zeros(3)], other)
    with pytest.raises(ValueError, match="got nothing"):
        Lpips(weights=str(other)).build()


class Payload:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_refuses_code_and_damage_without_running_anything(tmp_path: Path) -> None:
    harmful, damaged, ran = tmp_path / "harmful.pth", tmp_path / "damaged.pth", tmp_path / "ran"
    torch.save({"features.0.weight": Payload(ran)}, harmful)
    damaged.write_bytes(b"not weights at all")
    for path in (harmful, damaged):
        with pytest.raises(ValueError, match="not a file of plain weights"):
            Lpips(weights=str(path)).build()
    assert not ran.exists()


def test_refuses_images_too_small_for_its_layers(weights: Path) -> None:
    small = torch.zeros(1, 3, 32, 64, dtype=torch.uint8)
    with pytest.raises(ValueError, match="at least 64 x 64"):
        Lpips(weights=str(weights)).build()(small, small)


@pytest.mark.parametrize(("values", "message"), [({"net": "squeeze"}, "alex or vgg"), ({"compute_batch": 0}, "batch")])
def test_checks_its_config(values: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Lpips(**values)
