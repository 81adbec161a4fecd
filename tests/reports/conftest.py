import pytest

from greycard.metrics.restoration.findings import FindingsConfig, summarise
from tests.reports.restoration.examples import ATTRIBUTES, audit_table


@pytest.fixture(scope="session")
def findings():
    return summarise(audit_table(), ATTRIBUTES, FindingsConfig(resamples=100, permutations=100))


@pytest.fixture(scope="session")
def without_indian():
    """An audit in which one group has no image."""
    table = audit_table(240, missing=("Indian",), failed=0)
    return summarise(table, ATTRIBUTES, FindingsConfig(resamples=50, permutations=50))
