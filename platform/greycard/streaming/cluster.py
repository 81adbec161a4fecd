"""Starting or joining Ray, setting up Ray Data, and the check that a pipeline's actors fit before anything starts.

Ray waits: for a head that does not answer, for a GPU that no node has, for a slot that its own actors hold. Each of
these waits is turned into an error within a minute that names what is needed and what is there.
"""

import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import ray
from ray.data import DataContext

LOCAL: Final = "local"
AUTO: Final = "auto"
CONNECT_SECONDS: Final = 20.0
_LOGGER: Final = logging.getLogger("ray.data")
_MIB: Final = 2**20
_DEFAULTS: Final = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DATA_PARQUET_FOOTER_NUM_ACTORS": "2"}


class RayError(RuntimeError):
    """Ray can not be reached, or the cluster lacks what the job needs; says what is needed and what is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionConfig:
    """How to reach Ray and how Ray Data is set up.

    Attributes:
        address: "" joins the cluster in the environment (``RAY_ADDRESS``, which ``ray job submit`` sets) or else starts
            one on this machine; "local" always starts one; "auto" joins the one that runs on this machine; otherwise
            ``host:port`` or ``ray://host:port``.
        auth: how Ray authenticates; "environment" keeps ``RAY_AUTH_MODE`` if it is set and else means "disabled".
        num_cpus: CPU slots of a cluster started here; 0 means the machine's cores and two more, since the tasks that
            read and write mostly wait.
        num_gpus: GPUs of a cluster started here; None finds them, a number is taken as it is (logical GPUs).
        object_store_mb: shared memory of a cluster started here, in MiB; 0 leaves the choice to Ray.
        wait_seconds: how long to wait for nodes and free slots before giving up, and, on top of the two minutes that
            an actor may take to load its models, for actors; raise it for a cluster that grows.
        stall_seconds: a pipeline that makes no progress for so long is stopped with an error.
        queue_ratio: how much finished work may wait before a slower stage, against what that stage holds; 2 to 10.
        progress: false shows nothing; else how far the work has come: a bar on a terminal, or a line every half minute.
        log_to_driver: show what workers print.
    """

    address: str = ""
    auth: Literal["environment", "disabled", "token"] = "environment"
    num_cpus: int = 0
    num_gpus: float | None = None
    object_store_mb: int = 0
    wait_seconds: float = 45.0
    stall_seconds: float = 900.0
    queue_ratio: float = 4.0
    progress: bool | None = None
    log_to_driver: bool = False

    def __post_init__(self) -> None:
        for name in ("num_cpus", "object_store_mb", "wait_seconds"):
            if getattr(self, name) < 0:
                raise ValueError(f"session.{name} must be at least 0, got {getattr(self, name)}")
        if self.num_gpus is not None and self.num_gpus < 0:
            raise ValueError(f"session.num_gpus must be at least 0, got {self.num_gpus}")
        if self.stall_seconds <= 0 or self.queue_ratio <= 0:
            raise ValueError("session.stall_seconds and session.queue_ratio must be above 0")

    @property
    def starts_ray(self) -> bool:
        """Whether Ray is started on this machine, so that workers see the same files."""
        return (self.address or os.environ.get("RAY_ADDRESS", "") or LOCAL) == LOCAL

    @property
    def show_progress(self) -> bool:
        """Whether to show how far the work is."""
        return self.progress is not False


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What a pipeline holds for its whole run: ``count`` actors of one size, and slots for its passing tasks.

    Attributes:
        count: the number of actors.
        num_cpus: CPU slots of each.
        num_gpus: GPUs of each.
        memory_mb: logical memory of each, in MiB.
        spare_cpus: CPU slots for reading, writing and filtering.
        spare_memory_mb: logical memory for the same, in MiB.
    """

    count: int
    num_cpus: float
    num_gpus: float = 0.0
    memory_mb: float = 0.0
    spare_cpus: float = 1.0
    spare_memory_mb: float = 0.0

    @property
    def actor(self) -> dict[str, float]:
        """What one actor takes, by Ray's names."""
        sizes = {"CPU": self.num_cpus, "GPU": self.num_gpus, "memory": self.memory_mb * _MIB}
        return {name: size for name, size in sizes.items() if size}

    @property
    def spare(self) -> dict[str, float]:
        """What passing tasks take, by Ray's names."""
        return {"CPU": self.spare_cpus, "memory": self.spare_memory_mb * _MIB}

    @property
    def total(self) -> dict[str, float]:
        """What all of it takes, by Ray's names; memory in bytes."""
        names = ("CPU", "GPU", "memory")
        sums = {name: self.count * self.actor.get(name, 0.0) + self.spare.get(name, 0.0) for name in names}
        return {name: size for name, size in sums.items() if size}


