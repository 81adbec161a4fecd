"""What came out of a search: one row per trial, the Pareto front, the best trial within bounds and the knee."""

from dataclasses import dataclass, field

import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """A search that has ended.

    Attributes:
        trials: one row per trial, in order: ``number``, ``status`` (finished, failed or stopped), ``error``,
            ``attempts`` (runs started, retries included), ``seconds`` (of its last runs, summed over seeds),
            ``param/<name>``, ``metric/<name>`` (mean over seeds, NaN unless all of them ended) and, with several
            seeds, ``metric/<name>/seed<k>``.
        name: of the study.
        storage: URL of the study, as optuna-dashboard takes it.
        seconds: what took how long: ``startup`` (until the first run began), ``search`` (from there to the end),
            ``logging`` (of the thread that keeps MLflow, event files and study, mostly waiting), ``logging_cpu`` (its
            processor time) and ``held`` (that Ray Tune's loop spent on our side, suggestions apart).
    """

    trials: pd.DataFrame
    name: str
    storage: str
    seconds: dict[str, float] = field(default_factory=dict)
