"""The wheel holds all that the package needs, and runs where there is no checkout."""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run(*command, **options):
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    flags = ("--no-deps", "--no-build-isolation", "--disable-pip-version-check", "--no-index")
    source = folder / "source"  # a copy: the build leaves folders behind
    run("git", "clone", "--quiet", "--depth=1", ROOT.as_uri(), source)
    run(sys.executable, "-m", "pip", "wheel", *flags, "--wheel-dir", folder, source)
    (built,) = folder.glob("greycard-*.whl")
    return built


@pytest.mark.long
def test_the_wheel_holds_templates_and_types_and_nothing_but_the_package(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    sources = {path.relative_to(ROOT / "platform").as_posix() for path in (ROOT / "platform").rglob("*.py")}
    templates = {path.name for path in (ROOT / "platform/greycard/reports/templates").iterdir()}
    assert sources <= set(names)
    assert {Path(name).name for name in names if name.endswith(".j2")} == templates
    assert "greycard/py.typed" in names
    assert {name.split("/")[0].split("-")[0] for name in names} == {"greycard"}


@pytest.mark.long
def test_the_doctor_runs_from_the_wheel_in_an_environment_of_its_own(wheel, tmp_path):
    """The environment borrows the packages that greycard needs, but not greycard: no ``.pth`` of theirs is read."""
    home = tmp_path / "environment"
    venv.create(home, with_pip=False)
    python = home / "bin" / "python"
    (site,) = home.glob("lib/python*/site-packages")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}  # a checkout, maybe
    install = ("install", "--no-deps", "--no-index", "--quiet", wheel)
    run(sys.executable, "-m", "pip", "--python", python, *install, cwd=tmp_path, env=environment)
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib"))
    place = run(python, "-c", "import greycard; print(greycard.__file__)", cwd=tmp_path, env=environment)
    assert Path(place.strip()).is_relative_to(site)
    assert "mlflow" in run(home / "bin" / "greycard", "doctor", cwd=tmp_path, env=environment)
