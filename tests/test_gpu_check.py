"""`make gpu-check` runs on a machine that has a GPU and little more than torch."""

import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NEEDED = ("torch", "numpy", "pyyaml", "tqdm", "pytest")
MISSING = ("ray", "mlflow", "compressai", "pydantic", "pandas", "pyarrow", "scipy", "PIL", "torchvision", "lpips")


def brought_by(names):
    """What `pip install NAMES` brings: the distributions that are installed here, and all that they require."""
    found, left = {}, [*names]
    while left:
        name = re.sub(r"[-_.]+", "-", left.pop()).lower()
        if name not in found:
            try:
                found[name] = metadata.distribution(name)
            except metadata.PackageNotFoundError:  # for another system
                continue
            required = found[name].requires or []
            left += [re.match(r"[\w.-]+", line)[0] for line in required if "extra ==" not in line]
    return found.values()


@pytest.fixture
def bare(tmp_path):
    """Run Python with those packages alone."""
    for distribution in brought_by(NEEDED):
        for name in {file.parts[0] for file in distribution.files} - {"..", "__pycache__"}:
            link = tmp_path / name
            if not link.exists():  # several may share a folder, as NVIDIA's do
                link.symlink_to(distribution.locate_file(name))
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}

    def run(*arguments):
        command = [sys.executable, "-S", *arguments]  # -S: without this Python's own packages
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    return run


@pytest.mark.slow
def test_its_checks_pass_where_nothing_else_is_installed(bare):
    code = f"from importlib.util import find_spec; print([name for name in {MISSING} if find_spec(name)])"
    assert bare("-c", code).stdout.strip() == "[]"
    done = bare("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/gpu", "tests/jobs/test_throughput.py")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) >= 40
    for reason in ("JPEG is Pillow's", "efficientnet_b1 is torchvision's network", "LPIPS is the package lpips"):
        assert reason in done.stdout


def test_it_says_what_is_missing():
    done = subprocess.run(["make", "gpu-check", "PYTHON=false"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert f"pip install {' '.join(NEEDED)}" in done.stdout
