"""A whole study with one command: write shards, train, audit, report. What is finished is not done again.

python -m jobs.study demo
python -m jobs.study photos
"""

import sys
from dataclasses import dataclass, replace
from pathlib import Path

from greycard.datasets.faces import FacesConfig
from greycard.datasets.photos import PhotosConfig
from greycard.datasets.splits import SplitConfig
from greycard.streaming.cluster import SessionConfig, session
from jobs import command
from jobs.audit import AuditJob, audit, demo_audit, photos_audit
from jobs.report import Reported
from jobs.shards import ShardsJob, write
from jobs.train import demo_classifiers, demo_codecs, photos_codecs, train
from jobs.train_plan import TrainJob


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyJob:
    """The jobs of a study, in the order in which they run.

    Attributes:
        shards: the data sets to write.
        train: the models to train on them.
        audit: what is audited and reported in the end.
        root: folder that the relative directories of all jobs lie in; "" is the working directory.
        ray: how all of them reach Ray.
    """

    root: str = ""
    shards: tuple[ShardsJob, ...]
    train: tuple[TrainJob, ...]
    audit: AuditJob
    ray: SessionConfig


def study(job: StudyJob) -> Reported:
    """Run every job of the study, with one Ray for all."""
    job = rooted(job)
    for item in job.shards:
        write(item)
    with session(job.ray):
        for training in job.train:
            train(training)
        reported = audit(job.audit)
    print("MLflow UI: make ui, then open http://127.0.0.1:5000")
    return reported


def rooted(job: StudyJob) -> StudyJob:
    """Return the study with every relative directory put below its root."""
    if not job.root:
        return job

    def below(path: str) -> str:
        return str(Path(job.root).expanduser() / path) if path and "://" not in path else path

    training = tuple(
        replace(
            item,
            directory=below(item.directory),
            shards=below(item.shards),
            models=tuple(replace(model, shards=below(model.shards)) for model in item.models),
        )
        for item in job.train
    )
    audited = replace(job.audit.audit, shards=below(job.audit.audit.shards), directory=below(job.audit.audit.directory))
    return replace(
        job,
        root="",
        shards=tuple(replace(item, directory=below(item.directory)) for item in job.shards),
        train=training,
        audit=replace(job.audit, audit=audited, models=job.audit.models or job.root),
    )


def demo_study() -> StudyJob:
    """Drawn faces (not people): does a codec trained on mostly Caucasian faces treat African faces worse?"""

    def drawn(name: str, count: int, mix: str, seed: int, split: SplitConfig, an_identity: int = 4) -> ShardsJob:
        source = FacesConfig(count=count, mix=mix, seed=seed, images_per_identity=an_identity)
        return ShardsJob(source=source, directory=f"runs/demo/shards/{name}", split=split)

    training = SplitConfig(train=0.95, val=0.05, test=0.0)
    return StudyJob(
        shards=(
            drawn("unbalanced", 4000, "celeba_like", 1, training),
            drawn("balanced", 4000, "balanced", 2, training),
            drawn("phenotypes", 6000, "balanced", 3, training, an_identity=1),
            drawn("test", 2000, "balanced", 4, SplitConfig(train=0.0, val=0.0, test=1.0)),
        ),
        train=(demo_codecs(), demo_classifiers()),
        audit=demo_audit(),
        ray=SessionConfig(),
    )


def photos_study() -> StudyJob:
    """Real photographs from installed packages: three neural codecs and JPEG; the group is the photograph."""
    return StudyJob(
        shards=(
            ShardsJob(
                source=PhotosConfig(),
                directory="runs/photos/shards",
                split=SplitConfig(by="image", train=0.7, val=0.1, test=0.2),
            ),
        ),
        train=(photos_codecs(),),
        audit=photos_audit(),
        ray=SessionConfig(),
    )


RECIPES = {"demo": demo_study, "photos": photos_study}

if __name__ == "__main__":
    sys.exit(command.main("study", RECIPES, study, __doc__))
