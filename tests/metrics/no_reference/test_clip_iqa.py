"""CLIP-IQA: its network against open_clip 3.3.0's, which was given the same weights, and against torch's own layers."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from greycard.metrics.full_reference.lpips import MeasureUnavailable
from greycard.metrics.no_reference.clip_iqa import PROMPTS, ClipIqa, prompt_tokens
from greycard.metrics.no_reference.clip_network import DEVIATION, MEAN, image_directions, text_directions
from tests.metrics.no_reference.clip_weights import clip_state
from tests.metrics.no_reference.photos import photo

IMAGES = [
    [0.07988407462835312, 0.06591615080833435, -0.3002837002277374, -0.04696402698755264, -0.01719767414033413],
    [0.08075395226478577, 0.06410644203424454, -0.30136072635650635, -0.04445739835500717, -0.014226776547729969],
]
TEXTS = [
    [-0.3404795527458191, 0.037285253405570984, -0.09973757714033127, 0.010391395539045334, -0.0791531652212143],
    [-0.3396412134170532, 0.035531725734472275, -0.0999779999256134, 0.008147704415023327, -0.08135262131690979],
]
QUALITIES = [0.5162, 0.5157]


@pytest.fixture(scope="module")
def state():
    return clip_state()


@pytest.fixture(scope="module")
def weights(state, tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "clip.pt"
    torch.save(state, path)
    return str(path)


@pytest.fixture(scope="module")
def images():
    image = photo("astronaut")[..., :64, 200:264]
    return torch.cat([image, image.flip(2)])


def test_images_are_seen_as_open_clip_sees_them(state, images):
    mean, deviation = (torch.tensor(part)[:, None, None] for part in (MEAN, DEVIATION))
    found = image_directions((images / 255 - mean) / deviation, state)
    torch.testing.assert_close(found[:, :5], torch.tensor(IMAGES), atol=1e-5, rtol=0)


def test_texts_are_read_as_open_clip_reads_them(state):
    found = text_directions(prompt_tokens("paper"), state)
    torch.testing.assert_close(found[:, :5], torch.tensor(TEXTS), atol=1e-5, rtol=0)


def test_the_transformer_is_torchs(state):
    tokens = prompt_tokens("pairs")
    x = state["token_embedding.weight"][tokens] + state["positional_embedding"][: tokens.shape[1]]
    mask = nn.Transformer.generate_square_subsequent_mask(tokens.shape[1])
    for block in range(2):
        layer = nn.TransformerEncoderLayer(
            64, 1, 256, 0.0, lambda y: y * torch.sigmoid(1.702 * y), batch_first=True, norm_first=True
        ).eval()
        own = {name.split(".", 3)[3]: part for name, part in state.items() if f"resblocks.{block}." in name}
        names = {"attn": "self_attn", "mlp.c_fc": "linear1", "mlp.c_proj": "linear2", "ln_1": "norm1", "ln_2": "norm2"}
        for old, new in names.items():
            own = {f"{new}{name[len(old) :]}" if name.startswith(old) else name: own[name] for name in own}
        layer.load_state_dict(own)
        x = layer(x, src_mask=mask)
    x = functional.layer_norm(x, (64,), state["ln_final.weight"], state["ln_final.bias"])
    ends = (tokens == 49407).int().argmax(dim=1)
    expected = functional.normalize(x[torch.arange(len(x)), ends] @ state["text_projection"], dim=1)
    torch.testing.assert_close(text_directions(tokens, state), expected.detach(), atol=1e-5, rtol=0)


def test_quality(weights, images):
    measure = ClipIqa(weights=weights).build()
    found = measure(images)
    assert found.dtype == torch.float64
    assert found.tolist() == pytest.approx(QUALITIES, abs=1e-4)
    assert measure.judge(images).reasons == ("", "")
    pairs = ClipIqa(weights=weights, prompts="pairs").build()(images)
    assert ((pairs > 0) & (pairs < 1)).all()
    assert not torch.allclose(pairs, found)
    assert (measure.name, measure.higher_is_better) == ("clip_iqa", True)


def test_a_batch_changes_nothing(weights, images, one_thread):
    measure = ClipIqa(weights=weights, compute_batch=2).build()
    three = torch.cat([images, images[:1]])
    assert measure(three).tolist() == [measure(image[None]).item() for image in three]
    assert measure(images[:0]).shape == (0,)
    assert measure(photo("chelsea")[..., :45, :70]).shape == (1,)  # images keep their size


def test_every_good_text_has_its_bad_one():
    assert all(len(texts) % 2 == 0 for texts in PROMPTS.values())
    assert prompt_tokens("pairs").shape == (10, 6)


def test_missing(weights):
    assert "RN50.pt (its sha256 is in the address)" in ClipIqa().missing()
    with pytest.raises(MeasureUnavailable, match=r"clip_iqa is not available: no CLIP weights at nowhere.pt"):
        ClipIqa(weights="nowhere.pt").build()
    with pytest.raises(ValueError, match="at least 32 x 32 pixels, got 28 x 28"):
        ClipIqa(weights=weights).build()(torch.zeros(1, 3, 28, 28, dtype=torch.uint8))


def test_wrong_files(state, tmp_path):
    path = tmp_path / "clip.pt"

    def refused(match):
        with pytest.raises(ValueError, match=match):
            ClipIqa(weights=str(path)).build()

    path.write_text("no weights")
    refused("not a file of plain weights")
    torch.save(nn.Linear(2, 2), path)  # a pickled object, which could run anything
    refused("not a file of plain weights")
    torch.save({"fc.weight": torch.zeros(2)}, path)
    refused("lacks visual.conv1.weight, visual.attnpool.c_proj.weight")
    torch.save({name: part for name, part in state.items() if "layer3.0.conv2" not in name}, path)
    refused("is not CLIP with a residual network")
    torch.save(state | {"visual.layer2.0.conv1.weight": torch.zeros(8, 8, 1, 1)}, path)
    refused("is not CLIP with a residual network")
    torch.save(state | {"token_embedding.weight": torch.zeros(10, 64)}, path)
    refused("is not CLIP with a residual network")


def test_wrong_settings():
    with pytest.raises(ValueError, match=r"clip_iqa.prompts must be paper or pairs"):
        ClipIqa(prompts="many")
    with pytest.raises(ValueError, match=r"clip_iqa.compute_batch must be at least 1"):
        ClipIqa(compute_batch=0)
