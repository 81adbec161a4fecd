"""The one-way import order, the one house of each outside system, and modules that do nothing at import."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "platform" / "greycard"

# Lines from the bottom up. A module imports only from lines below its own; neighbours on a line stay apart.
LINES = [
    {"schema", "protocols", "places"},
    {"config"},
    {"metrics", "losses", "layers", "datasets"},
    {"tracking", "reports"},
    {"codecs", "generators", "classifiers", "training"},
    {"latent_search", "upsamplers", "serving"},
    {"streaming"},
    {"audits", "tuning", "fitting"},
    {"synthesis"},
    {"studies"},
    {"recipes"},
    {"cli"},
]

HOUSES = {
    "ray.data": {"streaming"},
    "ray.train": {"fitting"},
    "ray.tune": {"tuning"},
    "ray.job_submission": {"cli"},
    "mlflow": {"tracking"},
    "matplotlib": {"reports"},
}


def modules():
    return sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.stem != "__init__")


def part_of(path):
    """The architecture's name for a module: its folder, or its file at the top."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def line_of(part):
    for index, line in enumerate(LINES):
        if part in line:
            return index
    raise AssertionError(f"{part} has no place in the import order: add it to LINES and to the architecture")


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_one_way(path):
    part = part_of(path)
    for name in imports(path):
        if not name.startswith("greycard."):
            continue
        other = name.split(".")[1]
        if other in (part, "__version__"):
            continue
        assert line_of(other) < line_of(part), f"{path.relative_to(PACKAGE)} imports {name} from its own line or above"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_each_outside_system_has_one_house(path):
    for name in imports(path):
        for system, houses in HOUSES.items():
            if name == system or name.startswith(system + "."):
                assert part_of(path) in houses, f"{path.relative_to(PACKAGE)} imports {name}; only {houses} may"


def test_platform_is_a_source_root_and_not_a_package():
    assert not (ROOT / "platform" / "__init__.py").exists()
    code = "import platform; print(platform.system())"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True).stdout.strip()


def test_importing_every_module_does_nothing():
    """No Ray, no threads, no environment, no seeds, no slow model libraries, no warning filters."""
    names = [".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts) for path in modules()]
    names = [name.removesuffix(".__init__") for name in names]
    code = f"""
import os, random, sys, threading, warnings
import numpy, torch, pandas, pyarrow.parquet, pydantic, scipy.stats, matplotlib, ray, ray.data
before = (dict(os.environ), random.getstate(), torch.initial_seed(), list(warnings.filters), threading.active_count(),
          numpy.random.get_state()[1].tolist())
import importlib
for name in {names!r}:
    importlib.import_module(name)
after = (dict(os.environ), random.getstate(), torch.initial_seed(), list(warnings.filters), threading.active_count(),
         numpy.random.get_state()[1].tolist())
labels = ("environment", "random state", "torch seed", "warning filters", "threads", "numpy state")
changed = [label for label, old, new in zip(labels, before, after) if old != new]
assert not changed, changed
assert not ray.is_initialized()
heavy = [name for name in ("compressai", "lpips", "mlflow", "torch_geometric") if name in sys.modules]
assert not heavy, heavy
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