@contextmanager
def session(config: SessionConfig) -> Iterator[None]:
    """Start or join Ray and set up Ray Data for the block; what was started here is stopped on the way out.

    A Ray that this process has already started or joined is used as it is and left running.

    Raises:
        RayError: there is no Ray at the address.
    """
    started = not ray.is_initialized()
    if started:
        _connect(config)
    context = DataContext.get_current().copy()
    level = _LOGGER.level
    try:
        configure(context, config)
        _LOGGER.setLevel(logging.ERROR)  # errors come as exceptions; what is left tells of blocks and operators
        with DataContext.current(context):
            yield
    finally:
        _LOGGER.setLevel(level)
        if started:
            ray.shutdown()


def configure(context: DataContext, config: SessionConfig) -> None:
    """Set what every pipeline of ours needs from Ray Data (see the comments for what each guards against)."""
    context.enable_progress_bars = False  # one line of ours instead of a screen of operators
    context.print_on_execution_start = False
    context.execution_options.verbose_progress = False
    context.execution_options.preserve_order = False  # nothing of ours depends on order
    context.execution_no_progress_timeout_s = config.stall_seconds  # Ray's own limit is half an hour
    context.max_errored_blocks = 0  # Ray drops whole blocks; rows that fail are ours to record
    context.actor_init_retry_on_errors = False  # a system that can not be built fails at once, with its own message
    context.max_consecutive_actor_init_deaths = 2
    context.downstream_capacity_backpressure_ratio = config.queue_ratio
    context.use_datasource_v2 = False  # the older reader starts no footer actors and packs no row groups together


def require(demand: Demand, config: SessionConfig, what: str) -> None:
    """Check that a pipeline's actors and one passing task fit the cluster at the same time; wait a little for nodes.

    Raises:
        RayError: they do not fit within ``config.wait_seconds``.
    """
    deadline = time.monotonic() + config.wait_seconds
    while problem := _shortage(demand):
        if time.monotonic() >= deadline:
            raise RayError(
                f"{what} does not fit the Ray cluster: it needs {demand.count} actors of {_listing(demand.actor)} each "
                f"and {_listing(demand.spare)} for tasks that read and write, but {problem}. Lower resources.actors, "
                "resources.num_cpus, resources.num_gpus or resources.memory_mb, or add nodes"
            )
        time.sleep(0.5)


def fitting(demand: Demand, most: int) -> int:
    """Return how many actors of a demand's size fit the cluster beside its passing tasks: 1 to ``most``."""
    total, spare = ray.cluster_resources(), demand.spare
    rooms = [int((total.get(name, 0.0) - spare.get(name, 0.0)) / need) for name, need in demand.actor.items()]
    return max(1, min(most, *rooms))


