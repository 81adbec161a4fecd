"""What every classifier of the table promises."""

import pytest
import torch

from greycard.classifiers import CLASSIFIERS
from greycard.layers.weights import WeightsError, save_weights
from greycard.protocols import Classifier
from greycard.schema import PHENOTYPES, SKIN_TYPE

TASKS = ("skin_type", "eye_type", "hair_type")
SMALL = {"resnet18": {"width": 4}}


@pytest.fixture(params=sorted(CLASSIFIERS))
def kind(request):
    return request.param


def make(kind, **fields):
    return CLASSIFIERS[kind](**({"tasks": TASKS} | SMALL[kind] | fields))


@pytest.fixture
def trained(kind, tmp_path):
    """A config with weights that tell images apart: batch norm has seen some images."""
    config = make(kind)
    torch.manual_seed(0)
    network = config.network()
    for _ in range(20):
        network(images(16))
    save_weights(tmp_path, network.state_dict(), config.description())
    return make(kind, weights=str(tmp_path))


def images(count, size=64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    base = torch.randint(0, 256, (count, 3, 1, 1), generator=generator)
    return (base + torch.randint(-60, 60, (count, 3, size, size), generator=generator)).clamp(0, 255).to(torch.uint8)


def test_it_keeps_the_contract(trained):
    classifier = trained.build()
    assert isinstance(classifier, Classifier)
    assert classifier.tasks == TASKS
    codes = classifier.predict(images(5))
    assert tuple(codes) == TASKS
    for task in TASKS:
        assert codes[task].dtype == torch.int64
        assert codes[task].shape == (5,)
        assert 0 <= codes[task].min() <= codes[task].max() < len(PHENOTYPES[task].classes)


def test_a_prediction_does_not_depend_on_what_shares_the_batch(kind, trained):
    batch = images(21)
    classifier = trained.build()
    whole = classifier.predict(batch)
    assert len(set(whole["skin_type"].tolist())) > 1
    pieces = [classifier.predict(piece) for piece in (batch[:1], batch[1:8], batch[8:])]
    for task in TASKS:
        assert torch.equal(torch.cat([piece[task] for piece in pieces]), whole[task])
        assert torch.equal(classifier.predict(batch.flip(0))[task].flip(0), whole[task])


def test_codes_are_the_schemas_order(kind, trained):
    config = make(kind, tasks=("skin_type",))
    network = config.network()
    head = network.get_submodule("heads.skin_type")
    torch.nn.init.zeros_(head.weight)
    with torch.no_grad():
        head.bias.copy_(torch.nn.functional.one_hot(torch.tensor(SKIN_TYPE.code("type5")), 6))
    directory = f"{trained.weights}/skin"
    save_weights(directory, network.state_dict(), config.description())
    codes = make(kind, tasks=("skin_type",), weights=directory).build().predict(images(3))
    assert codes["skin_type"].tolist() == [SKIN_TYPE.classes.index("type5")] * 3


def test_no_images_give_no_codes(trained):
    assert trained.build().predict(images(0))["eye_type"].shape == (0,)


def test_it_takes_other_sizes(trained):
    assert trained.build().predict(images(2, size=80))["eye_type"].shape == (2,)


@pytest.mark.parametrize("bad", [torch.zeros(1, 3, 64, 64), torch.zeros(3, 64, 64, dtype=torch.uint8)])
def test_images_of_another_kind_are_refused(trained, bad):
    with pytest.raises(ValueError, match="uint8"):
        trained.build().predict(bad)


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

    torch.save(Bomb(), tmp_path / "weights.pt")
    with pytest.raises(WeightsError):
        trained.build()
    assert not (tmp_path / "executed").exists()
