"""A search to be killed: ``driver.py DIRECTORY STUDY FOLDER TRIALS``."""

import sys

import ray

from tests.tuning.test_kills import searched

if __name__ == "__main__":
    directory, study, folder, trials = sys.argv[1:]
    ray.init(address="local", num_cpus=4, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    searched(directory, study, folder, int(trials))
