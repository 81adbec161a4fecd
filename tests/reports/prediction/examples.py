"""Made-up predictors and searches with a known story: a smile is missed more often in one group, until λ is high."""

import numpy as np
import pandas as pd

from greycard.metrics.by_group import Groups
from greycard.metrics.prediction.findings import PredictionConfig, batch_means, summarise
from greycard.metrics.prediction.seeds import compare_seeds
from greycard.metrics.prediction.squeezing import SqueezingConfig, check_squeezing, squeeze
from greycard.metrics.prediction.tables import Predictions

QUICK = PredictionConfig(resamples=60, permutations=40)
GOALS = (("sigma_iou", "min"), ("accuracy", "max"))
LOSSES = {"L_iou": "iou_mean", "L_eo_l2": "eo_l2", "L_eo_mi": "eo_mi", "L_dp_l2": "dp_l2", "L_dp_mi": "dp_mi"}


def predictions(*, missed, seed=0, rows=600, groups=("female", "male"), absent=(), alpha=1.0, attribute="gender"):
    """Predictions of a smile: group 1 is read wrong in a share ``missed`` of images, the others in 8 %."""
    data = np.random.default_rng(7)
    labels = data.integers(0, 2, rows)
    there = [code for code, name in enumerate(groups) if name not in absent]
    codes = np.array(there)[data.integers(0, len(there), rows)]
    draw = np.random.default_rng([seed, 1])
    wrong = draw.random(rows) < np.where(codes == 1, missed, 0.08)
    sure = 0.5 + 0.5 * draw.beta(6, 2, rows)
    decided = np.where(wrong, 1 - labels, labels)
    probabilities = np.stack([np.where(decided == k, sure, 1 - sure) for k in (0, 1)], axis=1)
    if alpha < 1:
        probabilities = squeeze(probabilities, alpha)
    return Predictions(probabilities, labels, Groups(attribute, groups, codes), np.arange(rows) // 2)


def systems(seeds=(0,), **more):
    """Baselines and predictors after a fairness loss: name -> (loss, lam, seed, baseline, predictions)."""
    made = {}
    for seed in seeds:
        base = f"smile-seed{seed}"
        made[base] = ("ce", 0.0, seed, "", predictions(missed=0.25, seed=seed, **more))
        fair = predictions(missed=0.1, seed=100 + seed, **more)
        made[f"smile-iou-lam12.5-seed{seed}"] = ("iou", 12.5, seed, base, fair)
    return made


def frames(made, target="smile"):
    """The frames of a prediction audit (``audits.prediction.tables``), with its columns."""
    found = {"groups": [], "disparities": [], "cells": []}
    rows, squeezed = [], []
    for name, (loss, lam, seed, baseline, rows_of) in made.items():
        parts = summarise(rows_of, QUICK)
        attribute = rows_of.groups.name
        labels = parts.cells["label"].map({0: "no", 1: "yes"})
        cells = parts.cells.assign(label=labels, attribute=attribute)
        for key, frame in (("groups", parts.groups), ("disparities", parts.disparities), ("cells", cells)):
            found[key].append(frame.assign(system=name, target=target))
        everyone = parts.groups[parts.groups["group"] == "all"].set_index("measure")["value"]
        gaps = parts.disparities
        hard = gaps[gaps["decisions"] == "hard"].set_index("measure")["value"]
        soft = gaps[(gaps["decisions"] == "soft") & (gaps["estimate"] == "full_split")].set_index("measure")["value"]
        batch = batch_means(rows_of)
        rows.append(
            {"target": target, "sensitive": attribute, "loss": loss, "lam": lam, "system": name, "seed": seed}
            | {"baseline": baseline, "accuracy": everyone["accuracy"], "accuracy_all": 0.9, "auc": everyone["auc"]}
            | {column: batch[measure] for column, measure in LOSSES.items()}
            | {f"{column}_full": soft[measure] for column, measure in LOSSES.items()}
            | {measure: hard[measure] for measure in ("sigma_iou", "dp_difference", "eo_difference")}
            | {"ece": everyone["ece"], "count": len(rows_of.labels)}
        )
        if baseline:
            check = check_squeezing(made[baseline][-1], rows_of, SqueezingConfig(resamples=30))
            verdicts = check.gains["measure"].map(check.verdicts)
            squeezed.append(check.gains.assign(verdict=verdicts, attribute=attribute, system=name, target=target))
    joined = {key: pd.concat(parts, ignore_index=True) for key, parts in found.items()}
    squeezing = pd.concat(squeezed, ignore_index=True) if squeezed else None
    return joined | {"table": pd.DataFrame(rows), "squeezing": squeezing}


def comparison(made):
    """The comparison of the seeds' baselines and of what was trained from them."""
    pairs = [(made[baseline][-1], rows) for *_, baseline, rows in made.values() if baseline]
    return compare_seeds([pair[0] for pair in pairs], [pair[1] for pair in pairs], QUICK)


def trials(count=20, *, failed=(4, 11), stopped=(7,), kinds=("iou",), seeds=(0, 1), seed=0):
    """Trials of a search for λ: σ_IOU falls with log λ, accuracy too beyond λ = 30."""
    draw = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        lam = float(10 ** draw.uniform(-1, 3))
        row = {"number": number, "status": "finished", "error": "", "attempts": 1, "seconds": 12.5 + number}
        row |= {"param/fair.lam": lam} | ({"param/fair.kind": kinds[number % len(kinds)]} if len(kinds) > 1 else {})
        strength = (np.log10(lam) + 1) / 4
        sigma = 0.08 * (1 - 0.8 * strength) + draw.normal(0, 0.004)
        right = 0.86 - 0.03 * max(0.0, strength - 0.5) + draw.normal(0, 0.003)
        means = {"sigma_iou": abs(sigma), "accuracy": right, "ece": 0.03 + 0.05 * strength, "loss": 0.4 + lam / 900}
        for name, value in means.items():
            row[f"metric/{name}"] = value
            spread = 0.1 * value if name != "accuracy" else 0.006
            row |= {f"metric/{name}/seed{k}": value + spread * (k - (len(seeds) - 1) / 2) for k in seeds}
        if number in failed or number in stopped:
            row |= {name: np.nan for name in row if name.startswith("metric/")}
            reason = "loss was nan after 3 epochs; 1 retry" if number in failed else ""
            row |= {"status": "failed" if number in failed else "stopped", "error": reason, "attempts": 2}
        rows.append(row)
    return pd.DataFrame(rows)


BASELINE = {"sigma_iou": 0.083, "accuracy": 0.862, "ece": 0.031, "loss": 0.41}
CODEC_GOALS = (("psnr_gap_db", "min"), ("bpp", "min"), ("psnr_db", "max"))
CODEC_BASELINE = {"psnr_gap_db": 1.35, "bpp": 0.42, "psnr_db": 31.2}


def codec_trials(count=12, seed=0):
    """Trials of codecs with a parity term: three goals."""
    draw = np.random.default_rng(seed)
    mu = 10 ** draw.uniform(-3, 1, count)
    strength = (np.log10(mu) + 3) / 4
    return pd.DataFrame(
        {
            "number": range(count),
            "status": "finished",
            "error": "",
            "attempts": 1,
            "seconds": 40.0,
            "param/parity.mu": mu,
            "metric/psnr_gap_db": 1.4 - strength + draw.normal(0, 0.05, count),
            "metric/bpp": 0.42 + 0.06 * strength + draw.normal(0, 0.01, count),
            "metric/psnr_db": 31.2 - 0.5 * strength + draw.normal(0, 0.1, count),
        }
    )


def codec_comparison():
    """A comparison of codecs: one gap, two costs, neither hard nor soft."""
    blank = {"reduction": np.nan, "reduction_low": np.nan, "reduction_high": np.nan}
    same = {"decisions": "", "level": 0.95, "seeds": 3, "count": 800}
    return pd.DataFrame(
        [
            {"measure": "psnr_gap_db", "baseline": 1.35, "fair": 0.8, "difference": -0.55, "low": -0.7, "high": -0.3}
            | {"reduction": 0.41, "reduction_low": 0.22, "reduction_high": 0.52},
            {"measure": "psnr_db", "baseline": 31.2, "fair": 31.0, "difference": -0.2, "low": -0.4, "high": 0.0}
            | blank,
            {"measure": "bpp", "baseline": 0.42, "fair": 0.44, "difference": 0.02, "low": 0.01, "high": 0.03} | blank,
        ]
    ).assign(**same)
