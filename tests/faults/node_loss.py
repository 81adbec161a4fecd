"""An audit on a cluster of two nodes, one of which is lost on the way: ``node_loss.py SHARDS DIRECTORY FOLDER``."""

import sys
import threading
from pathlib import Path

from ray.cluster_utils import Cluster

from greycard.audits.restoration.run import run
from tests.faults.test_kills import audit, committed
from tests.streaming.doubles import TroubleConfig, wait_for

MEMORY = 150 * 2**20


def main(shards, directory, folder):
    head = {"num_cpus": 3, "include_dashboard": False, "object_store_memory": MEMORY}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    worker = cluster.add_node(num_cpus=2, object_store_memory=MEMORY)
    cluster.wait_for_nodes()

    def lose_node():
        wait_for(lambda: (folder / "waiting").exists() and len(committed(directory)) >= 2)
        if (folder / f"node-{worker.node_id}").exists():
            print("lost the node of an actor", flush=True)
        cluster.remove_node(worker, allow_graceful=False)
        (folder / "go").touch()

    thread = threading.Thread(target=lose_node, daemon=True)
    thread.start()
    codec = TroubleConfig(trouble="wait", folder=str(folder))
    (result,) = run(audit(shards, directory, codec, address=cluster.address)).systems
    thread.join(timeout=60)
    print(f"table {result.table_sha256}", flush=True)
    cluster.shutdown()


if __name__ == "__main__":
    main(sys.argv[1], *map(Path, sys.argv[2:]))
