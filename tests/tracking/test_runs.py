"""What a run logs: tables, files, data sets."""

from typing import NamedTuple

import pandas as pd
import pytest

from greycard.tracking import job_run
from tests.tracking.test_jobs import Config


class Shards(NamedTuple):
    dataset: str
    digest: str


@pytest.fixture
def run(study, tmp_path):
    with job_run(study=study, name="job", directory=tmp_path / "job", config=Config()) as run:
        yield run


def test_a_table_is_replaced_not_appended(client, run):
    for value in (0.1, 0.2):
        run.log_table(pd.DataFrame({"group": ["African", "Asian"], "value": [value, None]}), "tables/groups.json")
    table = client.load_table(run.experiment_id, "tables/groups.json", run_ids=[run.run_id])
    assert table["group"].tolist() == ["African", "Asian"]
    assert table["value"].iloc[0] == 0.2
    assert pd.isna(table["value"].iloc[1])


def test_what_was_found_is_the_runs_description(client, run):
    for found in ("one thing", "another"):
        run.describe(f"The audit found {found}.", "| a | b |\n| - | - |")
    assert client.get_run(run.run_id).data.tags["mlflow.note.content"] == (
        "The audit found another.\n\n| a | b |\n| - | - |"
    )


def test_files_and_folders(client, run, tmp_path):
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "a.png").write_bytes(b"a")
    run.log_artifact(tmp_path / "figures", "figures")
    run.log_artifact(tmp_path / "figures" / "a.png")
    assert {item.path for item in client.list_artifacts(run.run_id)} == {"a.png", "figures"}
    with pytest.raises(FileNotFoundError, match=r"figure does not exist; .* holds 'figures'"):
        run.log_artifact(tmp_path / "figure")


def test_a_data_set_is_logged_once_with_place_and_digest(client, run):
    for _ in range(2):
        run.log_dataset(Shards("faces", "sha256:" + "ab" * 32), "test", "s3://bucket/shards")
    (entry,) = client.get_run(run.run_id).inputs.dataset_inputs
    assert entry.dataset.name == "faces"
    assert entry.dataset.digest == ("ab" * 32)[:36]
    assert "s3://bucket/shards" in entry.dataset.source
    assert entry.tags[0].value == "test"
