import os
import signal

import pytest
import torch
from torch import nn

from greycard.config import flatten
from greycard.fitting.kinds.classifiers import ClassifierTraining
from greycard.fitting.kinds.predictors import PredictorTraining
from greycard.layers.memory_format import memory_format
from greycard.recipes.demo import demo_classifiers
from greycard.recipes.paper004.studies import mnist, smoke
from tune_spaces import faces_smile, mnist_color


def strided(channels, groups=1, kernel=1, stride=2):
    return nn.Conv2d(channels, 8, kernel, stride, groups=groups)


@pytest.mark.parametrize(
    ("layer", "safe"),
    [
        (strided(4), False),
        (strided(7), False),
        (strided(8, groups=2), False),
        (strided(8), True),
        (strided(4, stride=1), True),
        (strided(4, kernel=3), True),
    ],
)
def test_strided_pointwise_layers_of_few_channels_are_not_laid_out_channels_last(layer, safe):
    found = memory_format(nn.Sequential(nn.Conv2d(3, 4, 3), layer), channels_last=True)
    assert found == (torch.channels_last if safe else torch.contiguous_format)
    assert memory_format(layer, channels_last=False) == torch.contiguous_format


def small_classifiers():
    """The classifiers of shipped recipes that are trained on a CPU, in the format that their loops ask for."""
    studies = (mnist(), smoke())
    found = {
        "demo": demo_classifiers().models[0],
        "mnist_color": mnist_color.study().trial.training,
        "faces_smile": faces_smile.study().trial.training,
        **{f"{study.study} judge": study.judge for study in studies},
        **{f"{study.study} measuring": study.measuring for study in studies},
    }
    assert all(isinstance(training, ClassifierTraining | PredictorTraining) for training in found.values())
    assert all(flatten(training.loop)["channels_last"] for training in found.values())
    return [pytest.param(training, id=name) for name, training in found.items()]


def worst_gradient_error(training, threads):
    """The largest error of a parameter's gradient against float64, as a share of the gradient of all parameters."""
    torch.manual_seed(0)
    torch.set_num_threads(threads)
    network = training.classifier.network().train()
    exact = training.classifier.network().double().train()
    exact.load_state_dict(network.state_dict())
    layout = memory_format(network, channels_last=training.loop.channels_last)
    images = torch.rand(8, 3, 32, 32)
    network.to(memory_format=layout)
    total(network(images.contiguous(memory_format=layout))).backward()
    total(exact(images.double())).backward()
    pairs = [(ours.grad, theirs.grad) for ours, theirs in zip(network.parameters(), exact.parameters(), strict=True)]
    size = torch.stack([theirs.norm() for _, theirs in pairs]).norm()
    return max(float((ours - theirs).norm() / size) for ours, theirs in pairs)


def total(logits):
    return sum(values.square().sum() for values in (logits.values() if isinstance(logits, dict) else [logits]))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("training", small_classifiers())
def test_gradients_of_shipped_classifiers_are_those_of_float64(training, threads):
    """In a process of its own, since the fault that this guards against may end it with a signal."""
    process = os.fork()
    if process == 0:
        os._exit(0 if worst_gradient_error(training, threads) < 1e-2 else 1)
    _, status = os.waitpid(process, 0)
    assert not os.WIFSIGNALED(status), f"died of {signal.Signals(os.WTERMSIG(status)).name}"
    assert os.waitstatus_to_exitcode(status) == 0
