"""Experiment tracking: the only folder that imports MLflow, and it does so when a job starts, not when it is imported.

A study is an experiment, a job its parent run, a system at one operating point (or a model) a child run. A job that is
killed and started again in the same directory continues the same run, which ends with its true status. Only the driver
of a job talks to the store; workers hand back rows.
"""

from greycard.tracking.endings import Terminated
from greycard.tracking.fetching import fetch
from greycard.tracking.jobs import job_run
from greycard.tracking.runs import Run
from greycard.tracking.store import ConfigChangedError, TrackingError, check_store, store_uri

__all__ = [
    "ConfigChangedError",
    "Run",
    "Terminated",
    "TrackingError",
    "check_store",
    "fetch",
    "job_run",
    "store_uri",
]
