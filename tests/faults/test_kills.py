"""The audit killed in its actor, on a worker node and in its driver, and run again: the same table, row for row."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from greycard.audits.restoration.configs import RestorationAudit, System
from greycard.audits.restoration.run import run
from greycard.audits.tables import AuditError
from greycard.metrics.full_reference.distortion import Mse, Psnr
from greycard.streaming.cluster import SessionConfig
from greycard.streaming.pipeline import PipelineError, Resources
from tests.streaming.doubles import TroubleConfig, wait_for, write_tiles

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
COUNT = 240
MARKED = (150,)


def audit(shards, directory, codec, address=""):
    return RestorationAudit(
        shards=str(shards),
        directory=str(directory),
        systems=(System(name="system", codec=codec),),
        measures=(Mse(), Psnr()),
        size=16,
        resources=Resources(actors=2, rows_per_block=10),
        ray=SessionConfig(address=address, num_cpus=4, stall_seconds=90, wait_seconds=20, progress=False),
    )


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    return write_tiles(tmp_path_factory.mktemp("shards"), count=COUNT, marked=MARKED).uri


@pytest.fixture(scope="module")
def undisturbed(shards, tmp_path_factory, ray_session):
    (result,) = run(audit(shards, tmp_path_factory.mktemp("calm"), TroubleConfig())).systems
    assert (result.images, result.n_failed) == (COUNT, 0)
    return result


def start(script, *arguments):
    """Start a driver of its own: a script of this folder, in a group of its own."""
    environment = os.environ | {"PYTHONPATH": f"{ROOT}/platform{os.pathsep}{ROOT}", "RAY_AUTH_MODE": "disabled"}
    return subprocess.Popen(
        [sys.executable, str(Path(__file__).parent / script), *map(str, arguments)],
        cwd=ROOT,
        env=environment,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def committed(directory):
    return [file for file in directory.glob("checkpoints/*/*.parquet") if not file.name.endswith(".pending.parquet")]


def test_a_killed_actor_changes_nothing(shards, undisturbed, tmp_path):
    codec = TroubleConfig(trouble="kill", folder=str(tmp_path))
    (result,) = run(audit(shards, tmp_path / "audit", codec)).systems
    assert (tmp_path / "killed").read_text() == "x"
    assert result.table_sha256 == undisturbed.table_sha256


def test_an_image_that_kills_every_actor_ends_the_job_and_the_rest_is_kept(shards, undisturbed, tmp_path):
    codec = TroubleConfig(trouble="kill", folder=str(tmp_path), once=False)
    config = audit(shards, tmp_path / "audit", codec)
    with pytest.raises(PipelineError, match=r"system: .*died"):
        run(config)
    assert (tmp_path / "killed").read_text() == "xxx"  # once and two more tries
    with pytest.raises(AuditError, match="results of another config: codec"):
        run(audit(shards, tmp_path / "audit", TroubleConfig()))


def test_a_killed_driver_goes_on_where_it_was(shards, undisturbed, tmp_path):
    directory = tmp_path / "audit"
    driver = start("driver.py", shards, directory, tmp_path)
    try:
        wait_for(lambda: (tmp_path / "waiting").exists() and len(committed(directory)) >= 2)
    finally:
        os.killpg(driver.pid, signal.SIGKILL)
        driver.communicate()
    done = len(committed(directory))
    assert 2 <= done < COUNT // 10
    assert not (directory / "audit").exists()
    (tmp_path / "go").touch()

    kept = {file: file.stat().st_mtime_ns for file in committed(directory)}
    (result,) = run(audit(shards, directory, TroubleConfig(trouble="wait", folder=str(tmp_path)))).systems
    assert result.table_sha256 == undisturbed.table_sha256
    assert all(file.stat().st_mtime_ns == kept[file] for file in kept)  # nothing of it was made again


def test_a_lost_node_changes_nothing(shards, undisturbed, tmp_path):
    driver = start("node_loss.py", shards, tmp_path / "audit", tmp_path)
    output, _ = driver.communicate(timeout=240)
    assert driver.returncode == 0, output[-3000:]
    assert f"table {undisturbed.table_sha256}" in output, output[-3000:]
    assert "lost the node of an actor" in output
