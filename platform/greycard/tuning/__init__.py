"""Searches: Optuna chooses, Ray Tune runs, MLflow and TensorBoard show. The one folder that imports ray.tune."""

from greycard.metrics.trials import Goal, best, knee, pareto
from greycard.tuning.configs import SearchConfig, Trial, TrialFunction
from greycard.tuning.driver import search
from greycard.tuning.outcomes import SearchResult
from greycard.tuning.space import Choice, Float, Int, Parameter, check_domain

__all__ = [
    "Choice",
    "Float",
    "Goal",
    "Int",
    "Parameter",
    "SearchConfig",
    "SearchResult",
    "Trial",
    "TrialFunction",
    "best",
    "check_domain",
    "knee",
    "pareto",
    "search",
]
