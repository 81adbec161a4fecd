"""Small CLIP weights of a formula, so that another implementation can be given the same ones."""

import torch


def _norm(name, channels):
    return {f"{name}.{part}": (channels,) for part in ("weight", "bias", "running_mean", "running_var")}


def _shapes(width, text, out, words):
    shapes = {
        "visual.conv1.weight": (width // 2, 3, 3, 3),
        "visual.conv2.weight": (width // 2, width // 2, 3, 3),
        "visual.conv3.weight": (width, width // 2, 3, 3),
    }
    for number, channels in ((1, width // 2), (2, width // 2), (3, width)):
        shapes |= _norm(f"visual.bn{number}", channels)
    inside = width
    for stage, blocks in enumerate((1, 2, 1, 1), start=1):
        middle = width * 2 ** (stage - 1)
        for block in range(blocks):
            name = f"visual.layer{stage}.{block}"
            shapes[f"{name}.conv1.weight"] = (middle, inside, 1, 1)
            shapes[f"{name}.conv2.weight"] = (middle, middle, 3, 3)
            shapes[f"{name}.conv3.weight"] = (4 * middle, middle, 1, 1)
            for number, channels in ((1, middle), (2, middle), (3, 4 * middle)):
                shapes |= _norm(f"{name}.bn{number}", channels)
            if not block:
                shapes[f"{name}.downsample.0.weight"] = (4 * middle, inside, 1, 1)
                shapes |= _norm(f"{name}.downsample.1", 4 * middle)
            inside = 4 * middle
    for part, channels in (("q_proj", inside), ("k_proj", inside), ("v_proj", inside), ("c_proj", out)):
        shapes[f"visual.attnpool.{part}.weight"] = (channels, inside)
        shapes[f"visual.attnpool.{part}.bias"] = (channels,)
    shapes |= {"token_embedding.weight": (words, text), "positional_embedding": (77, text)}
    for block in range(2):
        name = f"transformer.resblocks.{block}"
        shapes |= {f"{name}.attn.in_proj_weight": (3 * text, text), f"{name}.attn.in_proj_bias": (3 * text,)}
        for part, sizes in (
            ("attn.out_proj", (text, text)),
            ("mlp.c_fc", (4 * text, text)),
            ("mlp.c_proj", (text, 4 * text)),
        ):
            shapes |= {f"{name}.{part}.weight": sizes, f"{name}.{part}.bias": sizes[:1]}
        for part in ("ln_1", "ln_2"):
            shapes |= {f"{name}.{part}.weight": (text,), f"{name}.{part}.bias": (text,)}
    return shapes | {"ln_final.weight": (text,), "ln_final.bias": (text,), "text_projection": (text, out)}


def clip_state(width=4, text=64, out=32, words=49408):
    """Return weights under OpenAI's names: scattered by a formula, as wide as keeps the layers' outputs near 1."""
    state = {}
    for index, (name, shape) in enumerate(_shapes(width, text, out, words).items()):
        places = torch.arange(torch.Size(shape).numel(), dtype=torch.float64)
        values = (torch.sin(places * 12.9898 + index * 78.233) * 43758.5453).frac()  # in (-1, 1)
        if name.endswith("running_var") or (len(shape) == 1 and name.endswith("weight")):
            values = 1 + values / 2
        elif len(shape) > 1 and not name.endswith("embedding.weight"):
            values = values * 2.4 / torch.Size(shape[1:]).numel() ** 0.5
        state[name] = values.reshape(shape).float()
    return state | {"logit_scale": torch.tensor(100.0).log()}
