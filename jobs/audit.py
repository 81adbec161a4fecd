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

Images stream through Ray Data; the results are a reconstruction set and an audit table a system, and a report (of
predictors: a table of predictions a system, and tables by group). Run again after a crash, the job goes on where it
was: finished systems and written images are kept, and the MLflow run is the same one.
"""

import sys
from collections.abc import Callable

from greycard.audits.generation.job import AuditedGenerations, GenerationAuditJob, audit_generators
from greycard.audits.prediction.job import Audited, PredictionAuditJob, audit_predictions
from greycard.audits.restoration.job import AuditJob, audit
from greycard.audits.restoration.report import Reported
from greycard.recipes.demo import demo_audit
from greycard.recipes.paper000 import jpeg, paper000_audit
from greycard.recipes.paper002 import audits as audit_paper002
from greycard.recipes.paper004 import audits as audit_paper004
from greycard.recipes.photos import photos_audit
from jobs import command

AnyAudit = AuditJob | PredictionAuditJob | GenerationAuditJob
AnyAudited = Reported | Audited | AuditedGenerations


def run_any(job: AnyAudit) -> AnyAudited:
    """Run an audit of any kind."""
    if isinstance(job, GenerationAuditJob):
        return audit_generators(job)
    return audit(job) if isinstance(job, AuditJob) else audit_predictions(job)


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
