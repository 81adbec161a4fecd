"""Make the report of an audit: group numbers, figures, contact sheets, one HTML page, all of it logged to MLflow.

    python -m jobs.report audit --set audit=runs/audits/demo --set shards=runs/shards/test

Reads the audit's tables and reconstruction sets; needs no model, so it can be run again with other settings.
"""

from greycard.audits.restoration.report import ReportJob, report
from jobs import command


def audit() -> ReportJob:
    """The report of an audit: set audit and shards."""
    return ReportJob()


RECIPES = {"audit": audit}

if __name__ == "__main__":
    raise SystemExit(command.main("report", RECIPES, report, __doc__))