def _shortage(demand: Demand) -> str:
    """Say what the cluster lacks, "" if nothing: actors must fit whole nodes, and all of it what is free."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    room = sum(_room(node, demand) for node in nodes)
    total, free = ray.cluster_resources(), ray.available_resources()
    for name, need in demand.total.items():
        if need > total.get(name, 0.0) + 1e-6:
            return f"that is {_amount(name, need)}, and its {len(nodes)} nodes have {_amount(name, total.get(name, 0))}"
    if room < demand.count:
        held = ", ".join(_listing(node) for node in nodes[:8])
        return f"no more than {room} such actors fit on its {len(nodes)} nodes ({held})"
    for name, need in demand.total.items():
        if need > free.get(name, 0.0) + 1e-6:
            here, unused = (_amount(name, held.get(name, 0.0)) for held in (total, free))
            return f"that is {_amount(name, need)}, and of {here} no more than {unused} is free"
    return ""


def _room(node: Mapping[str, float], demand: Demand) -> int:
    """Return how many actors one node holds."""
    return min(int((node.get(name, 0.0) + 1e-6) / need) for name, need in demand.actor.items())


def _listing(sizes: Mapping[str, float]) -> str:
    """Word resources: ``1 CPU, 0.5 GPU and 2 GiB memory``."""
    parts = [_amount(name, sizes[name]) for name in ("CPU", "GPU", "memory") if sizes.get(name)]
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts) or "nothing"


def _amount(name: str, size: float) -> str:
    return f"{size / 2**30:.3g} GiB memory" if name == "memory" else f"{size:g} {name}"


def _connect(config: SessionConfig) -> None:
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    if config.auth != "environment":
        os.environ["RAY_AUTH_MODE"] = config.auth
    else:  # Ray would switch tokens on by itself and write a token file into the home directory
        os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    address = config.address or os.environ.get("RAY_ADDRESS", "") or LOCAL
    if address == LOCAL:
        _start(config)
        return
    if address != AUTO:
        check_reachable(address)
    try:
        ray.init(address=address, log_to_driver=config.log_to_driver, logging_level="ERROR")
    except Exception as error:
        raise RayError(f"can not join Ray at {address!r}: {error}. {_WAY_OUT}") from error


_WAY_OUT: Final = (
    "Check session.address and RAY_ADDRESS (session.address=local starts Ray on this machine), and RAY_AUTH_MODE=token "
    "if that cluster asks for tokens"
)


def _start(config: SessionConfig) -> None:
    if not config.log_to_driver:  # the driver's own core prints warnings about Ray Data's inner workings
        os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    options: dict[str, Any] = {"num_cpus": config.num_cpus or max(2, os.cpu_count() or 1) + 2}
    if config.num_gpus is not None:
        options["num_gpus"] = config.num_gpus
    if config.object_store_mb:
        options["object_store_memory"] = config.object_store_mb * 2**20
    ray.init(
        address=LOCAL,
        include_dashboard=False,
        log_to_driver=config.log_to_driver,
        logging_level="ERROR",
        **options,
    )


def check_reachable(address: str, probe: Callable[[str, float], None] | None = None) -> None:
    """Raise ``RayError`` unless something that speaks gRPC, as Ray's head does, answers at ``host:port``."""
    place = urlsplit(address if "://" in address else f"//{address}")
    try:
        port = place.port
    except ValueError:
        port = None
    if not place.hostname or port is None:
        raise RayError(f"session.address must be local, auto, host:port or ray://host:port, got {address!r}")
    if os.environ.get("RAY_USE_TLS", "0") != "0":
        return  # the probe below has no certificates
    try:
        (probe or _probe)(f"{place.hostname}:{port}", CONNECT_SECONDS)
    except TimeoutError:
        raise RayError(f"no Ray answers at {address!r} within {CONNECT_SECONDS:.0f} s. {_WAY_OUT}") from None


def _probe(target: str, seconds: float) -> None:
    import grpc  # type: ignore[import-untyped]

    channel = grpc.insecure_channel(target)
    try:
        grpc.channel_ready_future(channel).result(timeout=seconds)
    except grpc.FutureTimeoutError:
        raise TimeoutError(target) from None
    finally:
        channel.close()
