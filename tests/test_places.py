"""A submitted job's directory: refused where Ray unpacks code, whatever way it is written."""

import pytest

from greycard.places import DirectoryError, check_outlives
from greycard.tracking import TrackingError, job_run


@pytest.fixture
def unpacked(tmp_path, monkeypatch):
    """The working directory of a job that was submitted with its code."""
    folder = tmp_path / "session_1" / "runtime_resources" / "working_dir_files" / "_ray_pkg_0123"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("directory", ["runs/audit", "./runs", "../other/runs", "."])
def test_a_relative_directory_of_a_submitted_job_is_refused(unpacked, directory):
    with pytest.raises(DirectoryError, match=r"audit\.directory is .*outlives the job and that all nodes see"):
        check_outlives(directory, "audit.directory")


def test_so_is_an_absolute_one_in_that_folder(unpacked):
    with pytest.raises(DirectoryError, match="Ray unpacked"):
        check_outlives(unpacked / "runs")


def test_directories_that_stay_pass(unpacked, tmp_path):
    for directory in (tmp_path / "audit", "s3://bucket/audit", tmp_path.as_uri()):
        check_outlives(directory)


def test_anything_passes_in_an_ordinary_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check_outlives("runs/audit")


def test_a_run_is_not_opened_there(unpacked, tmp_path, monkeypatch):
    with pytest.raises(DirectoryError), job_run(study="s", name="n", directory="runs/audit", config=None):
        pass
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    refused = pytest.raises(TrackingError, match="set MLFLOW_TRACKING_URI")
    with refused, job_run(study="s", name="n", directory=tmp_path / "audit", config=None):
        pass
    assert not (unpacked / "runs").exists()
