"""UTKFace: the age group by race, λ of the IoU loss, as section 5.3 of paper 002 searches it.

60 trials of TPE, λ log-uniform in [0.1, 1000], and σ_IOU of hard decisions on the validation split as the objective.
The loss is the mean over groups, as in the published code, whose range of λ this is; eq. 12 prints the sum (``--set
trial.fair.reduction=sum``), for which the same λ weighs more by the number of groups.
The paper also searches by gender: ``--set trial.training.sensitive=[gender]`` with a directory of its own.
"""

from greycard.datasets.shards_job import ShardsJob
from greycard.datasets.splits import PUBLISHED
from greycard.datasets.utkface import UtkFaceConfig
from greycard.losses import Iou
from greycard.recipes.paper002 import trainings as paper002
from greycard.studies.tradeoff.plan import PredictorTrial, TuneJob
from greycard.tuning import Float, Goal, SearchConfig


def study() -> TuneJob:
    """UTKFace, age group by race: 60 trials of λ for the IoU loss (paper 002); set shards.0.source.root."""
    setting = paper002.utkface()
    return TuneJob(
        study="utkface_age",
        title="UTKFace: age group by race",
        directory="runs/tune/utkface_age",
        shards=(ShardsJob(source=UtkFaceConfig(), directory="runs/shards/utkface", split=PUBLISHED),),
        size=setting.size,
        trial=PredictorTrial(training=paper002.predictor(setting, "race"), fair=Iou(reduction="mean")),
        space={"fair.lam": Float(low=0.1, high=1000.0, log=True)},
        goals=(Goal(metric="sigma_iou"),),
        search=SearchConfig(trials=60),
    )
