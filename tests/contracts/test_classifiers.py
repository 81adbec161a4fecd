"""What every classifier of the table promises."""

import copy
import json
import shutil
from dataclasses import dataclass

import pytest
import torch

from greycard import serving
from greycard.classifiers import CLASSIFIERS, ClassifierConfig
from greycard.config import from_dict, to_dict
from greycard.layers.weights import WeightsError, save_weights
from greycard.protocols import Classifier
from greycard.schema import PHENOTYPES, SKIN_TYPE


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A config with a classifier, as jobs have it."""

    classifier: ClassifierConfig


TASKS = ("skin_type", "eye_type", "hair_type")
SLIM = {"stem": 4, "squeezed": (2, 2, 2, 4)}
SMALL = {
    "resnet18": {"width": 4},
    "resnet32": {"width": 4},
    "slimcnn": SLIM,
    "slimcnn_small": SLIM,
    "efficientnet_b1": {"resize": 16, "dropout": 0.0, "stochastic_depth": 0.0},
}
SIZES = {"slimcnn": 132}
SIZE = 64


def test_every_kind_of_the_table_is_held_to_the_contract():
    assert set(SMALL) == set(CLASSIFIERS)


@pytest.fixture(scope="module", params=sorted(CLASSIFIERS))
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def size(kind):
    return SIZES.get(kind, SIZE)


def make(kind, **fields):
    return CLASSIFIERS[kind](**({"tasks": TASKS, "compute_batch": 8} | SMALL[kind] | fields))


def one_logit(kind, **fields):
    return make(kind, tasks=("eye_type", "skin_type"), binary="one_logit", **fields)


@pytest.fixture(scope="module")
def trained(kind, size, tmp_path_factory):
    """A config with weights that tell images apart: batch norm has seen images, and no class is the rule."""
    directory = tmp_path_factory.mktemp(kind)
    config = make(kind)
    network = config.network()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # its statistics are the plain mean of those of the batches
    with torch.no_grad():
        for seed in range(3):
            network(images(16, size, seed))
        for task, logits in network.eval()(images(16, size)).items():
            network.heads[task].bias -= logits.mean(dim=0)
    save_weights(directory, network.state_dict(), config.description())
    return make(kind, weights=str(directory))


@pytest.fixture(scope="module")
def built(trained):
    return trained.build()


def images(count, size=SIZE, seed=0):
    generator = torch.Generator().manual_seed(seed)
    base = torch.randint(0, 256, (count, 3, 1, 1), generator=generator)
    return (base + torch.randint(-60, 60, (count, 3, size, size), generator=generator)).clamp(0, 255).to(torch.uint8)


def test_it_keeps_the_contract(built, size):
    assert isinstance(built, Classifier)
    assert built.tasks == TASKS
    batch = images(5, size)
    codes, probabilities = built.predict(batch), built.probabilities(batch)
    assert tuple(codes) == tuple(probabilities) == TASKS
    for task in TASKS:
        assert codes[task].dtype == torch.int64
        assert codes[task].shape == (5,)
        assert 0 <= codes[task].min() <= codes[task].max() < len(PHENOTYPES[task].classes)
        assert probabilities[task].dtype == torch.float64
        assert probabilities[task].shape == (5, len(PHENOTYPES[task].classes))
        assert torch.allclose(probabilities[task].sum(dim=1), torch.ones(5, dtype=torch.float64))
        assert torch.equal(probabilities[task].argmax(dim=1), codes[task])
    features = built.features(batch)
    assert features.dtype == torch.float32
    assert features.shape == (5, built.features(batch[:0]).shape[1])
    assert bool((features[0] != features[1]).any())


def test_a_prediction_does_not_depend_on_what_shares_the_batch(built, size):
    batch = images(12, size)
    whole, likely, features = built.predict(batch), built.probabilities(batch), built.features(batch)
    assert len(set(whole["skin_type"].tolist())) > 1
    pieces = [batch[:1], batch[1:8], batch[8:]]
    assert torch.equal(torch.cat([built.features(piece) for piece in pieces]), features)
    backwards = built.probabilities(batch.flip(0))
    for task in TASKS:
        assert torch.equal(torch.cat([built.predict(piece)[task] for piece in pieces]), whole[task])
        assert torch.equal(torch.cat([built.probabilities(piece)[task] for piece in pieces]), likely[task])
        assert torch.equal(backwards[task].flip(0), likely[task])


def test_logits_are_those_of_the_prediction_and_gradients_reach_the_pixels(built, size):
    batch = images(3, size)
    pixels = batch.float().requires_grad_()
    logits = built.logits(pixels)
    for task in TASKS:
        near = logits[task].detach().double().softmax(dim=1)
        assert torch.allclose(near, built.probabilities(batch)[task], atol=1e-3)
    sum(values.square().sum() for values in logits.values()).backward()
    assert bool((pixels.grad.flatten(1).abs().amax(dim=1) > 0).all())
    with pytest.raises(TypeError, match="float images"):
        built.logits(batch)


def test_the_gradient_is_that_of_finite_differences(built, size):
    """In float64, so that nothing is rounded anywhere: a step of 0.001 of a pixel value must be felt."""
    network = copy.deepcopy(built._network).double()
    pixels = images(1, size).double().requires_grad_()
    direction = torch.randn(pixels.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    (gradient,) = torch.autograd.grad(network.logits(pixels)["skin_type"].sum(), pixels)
    step = 1e-6
    with torch.no_grad():
        ahead = network.logits(pixels + step * direction)["skin_type"].sum()
        behind = network.logits(pixels - step * direction)["skin_type"].sum()
    assert float((gradient * direction).sum()) == pytest.approx(float((ahead - behind) / (2 * step)), rel=1e-3)


def test_a_binary_head_with_one_logit_is_a_sigmoid(kind, size, tmp_path):
    config = one_logit(kind)
    network = config.network()
    assert config.heads == {"eye_type": 1, "skin_type": 6}
    save_weights(tmp_path, network.state_dict(), config.description())
    classifier = one_logit(kind, weights=str(tmp_path)).build()
    batch = images(4, size)
    z = classifier.logits(batch.float())["eye_type"].double()
    assert z.shape == (4, 1)
    likely = classifier.probabilities(batch)
    assert torch.allclose(likely["eye_type"][:, 1:], torch.sigmoid(z), atol=1e-6)
    assert likely["skin_type"].shape == (4, 6)
    assert torch.equal(classifier.predict(batch)["eye_type"], (likely["eye_type"][:, 1] > 0.5).long())
    with pytest.raises(WeightsError, match="another architecture"):
        make(kind, tasks=("eye_type", "skin_type"), weights=str(tmp_path)).build()


def test_weights_alone_are_served(trained, built, size):
    batch = images(3, size)
    served = serving.load(trained.weights)(batch.numpy())
    expected = built.predict(batch)
    assert {task: codes.tolist() for task, codes in served.items()} == {
        task: codes.tolist() for task, codes in expected.items()
    }
    likely = serving.classifier(trained.weights, compute_batch=8).probabilities(batch)
    assert all(torch.equal(likely[task], values) for task, values in built.probabilities(batch).items())


def test_a_config_survives_plain_values(kind):
    config = make(kind, binary="one_logit")
    again = from_dict(Holder, to_dict(Holder(classifier=config))).classifier
    assert again == config
    assert type(again) is CLASSIFIERS[kind]


def test_the_seed_decides_the_initial_weights_and_leaves_the_callers_generator_alone(kind):
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    first, second = (make(kind, seed=5).network().state_dict() for _ in range(2))
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(first[name], second[name]) for name in first)
    other = make(kind, seed=6).network().state_dict()
    assert not torch.equal(first["heads.skin_type.weight"], other["heads.skin_type.weight"])


def test_codes_are_the_schemas_order(kind, size, tmp_path):
    config = make(kind, tasks=("skin_type",))
    network = config.network()
    head = network.get_submodule("heads.skin_type")
    torch.nn.init.zeros_(head.weight)
    with torch.no_grad():
        head.bias.copy_(torch.nn.functional.one_hot(torch.tensor(SKIN_TYPE.code("type5")), 6))
    save_weights(tmp_path, network.state_dict(), config.description())
    codes = make(kind, tasks=("skin_type",), weights=str(tmp_path)).build().predict(images(3, size))
    assert codes["skin_type"].tolist() == [SKIN_TYPE.classes.index("type5")] * 3


def test_no_images_give_no_codes(built, size):
    assert built.predict(images(0, size))["eye_type"].shape == (0,)
    assert built.probabilities(images(0, size))["skin_type"].shape == (0, 6)


def test_it_takes_other_sizes(built, size):
    assert built.predict(images(2, size=size + 17))["eye_type"].shape == (2,)


@pytest.mark.parametrize("bad", [torch.zeros(1, 3, 64, 64), torch.zeros(3, 64, 64, dtype=torch.uint8)])
def test_images_of_another_kind_are_refused(built, bad):
    for method in (built.predict, built.probabilities, built.features):
        with pytest.raises(ValueError, match="uint8"):
            method(bad)


def test_an_untrained_classifier_is_not_built(kind):
    with pytest.raises(ValueError, match=r"has no weights: train it \(python -m jobs\.train\)"):
        make(kind).build()


def test_weights_of_another_classifier_are_refused(kind, trained):
    with pytest.raises(WeightsError):
        make(kind, tasks=("eye_type",), weights=trained.weights).build()


def test_a_pickle_with_code_is_refused_and_not_executed(kind, trained, tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "executed"), "w"))

    weights = shutil.copytree(trained.weights, tmp_path / "weights")
    torch.save(Bomb(), weights / "weights.pt")
    with pytest.raises(WeightsError):
        make(kind, weights=str(weights)).build()
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("change", [{"classes": {}}, {"binary": "three_logits"}, {"kind": "resnet81"}])
def test_a_description_that_fits_no_classifier_is_not_served(kind, trained, tmp_path, change):
    weights = shutil.copytree(trained.weights, tmp_path / "weights")
    path = weights / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(WeightsError, match=r"model\.json: "):
        serving.classifier(weights)
