import os

import pytest

# Before any test imports Ray: it would switch tokens on and write a token file into the home directory.
os.environ.setdefault("RAY_AUTH_MODE", "disabled")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")


@pytest.fixture(scope="session")
def ray_session():
    """One local cluster for all tests that stream: 4 CPU slots and one logical GPU."""
    import ray

    ray.init(
        address="local",
        num_cpus=4,
        num_gpus=1,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
        object_store_memory=300 * 2**20,
    )
    yield
    ray.shutdown()
