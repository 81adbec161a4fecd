import dataclasses

import numpy as np
import pytest
import torch

from greycard import serving
from greycard.classifiers import ResNetConfig
from greycard.classifiers.resnet import ResNetBackbone
from greycard.layers.weights import WeightsError, save_weights


def test_at_width_64_the_backbone_is_torchvisions_resnet18():
    from torchvision.models import resnet18

    torch.manual_seed(0)
    theirs = resnet18(weights=None).eval()
    theirs.fc = torch.nn.Identity()
    ours = ResNetBackbone(64).eval()
    ours.load_state_dict(theirs.state_dict())
    assert list(ours.state_dict()) == list(theirs.state_dict())
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.allclose(ours(images), theirs(images), atol=1e-5)


def test_imagenet_weights_are_the_start_of_training(tmp_path):
    from torchvision.models import resnet18

    torch.manual_seed(0)
    theirs = resnet18(weights=None)
    path = tmp_path / "resnet18.pth"
    torch.save(theirs.state_dict(), path)
    network = ResNetConfig(tasks=("eye_type", "skin_type"), pretrained=str(path)).network()
    for backbone in network.backbones:
        assert torch.equal(backbone.layer3[0].downsample[0].weight, theirs.layer3[0].downsample[0].weight)
    assert network.heads["skin_type"].weight.shape == (6, 512)


@pytest.mark.parametrize("content", [b"", b"not weights", None])
def test_files_that_are_not_imagenet_weights_are_refused(tmp_path, content):
    path = tmp_path / "resnet18.pth"
    if content is None:
        torch.save({"conv1.weight": torch.zeros(4, 3, 7, 7)}, path)
    else:
        path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"resnet18\.pth: expected a state dict of torchvision's resnet18"):
        ResNetConfig(pretrained=str(path)).network()


def test_the_published_codes_input_is_resized_as_torchvision_does_and_not_scaled():
    from torchvision.transforms.v2.functional import resize

    network = ResNetConfig(tasks=("eye_type",), width=4, pixels="bytes", resize=224).network()
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 3, 64, 64), dtype=np.uint8))
    ours = network.prepare(images)
    assert torch.equal(ours, resize(images.float(), [224, 224], antialias=True).round().clamp(0, 255))
    eight_bit = resize(images, [224, 224], antialias=True).float()  # torch's 8-bit path has fixed-point weights
    assert (ours - eight_bit).abs().max() <= 1


def test_the_papers_input_is_the_image_in_0_to_1():
    network = ResNetConfig(tasks=("eye_type",), width=4).network()
    images = torch.tensor([0, 51, 255], dtype=torch.uint8).view(1, 3, 1, 1).expand(1, 3, 64, 64)
    assert torch.allclose(network.prepare(images)[0, :, 5, 5], torch.tensor([0.0, 0.2, 1.0]))


def test_a_shared_backbone_is_one_and_otherwise_there_is_one_a_task():
    tasks = ("eye_type", "lip_type", "skin_type")
    assert len(ResNetConfig(tasks=tasks, width=4, shared=True).network().backbones) == 1
    separate = ResNetConfig(tasks=tasks, width=4).network()
    assert len(separate.backbones) == 3
    images = torch.randint(0, 256, (4, 3, 64, 64), dtype=torch.uint8)
    separate(images)["lip_type"].sum().backward()
    assert [backbone.conv1.weight.grad is not None for backbone in separate.backbones] == [False, True, False]


def test_the_seed_decides_the_initial_weights_and_leaves_the_callers_generator_alone():
    config = ResNetConfig(tasks=("eye_type",), width=4)
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    first, second = config.network(), config.network()
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(first.heads["eye_type"].weight, second.heads["eye_type"].weight)
    other = dataclasses.replace(config, seed=1).network()
    assert not torch.equal(first.heads["eye_type"].weight, other.heads["eye_type"].weight)


def test_attributes_beyond_the_phenotypes_bring_their_classes():
    config = ResNetConfig(tasks=("gender",), classes={"gender": ("female", "male")}, width=4)
    assert config.description()["classes"] == {"gender": ["female", "male"]}
    assert config.network().heads["gender"].out_features == 2


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"tasks": ("skin_tipe",)}, r"unknown attribute 'skin_tipe'; did you mean 'skin_type'"),
        ({"tasks": ()}, "tasks"),
        ({"tasks": ("eye_type", "eye_type")}, "once"),
        ({"tasks": ("gender",), "classes": {"gender": ("female",)}}, "at least 2 classes"),
        ({"width": 0}, "width"),
        ({"width": 16, "pretrained": "somewhere"}, "needs width 64 .* got 16"),
        ({"resize": -1}, "resize"),
        ({"compute_batch": 0}, "compute_batch"),
    ],
)
def test_values_that_do_not_fit_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        ResNetConfig(**fields)


def test_weights_know_which_backbone_is_whose(tmp_path):
    """Weights with a backbone a task, loaded for the same tasks in another order, gave each head another's backbone."""
    config = ResNetConfig(tasks=("skin_type", "eye_type"), width=4)
    save_weights(tmp_path, config.network().state_dict(), config.description())
    assert serving.classifier(tmp_path).tasks == ("skin_type", "eye_type")
    with pytest.raises(WeightsError, match=r"tasks must be \['eye_type', 'skin_type'\]"):
        ResNetConfig(tasks=("eye_type", "skin_type"), width=4, weights=str(tmp_path)).build()


def test_pixels_are_rounded_after_a_resize_only_where_no_gradient_is_asked_for():
    network = ResNetConfig(tasks=("eye_type",), width=4, resize=32).network()
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 3, 64, 64), dtype=np.uint8))
    rounded, exact = network.prepare(images) * 255, network.prepare(images.float()) * 255
    assert torch.allclose(rounded, rounded.round(), atol=1e-4)
    assert not torch.equal(rounded, exact)
    assert (rounded - exact).abs().max() <= 0.5001
