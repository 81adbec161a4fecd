import pytest
import torch
from torchvision.models import efficientnet_b1
from torchvision.transforms.v2.functional import normalize, resize

from greycard.classifiers import EfficientNetB1Config
from greycard.layers.weights import WeightsError

TASKS = ("eye_type", "skin_type")


@pytest.fixture(scope="module")
def theirs():
    torch.manual_seed(0)
    return efficientnet_b1(weights=None).eval()


@pytest.fixture(scope="module")
def published(theirs, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "efficientnet_b1.pth"
    torch.save(theirs.state_dict(), path)
    return path


def test_torchvisions_weights_are_the_start_and_its_1000_logits_the_features(theirs, published):
    network = EfficientNetB1Config(tasks=TASKS, pretrained=str(published)).network().eval()
    ours = network.backbones[0].net.state_dict()
    assert list(ours) == list(theirs.state_dict())
    images = torch.randint(0, 256, (1, 3, 50, 60), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    prepared = normalize(
        resize(images.float(), [240, 240], antialias=True) / 255, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    )
    with torch.no_grad():
        torch.testing.assert_close(network.prepare(images), prepared, atol=1e-5, rtol=0)
        torch.testing.assert_close(network.features(images), theirs(prepared))
    assert network.heads["skin_type"].weight.shape == (6, 1000)


def test_it_has_torchvisions_number_of_parameters():
    network = EfficientNetB1Config(tasks=TASKS, binary="one_logit").network()
    assert sum(parameter.numel() for parameter in network.backbones.parameters()) == 7_794_184
    assert sum(parameter.numel() for parameter in network.heads.parameters()) == 7 * 1001


def test_training_drops_as_the_config_says():
    modules = list(EfficientNetB1Config(dropout=0.3, stochastic_depth=0.1).network().modules())
    assert [module.p for module in modules if isinstance(module, torch.nn.Dropout)] == [0.3]
    depth = [module.p for module in modules if type(module).__name__ == "StochasticDepth"]
    assert depth[0] == 0
    assert 0.09 < depth[-1] < 0.1


@pytest.mark.parametrize("content", [b"", b"not weights", {"features.0.0.weight": torch.zeros(32, 3, 3, 3)}, [1]])
def test_files_that_are_not_its_weights_are_refused(tmp_path, content):
    path = tmp_path / "b1.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(WeightsError, match=r"b1\.pth: expected a state dict of torchvision's efficientnet_b1"):
        EfficientNetB1Config(tasks=TASKS, pretrained=str(path)).network()


def test_a_pickle_with_code_is_refused_and_not_executed(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "executed"), "w"))

    torch.save(Bomb(), tmp_path / "b1.pth")
    with pytest.raises(WeightsError, match="expected a state dict"):
        EfficientNetB1Config(tasks=TASKS, pretrained=str(tmp_path / "b1.pth")).network()
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("fields", [{"resize": -1}, {"dropout": 1.0}, {"stochastic_depth": -0.1}])
def test_values_that_do_not_fit_are_refused(fields):
    with pytest.raises(ValueError, match=next(iter(fields))):
        EfficientNetB1Config(**fields)
