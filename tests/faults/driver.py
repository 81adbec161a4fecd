"""A driver to be killed: ``driver.py SHARDS DIRECTORY FOLDER``."""

import sys

from greycard.audits.restoration.run import run
from tests.faults.test_kills import audit
from tests.streaming.doubles import TroubleConfig

if __name__ == "__main__":
    shards, directory, folder = sys.argv[1:]
    run(audit(shards, directory, TroubleConfig(trouble="wait", folder=folder), address="local"))
