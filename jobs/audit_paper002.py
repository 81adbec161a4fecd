"""The audits of paper 002 (Tables 1-3), and how a training of predictors becomes the systems of an audit."""

from collections.abc import Iterable

from greycard.audits.prediction.configs import PredictionAudit, PredictorSystem
from jobs.audit_predictions import PredictionAuditJob
from jobs.paper002 import Setting, celeba, siim, training, utkface
from jobs.train_plan import TrainJob, trained_models
from jobs.train_predictors import PredictorTraining


def predictor_systems(job: TrainJob, names: Iterable[str] = ()) -> tuple[PredictorSystem, ...]:
    """Return a training job's predictors as systems, each fair phase beside the baseline that it started from.

    Args:
        job: the training.
        names: of the sets of predictors to take; none takes all.
    """
    wanted = set(names)
    sets = [item for item in job.models if isinstance(item, PredictorTraining) and (not wanted or item.name in wanted)]
    systems = []
    for item in sets:
        configs = trained_models(job, item)
        for seed in item.seeds:
            baseline = item.baseline_name(seed)
            systems.append(PredictorSystem(name=baseline, classifier=configs[baseline], seed=seed))
            for fair in item.fair:
                name = item.fair_name(fair, seed)
                systems.append(
                    PredictorSystem(
                        name=name,
                        classifier=configs[name],
                        loss=fair.kind,
                        lam=fair.lam,
                        seed=seed,
                        baseline=baseline,
                        trained_for=item.sensitive,
                    )
                )
    return tuple(systems)


def paper002_celeba() -> PredictionAuditJob:
    """Table 1 of paper 002: SlimCNN on CelebA's validation split, Smiling by Male and by Young, six losses each."""
    return _paper(celeba())


def paper002_utkface() -> PredictionAuditJob:
    """Table 2 of paper 002: EfficientNet-B1 on UTKFace's validation split, age group by gender and by race."""
    return _paper(utkface())


def paper002_siim() -> PredictionAuditJob:
    """Table 3 of paper 002: EfficientNet-B1 on SIIM-ISIC's validation split, diagnosis by sex."""
    return _paper(siim())


def _paper(setting: Setting) -> PredictionAuditJob:
    trained = training(setting)
    return PredictionAuditJob(
        audit=PredictionAudit(
            study=trained.study,
            shards=trained.shards,
            split="val",  # the paper reports validation numbers
            systems=predictor_systems(trained),
            targets=(setting.target,),
            sensitive=tuple((name,) for name in setting.sensitive),
            size=setting.size,
            resize=True,
            directory=f"{trained.directory}/audit",
        )
    )


RECIPES = {
    "paper002_celeba": paper002_celeba,
    "paper002_utkface": paper002_utkface,
    "paper002_siim": paper002_siim,
}
