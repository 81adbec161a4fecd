import os

import pytest

# Before any test imports Ray: it would switch tokens on and write a token file into the home directory.
os.environ.setdefault("RAY_AUTH_MODE", "disabled")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")


@pytest.fixture(scope="module")
def ray_session():
    """A local cluster for a module's tests: 4 CPU slots and one logical GPU.

    Not one for the whole run: after some hundred actors and placement groups Ray once failed to tell the driver that an
    actor was alive.
    """
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
