import numpy as np
import pytest
import torch

from greycard.latent_search.config import LatentSearchConfig
from greycard.latent_search.labelling import GeneratorLabeller, Remembering
from greycard.latent_search.rejection import reject
from tests.latent_search.toy import Toy
from tests.synthesis.networks import TASK, write_models


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return write_models(tmp_path_factory.mktemp("models"))


def test_one_pass_says_what_two_would(models):
    generator, classifier = models[0].build(), models[1].build()
    labeller = GeneratorLabeller(generator, classifier, TASK)
    latents = labeller.latents(torch.arange(50), "w")
    images = generator.generate(latents, "w", 0.7)
    found = labeller.label(latents, "w", 0.7)
    np.testing.assert_array_equal(found.codes, classifier.predict(images)[TASK].numpy())
    np.testing.assert_array_equal(found.features, classifier.features(images).numpy())
    few = labeller.label(latents[7:9], "w", 0.7)
    np.testing.assert_array_equal(few.features, found.features[7:9])


def test_images_that_the_classifier_is_unsure_of_are_of_no_class(models):
    generator, classifier = models[0].build(), models[1].build()
    latents = generator.latents(torch.arange(60), "w")
    found = classifier.probabilities(generator.generate(latents, "w", 1.0))[TASK].numpy()
    bound = float(np.median(found.max(axis=1)))
    codes = GeneratorLabeller(generator, classifier, TASK, bound).label(latents, "w", 1.0).codes
    np.testing.assert_array_equal(codes, np.where(found.max(axis=1) >= bound, found.argmax(axis=1), -1))
    assert 0 < (codes < 0).sum() < 60


def test_an_unknown_task_is_refused(models):
    with pytest.raises(ValueError, match="unknown task 'kin'; did you mean 'kind'"):
        GeneratorLabeller(models[0].build(), models[1].build(), "kin")


def test_rows_of_several_classes_share_their_draws():
    config = LatentSearchConfig(space="w", cap=1000, start_budget=64)
    rows = [(code, 0) for code in range(4)]
    alone, shared = Toy(), Toy()
    first = list(reject(rows, alone, config, batch=32))
    second = list(reject(rows, Remembering(shared, 4), config, batch=32))
    assert sum(alone.evaluated) == 4 * 64
    assert sum(shared.evaluated) == 64
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal([item.latent for item in one.accepted], [item.latent for item in other.accepted])
