"""A made-up study with a known story: a generator that shows the first classes most, and one that shows all evenly."""

import io
from types import SimpleNamespace

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

from greycard.metrics.generation.discrepancy import (
    ShareCounts,
    corrected_shares,
    discrepancy,
    discrepancy_interval,
    discrepancy_over_splits,
    sampling_floor,
)
from greycard.metrics.generation.references import compare_references, frechet_between_groups, long_tail
from greycard.metrics.generation.states import FeatureMoments
from greycard.reports.generation.evidence import Samples, Way

DIGITS = tuple(str(digit) for digit in range(10))
VARIANTS = {
    "real-seed0": "real", "reweighting-seed0": "reweighting", "syn-seed0": "syn", "syn_bias-seed0": "syn_bias",
}  # fmt: skip
WAYS = (
    Way(name="latent search", method="search", set="set-search", system="syn_bias-seed0"),
    Way(name="rejection sampling", method="rejection", set="set-rejection"),
    Way(name="reweighting", system="reweighting-seed0"),
)
_NOTHING = {"sd": np.nan, "low": np.nan, "high": np.nan, "splits": 1, "floor": np.nan, "note": ""}


def shares_of(system, classes):
    """True shares of a system's images."""
    count, tail = len(classes), long_tail(len(classes))
    even = np.full(count, 1 / count)
    lean = {"real-seed0": 1.0, "reweighting-seed0": 0.97, "syn-seed0": 0.08, "syn_bias-seed0": 0.04}.get(system, 0.0)
    return lean * tail + (1 - lean) * even


def frames(systems=(*VARIANTS, "set-search", "set-rejection"), *, classes=DIGITS, never=(), images=4000, seed=0):
    """The frames of a generation audit; ``real-seed0`` never shows the classes ``never``."""
    draw = np.random.default_rng(seed)
    count = len(classes)
    confusion = draw.multinomial(200, np.full(count, 0.004) + np.eye(count) * (1 - 0.004 * count))
    confusion = confusion.astype(np.int64)
    centres = draw.normal(size=(count, 6)) * 1.5
    real = [_moments(draw, centre, 100, 1.0) for centre in centres]
    halves = [[_moments(draw, centre, 50, 1.0) for centre in centres] for _ in range(2)]
    scores, shares, groups, references = [], [], [], []
    for system in ("reference", *systems):
        own = system == "reference"
        true = shares_of(system, classes)
        if system == "real-seed0":
            true = np.where(np.isin(classes, never), 0, true)
        labels = draw.choice(count, size=1000 if own else images, p=true / true.sum())
        state = ShareCounts.zero(count, 10).add(np.eye(count)[labels] * 0.9 + 0.1 / count, np.arange(len(labels)) % 10)
        found = state.finish()
        corrected = corrected_shares(found.hard, confusion).shares
        shares += [
            {"system": system, "code": code, "label": name, "hard": found.hard[code], "soft": found.soft[code]}
            | {"corrected": corrected[code], "even": 1 / count, "count": int(found.counts[code])}
            for code, name in enumerate(classes)
        ]
        parts = [_moments(draw, centre + 0.15, int(n), 1.1) for centre, n in zip(centres, found.counts, strict=True)]
        head = {"system": system, "variant": VARIANTS.get(system, ""), "seed": 0}
        scores += [head | row for row in _scores(found, corrected, confusion, own, system)]
        pairs = frechet_between_groups(*(halves if own else (parts, real)), classes)
        groups.append(pairs.assign(system=system, measure="frechet[aux]"))
        references.append(
            compare_references(real if own else parts, real).assign(system=system, measure="frechet[aux]")
        )
    cells = [
        {"label": classes[b], "predicted": classes[a], "count": int(confusion[b, a])}
        for b in range(count)
        for a in range(count)
    ]
    failed = [
        {"system": name, "n_in": images, "n_ok": images - 1, "n_failed": 1, "reasons": "1 x truncated"}
        for name in ("reference", *systems)
    ]
    return {
        "scores": pd.DataFrame(scores),
        "shares": pd.DataFrame(shares),
        "frechet_groups": pd.concat(groups, ignore_index=True),
        "references": pd.concat(references, ignore_index=True),
        "confusion": pd.DataFrame(cells),
        "counts": pd.DataFrame(failed),
    }


def _moments(draw, centre, count, spread):
    return FeatureMoments.zero(len(centre)).add(centre + spread * draw.normal(size=(count, len(centre))))


