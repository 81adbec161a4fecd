"""The job around an audit: its run and report are found again in the audit's own folder, wherever that is."""

import dataclasses
import json

import pytest

from greycard.audits.job import run_audit
from greycard.audits.pinning import with_models
from greycard.audits.restoration.configs import RestorationAudit, System
from greycard.audits.restoration.job import AuditJob
from greycard.audits.restoration.report import ReportConfig
from greycard.codecs import HyperpriorConfig, JpegConfig
from greycard.metrics.full_reference.distortion import Mse, Psnr
from greycard.metrics.restoration.findings import FindingsConfig
from greycard.places import DirectoryError
from greycard.recipes.paper000 import paper000_audit
from greycard.streaming.cluster import SessionConfig
from greycard.streaming.pipeline import Resources
from tests.streaming.doubles import write_tiles


def job(shards, directory):
    return AuditJob(
        audit=RestorationAudit(
            shards=shards,
            directory=directory,
            systems=(System(name="jpeg", codec=JpegConfig(qualities=(50,))),),
            measures=(Mse(), Psnr()),
            size=16,
            resources=Resources(actors=1),
            ray=SessionConfig(progress=False),
        ),
        report=ReportConfig(findings=FindingsConfig(resamples=0, permutations=0)),
    )


def test_a_job_submitted_again_elsewhere_continues_its_run(ray_session, own_store, tmp_path, monkeypatch):
    shards = write_tiles(tmp_path / "shards", count=20).uri
    home = tmp_path / "bucket" / "audit"
    runs = []
    for attempt in ("first", "second"):  # each in a working directory of its own, as Ray unpacks jobs
        here = tmp_path / attempt
        here.mkdir()
        monkeypatch.chdir(here)
        runs.append(run_audit(job(shards, home.as_uri())).run_id)
    assert runs[0] == runs[1] == json.loads((home / "mlflow_run.json").read_text())["run_id"]
    report = home / "report"
    assert runs[0] in (report / "index.html").read_text()
    assert (report / "tables" / "groups.parquet").stat().st_size > 0
    assert list((report / "figures").glob("*.png"))


def test_a_folder_that_ray_deletes_is_refused_before_anything_is_read(tmp_path, monkeypatch):
    folder = tmp_path / "runtime_resources" / "working_dir_files" / "_ray_pkg_0123"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    with pytest.raises(DirectoryError, match=r"audit\.directory is 'runs/audit'"):
        run_audit(job("nowhere", "runs/audit"))


@pytest.mark.parametrize(
    ("root", "expected"),
    [
        ("/shared", "/shared/runs/a/weights"),
        ("s3://bucket/prefix/", "s3://bucket/prefix/runs/a/weights"),
        ("", "runs/a/weights"),
    ],
)
def test_relative_weights_lie_under_the_folder_of_models(root, expected):
    away = ("models:/codec/3", "s3://other/weights", "/absolute/weights")
    codec = HyperpriorConfig(width="tiny", lambdas=(1e-3, 1e-2, 1e-1, 1.0), weights=("runs/a/weights", *away))
    config = RestorationAudit(
        systems=(System(name="neural", codec=codec), System(name="jpeg", codec=JpegConfig())),
        classifiers=(dataclasses.replace(paper000_audit().audit.classifiers[0], weights="runs/a/weights"),),
    )
    found = with_models(root, config)
    assert found.systems[0].codec.weights == (expected, *away)
    assert found.classifiers[0].weights == expected
    assert found.systems[1] == config.systems[1]


def test_the_paper_runs_on_any_machine():
    assert paper000_audit().audit.resources.actors == 0
