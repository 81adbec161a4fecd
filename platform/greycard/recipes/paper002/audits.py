"""The audits of paper 002 (Tables 1-3), and how a training of predictors becomes the systems of an audit."""

from greycard.audits.prediction.configs import PredictionAudit
from greycard.audits.prediction.job import PredictionAuditJob
from greycard.recipes.paper002.trainings import Setting, celeba, siim, training, utkface
from greycard.recipes.systems import predictor_systems


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
