import pytest

from greycard.tracking import check_store


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    """One sqlite store for all tests here: making one takes seconds; every test has its own study."""
    return check_store(f"sqlite:///{tmp_path_factory.mktemp('store') / 'mlflow.db'}")


@pytest.fixture
def client(store, monkeypatch):
    from mlflow import MlflowClient

    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    return MlflowClient(tracking_uri=store, registry_uri=store)