def _scores(found, corrected, confusion, own, system):
    images, classes = int(found.counts.sum()), len(found.counts)
    each = images / len(found.hard_splits)
    by_view = {
        "hard": (found.hard, found.hard_splits),
        "soft": (found.soft, found.soft_splits),
        "corrected": (corrected, np.array([corrected_shares(part, confusion).shares for part in found.hard_splits])),
    }
    for view, (pooled, splits) in by_view.items():
        over = discrepancy_over_splits(splits, each)
        yield _NOTHING | {
            "measure": f"discrepancy[{view}]", "value": over.mean, "sd": over.sd, "n": each, "splits": over.splits,
            "floor": over.floor, "note": "condition number 1.05 of the confusion matrix" if view == "corrected" else "",
        }  # fmt: skip
        row = {"measure": f"discrepancy_pooled[{view}]", "value": float(discrepancy(pooled)), "n": images}
        bounds = discrepancy_interval(found.counts, resamples=100)
        ends = {"low": bounds.low, "high": bounds.high} if view == "hard" else {}
        yield _NOTHING | row | ends | {"floor": sampling_floor(classes, images)}
    uneven = float(discrepancy(found.hard))
    values = {"frechet[aux]": 3 + 30 * uneven, "precision[aux]": 0.7, "recall[aux]": 0.5, "classifier_score[aux]": 8.0}
    values["kernel_distance[aux]"] = float("nan") if system == "set-search" else 0.02 + uneven / 10
    for name, value in values.items():
        note = "subset of 1000 of 900 images" if np.isnan(value) else ""
        floor = (
            np.nan
            if name.startswith("classifier")
            else {"frechet[aux]": 1.2, "kernel_distance[aux]": 0.0004}.get(name, value)
        )
        yield _NOTHING | {"measure": name, "value": floor if own else value, "n": images, "floor": floor, "note": note}


def account(method, *, classes=DIGITS, count=500, short=None, per_draw=None):
    """The account of a synthesis; ``short`` is class -> images that are missing."""
    short = short or {}
    counts, lineages, near, cost = [], [], [], []
    for code, label in enumerate(classes):
        head = {"method": method, "code": code, "label": label}
        chosen = count - short.get(label, 0)
        for split, wanted in (("train", count * 9 // 10), ("val", count - count * 9 // 10)):
            got = min(wanted, chosen if split == "train" else max(0, chosen - count * 9 // 10))
            counts.append(head | {"split": split, "wanted": wanted, "chosen": got, "short": wanted - got})
        draws = chosen * (2 if method == "search" else 4 + 4 * code)
        for number in range(10):
            lost = label in short and number > 6
            lineages.append(
                head
                | {"lineage": number, "seed": 1000 * number, "found": None if lost else 1000 * number + 3}
                | {"status": "failed" if lost else "ok", "error": "no start in 1,000 seeds" if lost else ""}
                | {"looked": 4, "evaluated": draws // 10 - 4, "chosen": chosen // 10}
            )
        share = 0.12 if method == "search" else 0.02
        near.append(head | {"images": chosen, "near": share, "gap": 0.3, "flagged": 0.2 if method == "search" else 0.0})
        seeds, latents = (40, draws - 40) if method == "search" else (draws, draws)
        cost.append(
            head
            | {"looked": seeds, "evaluated": latents, "kept": chosen, "chosen": chosen}
            | {"evaluated_per_chosen": draws / chosen}
        )
    return SimpleNamespace(
        counts=pd.DataFrame(counts),
        lineages=pd.DataFrame(lineages).astype({"found": "Int64"}),
        duplicates=pd.DataFrame(near),
        cost=pd.DataFrame(cost),
    )


def picture(label, place, side=32):
    """A small image with its class written on it, as PNG."""
    draw = np.random.default_rng(place)
    image = Image.new("RGB", (side, side), tuple(int(value) for value in draw.integers(0, 110, 3)))
    ImageDraw.Draw(image).text((6 + int(draw.integers(0, 8)), 6 + int(draw.integers(0, 6))), label[:4], fill="white")
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def samples(system, *, classes=DIGITS, count=60, never=()):
    """The first images of a system."""
    true = np.where(np.isin(classes, never), 0, shares_of(system, classes))
    labels = np.random.default_rng(3).choice(classes, size=count, p=true / true.sum())
    return Samples(images=[picture(name, place) for place, name in enumerate(labels)], labels=labels.tolist())


def lineages(classes=DIGITS[:3], members=13):
    """One lineage per class: each came from an earlier one; every fifth is a duplicate."""
    rows = []
    for label in classes:
        for number in range(members):
            parent = -1 if number == 0 else (number - 1) // 3
            depth = 0 if number == 0 else rows[len(rows) - number + parent]["depth"] + 1
            rows.append(
                {"image_id": f"{label}-0-{number}", "label": label, "lineage": 0, "seed": 17, "number": number}
                | {"parent": parent, "depth": depth, "distance": 0.3 * depth, "duplicate": number % 5 == 4}
                | {"chosen": number < 10, "image": picture(label, number // 5 if number % 5 == 4 else number)}
            )  # fmt: skip
    return pd.DataFrame(rows)


def history(seed=0, ticks=12, *, shares=False):
    """The metrics of a training's ticks."""
    draw = np.random.default_rng(seed)
    return [
        {"images": 20_000.0 * (tick + 1), "generator": 1.1 + draw.normal(0, 0.05), "discriminator": 1.2}
        | {"score/real": 0.4 + 0.02 * tick, "score/generated": -0.4, "r1": 0.03 / (tick + 1)}
        | ({"shares": 0.15 * np.exp(-tick / 3)} if shares else {})
        for tick in range(ticks)
    ]
