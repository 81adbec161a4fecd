"""Synthesis and audit in a study of rebalancing: what is searched and measured, and how long each step took."""

import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final, cast

from greycard.audits.generation.configs import GeneratorSystem
from greycard.audits.generation.job import children, tables_of
from greycard.audits.generation.run import GenerationFrames, GenerationResult
from greycard.audits.generation.run import run as run_audit
from greycard.audits.job import log_tables
from greycard.audits.publishing import filled
from greycard.audits.systems import SystemResult
from greycard.classifiers import AnyClassifier
from greycard.datasets.manifest import Manifest
from greycard.generators import GeneratorConfig
from greycard.studies.rebalancing.models import Judges, Trained
from greycard.studies.rebalancing.plan import RebalanceJob
from greycard.studies.rebalancing.sets import Sets
from greycard.synthesis.config import Method
from greycard.synthesis.job import log_synthesis, short_words, summary
from greycard.synthesis.run import SynthesisResult
from greycard.synthesis.run import run as run_synthesis
from greycard.tracking import Run
from greycard.training.progress import write_json

TRAINED_ON: Final = "trained_on"
"""The system that is the unbalanced images themselves."""
FOLDERS: Final = {"search": "synthesis", "rejection": "rejection"}
"""Method -> where its set goes in the study's directory."""


def set_name(method: str) -> str:
    """Return the system that is a method's set of synthetic images."""
    return f"synthetic_{method}"


class Clock:
    """Says which step is under way, and logs the seconds that each took over all starts of the study."""

    def __init__(self, job: RebalanceJob, run: Run) -> None:
        self._path = job.home / "seconds.json"
        self._run = run
        self.seconds: dict[str, float] = json.loads(self._path.read_text()) if self._path.exists() else {}

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a step; one that only finds its results adds next to nothing."""
        print(f"{name} ...", flush=True)
        start, before = time.monotonic(), self.seconds.get(name, 0.0)
        try:
            yield
        finally:
            self.seconds[name] = before + time.monotonic() - start
            write_json(self._path, self.seconds)
        self._run.log_metrics({f"seconds/{name}": self.seconds[name]})


def synthesise(
    job: RebalanceJob, sets: Sets, generator: GeneratorConfig, judge: AnyClassifier, run: Run
) -> dict[str, SynthesisResult]:
    """Make the balanced sets of the biased generator's images, by search and, if asked for, by rejection sampling.

    Returns:
        Method -> result; classes that are short are in its ``shortfalls``.

    Raises:
        SynthesisError: no image of any class was found, or the disk is full; started again, the study resumes where it
            stopped.
    """
    found = {}
    for method, folder in FOLDERS.items():
        if method == "rejection" and not job.by_rejection:
            continue
        config = replace(
            job.synthesis,
            name=f"{job.study}, {method}",
            generator=generator,
            classifier=judge,
            task=job.task,
            method=cast(Method, method),
            like=sets.real,
            directory=str(job.home / folder),
            ray=job.session,
        )
        with run.child(f"synthesis-{method}", name=f"synthesis by {method}", params={"count": config.count}) as child:
            found[method] = result = run_synthesis(config)
            log_synthesis(result, child)
        print(summary(result))
        if result.shortfalls:
            print(f"note: {short_words(result)}", flush=True)
    return found


def audit(
    job: RebalanceJob,
    sets: Sets,
    judges: Judges,
    syntheses: Mapping[str, SynthesisResult],
    trained: Trained,
    run: Run,
) -> tuple[GenerationResult, GenerationFrames]:
    """Measure all rows, the unbalanced images and the synthetic sets with the measuring classifier; log all frames."""
    systems = [GeneratorSystem(name=TRAINED_ON, images=sets.real, split="train")]
    systems += [
        GeneratorSystem(name=set_name(method), images=result.manifest.uri, split="train")
        for method, result in syntheses.items()
    ]
    ordered = sorted(trained.generators, key=lambda name: (job.rows.index(trained.rows[name]), trained.seeds[name]))
    systems += [
        GeneratorSystem(
            name=name, generator=trained.generators[name], variant=trained.rows[name], seed=trained.seeds[name]
        )
        for name in ordered
    ]
    config = replace(
        job.audit,
        study=job.study,
        systems=tuple(systems),
        classifier=judges.measuring,
        task=job.task,
        reference=sets.reference,
        size=job.generator.size,
        directory=str(job.home / "audit"),
        ray=job.session,
    )

    def tell(system: SystemResult) -> None:
        print(system.describe(), flush=True)

    result = run_audit(config, on_system_done=tell)
    frames = result.frames()
    log_tables(filled(tables_of(frames)), children(result, frames), run)
    return result, frames


def log_sets(sets: Sets, reference_split: str, run: Run) -> dict[str, Manifest]:
    """Log the sets of real images; return name -> manifest."""
    found = {}
    for name, uri in sets._asdict().items():
        if uri:
            found[name] = Manifest.load(uri)
            run.log_dataset(found[name], f"{name} {reference_split if name == 'reference' else 'train'}", uri)
    return found
