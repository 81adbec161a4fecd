"""A made-up audit with a known story: a hyperprior trained on mostly light faces lightens dark skin at low rates."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from greycard.schema import PHENOTYPES, RACE

RACES = RACE.classes
TYPICAL = {"African": 4, "Asian": 2, "Caucasian": 1, "Indian": 3}  # code of the skin type nearly all have
JPEG = {1.0: 0.35, 5.0: 0.5, 20.0: 0.9}
NEURAL = {1e-4: 0.023, 1e-3: 0.12, 5e-3: 0.4}
# share of African faces whose skin is read right, by system and point
READ = {
    "raw": {0.0: 0.93},
    "jpeg": {1.0: 0.85, 5.0: 0.9, 20.0: 0.93},
    "hyperprior_celeba_like": {1e-4: 0.62, 1e-3: 0.84, 5e-3: 0.92},
    "hyperprior_balanced": {1e-4: 0.8, 1e-3: 0.9, 5e-3: 0.93},
}
ATTRIBUTES = {"race": RACES, **{name: attribute.classes for name, attribute in PHENOTYPES.items()}}


def rate_of(system, point):
    return 0.0 if system == "raw" else (JPEG if system == "jpeg" else NEURAL)[point]


def audit_table(images=480, *, missing=(), failed=3, tasks=("skin_type", "eye_type", "hair_type"), seed=0):
    """An audit table (schema.py's columns) of ``images`` images; ``missing`` races have none, LPIPS is absent."""
    draw = np.random.default_rng(seed)
    races = [race for race in RACES if race not in missing]
    race = np.array(races)[np.arange(images) // 2 % len(races)]
    skin = np.array([TYPICAL[name] for name in race])
    labels = {"skin_type": skin, "eye_type": draw.integers(0, 2, images), "hair_type": draw.integers(0, 4, images)}
    columns = {name: [] for name in ("system", "point", "image_id", "identity", "status", "error", "race")}
    numbers = {name: [] for name in ("bpp_estimated", "bpp_payload", "bpp_total", "psnr_db", "ssim", "mse")}
    texts = {task: [] for task in tasks}
    predictions = {f"pred_{task}": [] for task in tasks}
    for system, points in READ.items():
        for point, share in points.items():
            rate = rate_of(system, point)
            bad = np.arange(images) < (failed if system == "jpeg" else 0)
            columns["system"] += [system] * images
            columns["point"] += [point] * images
            columns["image_id"] += [f"face-{i:05d}" for i in range(images)]
            columns["identity"] += [f"person-{i // 2:05d}" for i in range(images)]
            columns["status"] += ["failed" if flag else "ok" for flag in bad]
            columns["error"] += ["truncated image" if flag else "" for flag in bad]
            columns["race"] += race.tolist()
            blank = np.where(bad, np.nan, 1.0)
            estimated = np.nan if system in ("raw", "jpeg") else rate
            numbers["bpp_estimated"] += (blank * estimated * draw.normal(1, 0.05, images)).tolist()
            numbers["bpp_payload"] += (blank * (rate + 0.01) * draw.normal(1, 0.05, images)).tolist()
            numbers["bpp_total"] += (blank * (rate + 0.05) * draw.normal(1, 0.05, images)).tolist()
            psnr = 60.0 if system == "raw" else 31 + 4 * np.log2(rate / 0.2) / 3
            numbers["psnr_db"] += (blank * (psnr + draw.normal(0, 1, images) + (race == "Asian") * 0.3)).tolist()
            numbers["ssim"] += (blank * np.clip(0.92 + 0.05 * np.log2((rate + 0.01) / 0.2) / 3, 0, 1)).tolist()
            numbers["mse"] += (blank * 255**2 / 10 ** (psnr / 10)).tolist()
            for task in tasks:
                codes = labels[task]
                texts[task] += np.array(ATTRIBUTES[task])[codes].tolist()
                right = np.where((race == "African") & (task == "skin_type"), share, 0.95)
                right = np.where((race == "Asian") & (task == "eye_type"), 0.6 + share * 0.2, right)
                seeds = draw.random((images, 3)) < right[:, None]
                wrong = np.where(codes > 0, codes - (2 if task == "skin_type" else 1), 1)
                predicted = np.where(seeds, codes[:, None], np.maximum(wrong, 0)[:, None]).astype(np.int8)
                predicted[bad] = -1
                predictions[f"pred_{task}"] += predicted.tolist()
    return pa.table(
        {
            **columns,
            **numbers,
            **{task: pa.array(values).dictionary_encode() for task, values in texts.items()},
            **{name: pa.array(values, pa.list_(pa.int8())) for name, values in predictions.items()},
        }
    )


def png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def flat_face(index, race):
    """A plain patch, darker the higher the skin type."""
    level = 220 - 30 * TYPICAL[race] + index % 7
    return np.full((64, 64, 3), (level, int(level * 0.8), int(level * 0.7)), np.uint8)


def write_reconstructions(folder, table, *, face=flat_face, each=3):
    """Reconstruction sets as the audit writes them: one row per image, lists aligned with the points."""
    frame = table.to_pandas()
    for system, rows in frame.groupby("system", sort=False):
        listed = []
        for image_id, part in rows.groupby("image_id", sort=False):
            first = part.iloc[0]
            index = int(image_id.removeprefix("face-"))
            if index >= 8 * each:
                continue
            images = []
            for point, status in zip(part["point"], part["status"], strict=True):
                pixels = face(index, first["race"]).astype(float)
                lost = 1 - READ[system][point] / 0.95
                mixed = pixels * (1 - lost) + 170 * lost if system.startswith("hyper") else pixels
                images.append(png(mixed.clip(0, 255).astype(np.uint8)) if status == "ok" else b"")
            listed.append(
                {
                    "image_id": image_id,
                    "identity": first["identity"],
                    "race": first["race"],
                    "skin_type": first["skin_type"],
                    **{name: part[name].tolist() for name in ("point", "status", "error")},
                    **{name: part[name].tolist() for name in ("bpp_estimated", "bpp_payload", "bpp_total")},
                    "pred_skin_type": [np.asarray(codes).tolist() for codes in part["pred_skin_type"]],
                    "reconstruction": images,
                }
            )
        (folder / system).mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(listed), folder / system / "part-0.parquet", row_group_size=5)
