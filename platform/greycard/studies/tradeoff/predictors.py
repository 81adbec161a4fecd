"""A study of predictors: baselines, trials of the fair phase, and the choice trained again and audited (paper 002)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from greycard.audits.prediction.configs import PredictionAudit, PredictorSystem
from greycard.audits.prediction.run import PredictionResult
from greycard.audits.prediction.run import run as run_audit
from greycard.fitting.kinds.contract import Planned
from greycard.metrics.prediction.seeds import compare_seeds
from greycard.reports.prediction.verdict import verdict
from greycard.studies.tradeoff.choice import Choice, aim_of, distinct
from greycard.studies.tradeoff.family import Confirmed, Family
from greycard.studies.tradeoff.plan import BASELINE, PredictorTrial, with_settings


class PredictorFamily(Family):
    """How the studies of predictors do what every study does."""

    trial: PredictorTrial

    def warnings(self) -> list[str]:
        """Say which (label, group) cells of train, val and test have no rows."""
        cells = self.trial.training.empty_cells(self.manifest)
        return [f"{split}: {text}" for split, text in cells.items() if text]

    def confirm(self, choices: Sequence[Choice], planned: Mapping[str, Planned]) -> Confirmed:
        """Audit the baselines and what was chosen on the test split, and compare them seed by seed."""
        same = distinct(choices)
        result = run_audit(self._audit([choice for label, choice in same.items() if choice.label == label], planned))
        training, confirm = self.trial.training, self.job.confirm
        comparisons: dict[str, pd.DataFrame] = {}
        sentences: dict[str, str] = {}
        for label, choice in same.items():
            if choice.label == label:
                before, after = (self._predictions(result, name) for name in (BASELINE, label))
                comparisons[label] = compare_seeds(before, after, result.config.findings)
            frame = comparisons[label] = comparisons[choice.label]
            sentences[label] = verdict(frame, aim_of(self.job))
        frames = result.frames()
        tables: dict[str, Any] = frames._asdict()
        note = f"{training.target} by {' x '.join(training.sensitive)}, {confirm.split} split of {result.manifest.uri}"
        return Confirmed(sentences, comparisons, tables, (note,))

    def _predictions(self, result: PredictionResult, label: str) -> list[Any]:
        training = self.trial.training
        names = [f"{label}-seed{seed}" for seed in self.job.confirm.seeds]
        return [result.predictions(name, training.target, training.sensitive) for name in names]

    def _audit(self, choices: Sequence[Choice], planned: Mapping[str, Planned]) -> PredictionAudit:
        seeds, training = self.job.confirm.seeds, self.trial.training
        systems = []
        for label, settings in ((BASELINE, None), *((choice.label, choice.settings) for choice in choices)):
            fair = with_settings(self.trial, settings).fair if settings is not None else None
            for seed, name in self.model_names(settings, seeds).items():
                systems.append(
                    PredictorSystem(
                        name=f"{label}-seed{seed}",
                        classifier=replace(
                            training.classifier, seed=seed, weights=str(Path(planned[name].task.directory) / "weights")
                        ),
                        loss=fair.kind if fair else "ce",
                        lam=fair.lam if fair else 0.0,
                        seed=seed,
                        baseline="" if settings is None else f"{BASELINE}-seed{seed}",
                        trained_for=training.sensitive if fair else (),
                    )
                )
        chosen = "-".join(f"{choice.label}{max(0, choice.number)}" for choice in choices)
        return PredictionAudit(
            study=self.job.study,
            shards=self.job.test_uri,
            split=self.job.confirm.split,
            systems=tuple(systems),
            targets=(training.target,),
            sensitive=(training.sensitive,),
            size=self.job.size,
            resize=True,
            directory=str(Path(self.job.directory) / "audit" / chosen),
            ray=self.job.session,
        )
