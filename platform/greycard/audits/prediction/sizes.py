"""Whether images are large enough for the predictors."""

from greycard.audits.prediction.configs import PredictionAudit
from greycard.audits.tables import AuditError


def check_predictor_sizes(config: PredictionAudit) -> None:
    """Check that the images of an audit are large enough for each of its predictors.

    Raises:
        AuditError: a predictor needs larger images.
    """
    for system in config.systems:
        check = getattr(system.classifier, "check_size", None)
        try:
            if check is not None:
                check(config.size, config.size)
        except ValueError as error:
            raise AuditError(f"system {system.name}: {error} (images have audit.size {config.size})") from None
