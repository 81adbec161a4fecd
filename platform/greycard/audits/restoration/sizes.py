"""Whether images are large enough for the measures."""

from greycard.audits.restoration.configs import RestorationAudit
from greycard.audits.tables import AuditError


def check_sizes(config: RestorationAudit) -> None:
    """Check that the images of an audit are large enough for each of its measures.

    Raises:
        AuditError: a measure needs larger images.
    """
    for measure in config.measures:
        least = getattr(measure, "min_size", 1)
        if config.size < least:
            raise AuditError(
                f"measure {measure.name!r} needs images of at least {least} x {least} pixels, and audit.size is "
                f"{config.size}: raise audit.size, or leave {measure.name!r} out of audit.measures"
            )
