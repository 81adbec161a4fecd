"""CelebA: smiling by Male, all 40 attributes predicted together; σ_IOU against accuracy, for the IoU loss and EO.

The paper trains these losses on CelebA (Table 1) and searches λ on the other two data sets only. The IoU loss
is the mean over groups, as in the published code; EO has that loss's defaults.
"""

from greycard.datasets import celeba
from greycard.datasets.shards_job import ShardsJob
from greycard.datasets.splits import SplitConfig
from greycard.losses import Iou
from greycard.recipes.paper002 import trainings as paper002
from greycard.studies.tradeoff.plan import PredictorTrial, TuneJob
from greycard.tuning import Choice, Float, Goal, SearchConfig


def study() -> TuneJob:
    """CelebA, smiling by Male: 40 trials of loss and λ, σ_IOU against accuracy; set shards.0.source.root."""
    setting = paper002.celeba()
    source = celeba.CelebAConfig(names=celeba.ATTRIBUTES)
    return TuneJob(
        study="celeba_smiling",
        title="CelebA: smiling by Male",
        directory="runs/tune/celeba_smiling",
        shards=(ShardsJob(source=source, directory="runs/shards/celeba_attributes", split=SplitConfig(by="source")),),
        size=setting.size,
        trial=PredictorTrial(training=paper002.predictor(setting, "Male"), fair=Iou(reduction="mean")),
        space={
            "fair.kind": Choice(values=("iou", "eo_l2")),
            "fair.lam": Float(low=0.1, high=1000.0, log=True),
        },
        goals=(Goal(metric="sigma_iou"), Goal(metric="accuracy", mode="max")),
        search=SearchConfig(trials=40),
    )
