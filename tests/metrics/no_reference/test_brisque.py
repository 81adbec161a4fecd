"""BRISQUE's features against the public implementation (brisque 0.2.0), its regression against scikit-learn's."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.svm import SVR
from torchvision.transforms.functional import gaussian_blur

from greycard.metrics.full_reference.lpips import MeasureUnavailable
from greycard.metrics.no_reference import support_vectors
from greycard.metrics.no_reference.brisque import FEATURES, Brisque, brisque_features
from tests.metrics.no_reference.photos import WEIGHTS, photo

# fmt: off
CHELSEA = [
    1.4638097, 0.2344427, 0.5428466, 0.0523016, 0.0563258, 0.1082462, 0.5441354, 0.0221168, 0.0696711, 0.0916133,
    0.5469837, -0.0350383, 0.0986543, 0.0639563, 0.5268695, 0.0023088, 0.079335, 0.0816648, 1.6464204, 0.2996125,
    0.5961075, 0.0089408, 0.1231552, 0.1339242, 0.5985375, -0.0270009, 0.1414562, 0.1094423, 0.6046811, -0.0349738,
    0.1361929, 0.0964974, 0.5826518, -0.0280231, 0.1382613, 0.1051581,
]
# fmt: on


def write_model(path, machine):
    """Write a scikit-learn regression as libsvm does."""
    lines = ["svm_type epsilon_svr", "kernel_type rbf", f"gamma {machine.gamma}", "nr_class 2"]
    lines += [f"total_sv {len(machine.support_)}", f"rho {-machine.intercept_[0]}", "SV"]
    for coefficient, vector in zip(machine.dual_coef_[0], machine.support_vectors_, strict=True):
        entries = [f"{place}:{value}" for place, value in enumerate(vector.tolist(), start=1) if value]
        lines.append(" ".join([f"{coefficient}", *entries]))
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def machine():
    random = np.random.default_rng(0)
    features = np.where(random.random((60, FEATURES)) < 0.1, 0.0, random.uniform(-1, 1, (60, FEATURES)))
    return SVR(gamma=0.05, C=50.0).fit(features, 50 + 20 * features[:, 0] + 10 * features[:, 5])


@pytest.fixture(scope="module")
def files(machine, tmp_path_factory):
    folder = tmp_path_factory.mktemp("brisque")
    write_model(folder / "svm.txt", machine)
    (folder / "ranges.json").write_text(json.dumps({"min": [-0.2] * FEATURES, "max": [2.0] * FEATURES}))
    return (str(folder / "svm.txt"), str(folder / "ranges.json"))


def test_features_of_a_photo():
    np.testing.assert_allclose(brisque_features(photo("chelsea")[0].numpy()), CHELSEA, atol=1e-6)


def test_regression_is_scikit_learns(machine, files):
    model = support_vectors.read(files[0], FEATURES)
    points = np.random.default_rng(1).uniform(-1, 1, (5, FEATURES))
    assert [model(point)[0] for point in points] == pytest.approx(machine.predict(points).tolist(), abs=1e-9)


def test_score_of_a_photo(machine, files):
    measure = Brisque(weights=files, regression="own").build()
    scaled = 2 * (np.array(CHELSEA) + 0.2) / 2.2 - 1
    assert measure(photo("chelsea")).item() == pytest.approx(machine.predict(scaled[None])[0], abs=1e-4)
    assert (measure.name, measure.higher_is_better) == ("brisque[own]", False)


def test_a_batch_changes_nothing(files):
    measure = Brisque(weights=files).build()
    images = torch.cat([photo("chelsea")[..., :64, :64], photo("coffee")[..., :64, :64]])
    assert measure(images).tolist() == [measure(image[None]).item() for image in images]
    assert measure(images[:0]).shape == (0,)


@pytest.mark.skipif(not (WEIGHTS / "svm.txt").is_file(), reason="GREYCARD_QUALITY_WEIGHTS names no BRISQUE")
def test_published_regression():
    measure = Brisque(weights=(str(WEIGHTS / "svm.txt"), str(WEIGHTS / "brisque_ranges.json"))).build()
    found = [measure(photo(name)).item() for name in ("chelsea", "coffee", "astronaut", "rocket")]
    assert found[:2] == pytest.approx([2.870766629458302, 3.0479264284828957], abs=1e-3)
    assert found[2:] == pytest.approx([10.795087726454511, 4.231796358687205], abs=0.02)  # flat places
    clean = photo("chelsea")
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    noisy = [(clean + sigma * noise).round().clip(0, 255).to(torch.uint8) for sigma in (0, 15, 40)]
    blurred = [clean, *(gaussian_blur(clean, 17, sigma) for sigma in (1.0, 3.0))]
    for images in (noisy, blurred):
        values = measure(torch.cat(images)).tolist()
        assert values == sorted(values)
        assert values[2] > values[0] + 20


def test_saturation_is_said(files, tmp_path):
    tiny = photo("astronaut")[..., ::10, ::10][..., :32, :32]  # the packages' root finder runs off: -rho
    values, reasons = Brisque(weights=files).build().judge(tiny)
    assert torch.isnan(values).all()
    assert "saturated: too small or too flat for a distribution to be fitted" in reasons
    (tmp_path / "far.json").write_text(json.dumps({"min": [90.0] * FEATURES, "max": [91.0] * FEATURES}))
    values, reasons = Brisque(weights=(files[0], str(tmp_path / "far.json"))).build().judge(photo("chelsea"))
    assert torch.isnan(values).all()
    assert reasons[0].startswith("saturated: beyond the reach of the support vectors, the answer is always ")
    flat = torch.full((1, 3, 32, 32), 9, dtype=torch.uint8)
    assert torch.isnan(Brisque(weights=files).build()(flat)).all()


def test_small_images_are_refused(files):
    with pytest.raises(ValueError, match="at least 16 x 16 pixels, got 8 x 40; measure larger images"):
        Brisque(weights=files).build()(torch.zeros(1, 3, 8, 40, dtype=torch.uint8))


def test_missing(files):
    assert "no BRISQUE model named; take models/svm.txt" in Brisque().missing()
    with pytest.raises(MeasureUnavailable, match=r"brisque\[imquality-svm\] is not available: .* at nowhere.json"):
        Brisque(weights=(files[0], "nowhere.json")).build()


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (("kernel_type rbf", "kernel_type linear"), "it is epsilon_svr with kernel linear"),
        (("svm_type epsilon_svr", "svm_type c_svc"), "it is c_svc with kernel rbf"),
        (("\nSV\n", "\n"), "it has no line SV"),
        (("total_sv ", "total_sv 1"), "support vectors"),
        ((" 3:", " 37:"), "it has a feature 37"),
        (("gamma ", "gamma x"), "could not convert"),
        (("rho ", "row "), "'rho'"),
    ],
)
def test_wrong_models(files, tmp_path, change, match):
    text = Path(files[0]).read_text()
    (tmp_path / "svm.txt").write_text(text.replace(*change))
    with pytest.raises(ValueError, match=f"is not a libsvm model of a regression.*{match}"):
        Brisque(weights=(str(tmp_path / "svm.txt"), files[1])).build()


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("", "is not JSON of the features' ranges"),
        ("[1]", "is not JSON of the features' ranges"),
        ('{"min": [0]}', "is not JSON of the features' ranges"),
        ('{"min": [0], "max": [1]}', r"must hold 36 numbers under min.*got \(1,\)"),
        (json.dumps({"min": [1.0] * 36, "max": [1.0] * 36}), "each below the one under max"),
    ],
)
def test_wrong_ranges(files, tmp_path, content, match):
    (tmp_path / "ranges.json").write_text(content)
    with pytest.raises(ValueError, match=match):
        Brisque(weights=(files[0], str(tmp_path / "ranges.json"))).build()


def test_wrong_settings():
    with pytest.raises(ValueError, match=r"brisque.weights must be two files"):
        Brisque(weights=("svm.txt",))
    with pytest.raises(ValueError, match=r"brisque.regression must be letters"):
        Brisque(regression="a b")
