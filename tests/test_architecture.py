"""The one-way import order, the one house of each outside system, and modules that do nothing at import."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "platform" / "greycard"
FIRST_PARTY = ("greycard", "jobs", "tune_spaces")

# Lines from the bottom up. A module imports only from lines below its own; neighbours on a line stay apart.
LINES = [
    {"schema", "class_codes", "protocols", "places", "seeds", "progress"},
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
    {"tune_spaces"},
    {"jobs"},
]

HOUSES = {
    "ray.data": {"streaming"},
    "ray.train": {"fitting"},
    "ray.tune": {"tuning"},
    "ray.job_submission": {"cli"},
    "mlflow": {"tracking"},
    "matplotlib": {"reports"},
    "tqdm": {"progress"},
}

# Families are folders, and a family knows nothing of another one; what two of them need stands beside the folders.
FAMILIES = {
    "audits": {"restoration", "prediction", "generation"},
    "metrics": {"restoration", "prediction", "generation"},
}

NAMED_TUPLE = {"_asdict", "_fields", "_make", "_replace"}  # public, whatever they look like

JOBS_LINES = 2500  # verbs, their tables of recipes, and benchmarks; everything else belongs in the package


def package_modules():
    return sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.stem != "__init__")


def modules():
    beside = (path for name in ("jobs", "tune_spaces") for path in (ROOT / name).rglob("*.py"))
    return [*package_modules(), *sorted(beside)]


def name_of(path):
    """The dotted name of a module."""
    base = PACKAGE.parent if path.is_relative_to(PACKAGE) else ROOT
    return ".".join(path.relative_to(base).with_suffix("").parts).removesuffix(".__init__")


def part_of(name):
    """The architecture's name for a dotted one: its folder in the package, or ``jobs`` or ``tune_spaces``."""
    parts = name.split(".")
    return parts[0] if parts[0] != "greycard" else parts[1] if len(parts) > 1 else ""


def family_of(name):
    """The family's folder that a dotted name lies in, "" if none."""
    parts = name.split(".")
    return f"{parts[1]}.{parts[2]}" if len(parts) > 2 and parts[2] in FAMILIES.get(parts[1], ()) else ""


def imports(path, *, when_run=False):
    """Names that a module imports; when it runs, those for types alone are left out."""
    tree = ast.parse(path.read_text())
    typing = [node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)]
    unseen = {inner for node in typing for inner in ast.walk(node)} if when_run else set()
    for node in ast.walk(tree):
        if node in unseen:
            continue
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


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_imports_go_one_way(path):
    part = part_of(name_of(path))
    for name in imports(path):
        other = part_of(name)
        if name.split(".")[0] not in FIRST_PARTY or other in (part, "", "__version__"):
            continue
        assert line_of(other) < line_of(part), f"{name_of(path)} imports {name} from its own line or above"


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_families_stay_apart(path):
    family = family_of(name_of(path))
    for name in imports(path):
        other = family_of(name)
        if family and other.split(".")[0] == family.split(".")[0]:
            assert other == family, f"{name_of(path)} imports {name} of another family"


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_each_outside_system_has_one_house(path):
    part = part_of(name_of(path))
    for name in imports(path):
        for system, houses in HOUSES.items():
            if part != "jobs" and (name == system or name.startswith(system + ".")):
                assert part in houses, f"{name_of(path)} imports {name}; only {houses} may"


def is_private(name):
    return any(part.startswith("_") and not part.endswith("__") for part in name.split("."))


def root_of(node):
    """The name that a chain of attributes starts from, as in ``root.module.Class.attribute``."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def is_call(node, *names):
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names


def bound_by_imports(tree):
    """Local names that stand for something of another module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from ((alias.asname or alias.name).split(".")[0] for alias in node.names)


def trespasses(source):
    """Say where a module's text takes a private name of another module, or changes anything of another module."""
    tree = ast.parse(source)
    foreign = set(bound_by_imports(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            if any(is_private(name) or name == "unittest" for name in names):
                yield ast.unparse(node)
        elif isinstance(node, ast.Attribute) and root_of(node) in foreign:
            if is_private(node.attr) and node.attr not in NAMED_TUPLE:
                yield ast.unparse(node)
            elif isinstance(node.ctx, ast.Store | ast.Del):
                yield f"{ast.unparse(node)} = ..."
        elif is_call(node, "setattr", "delattr") and root_of(node.args[0]) in foreign:
            yield ast.unparse(node)


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_nobody_takes_private_names_of_another_module_or_patches_it(path):
    assert not list(trespasses(path.read_text()))


@pytest.mark.parametrize(
    "source",
    [
        "from greycard.audits.run import _plan",
        "from torch.nn.modules._functions import SyncBatchNorm",
        "import a._b",
        "from unittest import mock",
        "from greycard import audits\naudits.run._plan(1)",
        "import ray.data\nray.data.DataContext._set_current(None)",
        "from greycard.audits import systems\nsystems.Decode = None",
        "from greycard.audits import systems\nsetattr(systems, 'Decode', None)",
    ],
)
def test_trespasses_are_seen(source):
    assert len(list(trespasses(source))) == 1


def test_a_module_may_do_as_it_likes_with_its_own_names():
    source = "import a\nclass C:\n    def f(self):\n        self._x = C._y\n        return a.Row._fields, a.__version__"
    assert not list(trespasses(source))


def test_no_two_modules_import_each_other():
    """Not even by a detour: the order of lines says nothing about modules of one folder."""
    known = {name_of(path): path for path in modules()}
    below = {
        name: {found for found in imports(path, when_run=True) if found in known and found != name}
        for name, path in known.items()
    }
    while leaves := [name for name, needed in below.items() if not needed & below.keys()]:
        for name in leaves:
            del below[name]
    assert not below, f"import circles among {sorted(below)}"


def test_jobs_hold_verbs_only():
    lines = sum(len(path.read_text().splitlines()) for path in (ROOT / "jobs").rglob("*.py"))
    assert lines <= JOBS_LINES, "library logic belongs in the package"


def test_platform_is_a_source_root_and_not_a_package():
    assert not (ROOT / "platform" / "__init__.py").exists()
    code = "import platform; print(platform.system())"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True).stdout.strip()


def test_importing_every_module_does_nothing():
    """No Ray, no threads, no environment, no seeds, no slow model libraries, no warning filters."""
    names = [name_of(path) for path in package_modules()]
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
