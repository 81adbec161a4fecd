r"""Audit codecs, predictors or generators, and report the differences between groups.

    python -m jobs.audit jpeg --set audit.shards=runs/shards/faces
    python -m jobs.audit paper000 --set audit.shards=runs/shards/rfw --set audit.resources.num_gpus=0.25
    python -m jobs.audit paper002_utkface --set audit.shards=runs/shards/utkface
    python -m jobs.audit paper004_mnist

Codecs restore every image at every rate, and what they restore is measured; predictors give probabilities; generators
make images, whose classes are counted and whose realism is measured against a reference.

On a cluster every folder is one that all nodes see, for example:

    python -m jobs.audit paper000 --set audit.shards=s3://bucket/shards/rfw --set models=s3://bucket \
        --set audit.directory=s3://bucket/audits/rfw

Images stream through Ray Data; the results are a reconstruction set and an audit table per system, and a report
(of predictors: a table of predictions per system, and tables by group). Run again after a crash, the job resumes where
it stopped: finished systems and written images are kept, and the MLflow run is the same one.
"""

import sys
from collections.abc import Callable
from typing import Any

from greycard.audits.generation.job import GenerationAuditJob
from greycard.audits.job import Audited, Job, run_audit
from greycard.audits.prediction.job import PredictionAuditJob
from greycard.audits.restoration.job import AuditJob
from greycard.recipes.demo import demo_audit
from greycard.recipes.paper000 import jpeg, paper000_audit
from greycard.recipes.paper002 import audits as audit_paper002
from greycard.recipes.paper004 import audits as audit_paper004
from greycard.recipes.photos import photos_audit
from jobs import command

AnyAudit = AuditJob | PredictionAuditJob | GenerationAuditJob


def run_any(job: Job[Any, Any, Any]) -> Audited[Any, Any]:
    """Run an audit of any family."""
    return run_audit(job)


RECIPES: dict[str, Callable[[], AnyAudit]] = {
    "jpeg": jpeg,
    "paper000": paper000_audit,
    "demo": demo_audit,
    "photos": photos_audit,
    **audit_paper002.RECIPES,
    **audit_paper004.RECIPES,
}

if __name__ == "__main__":
    sys.exit(command.main("audit", RECIPES, run_any, __doc__))
