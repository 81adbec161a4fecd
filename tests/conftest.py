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


@pytest.fixture
def one_thread():
    """As in Ray's workers: with several threads the same image may come out otherwise in its last bits."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
