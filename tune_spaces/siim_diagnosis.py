"""SIIM-ISIC: benign or malignant by sex, λ of the IoU loss, as section 5.4 of paper 002 searches it.

20 trials of TPE, λ log-uniform in [0.1, 1000], σ_IOU on the validation split. The loss is the mean over groups, as in
the published code, whose range of λ this is (``--set trial.fair.reduction=sum`` is eq. 12). Patients are kept
apart here; the published split by image is ``--set shards.0.split.by=permutation --set shards.0.split.seed=42``. With
1.8 % malignant images accuracy says little, so a choice may cost half a hundredth of the AUC instead.
"""

from greycard.datasets.shards_job import ShardsJob
from greycard.datasets.siim import SiimConfig
from greycard.datasets.splits import SplitConfig
from greycard.losses import Iou
from greycard.recipes.paper002 import trainings as paper002
from greycard.studies.tradeoff.plan import ConfirmConfig, Cost, PredictorTrial, TuneJob
from greycard.tuning import Float, Goal, SearchConfig


def study() -> TuneJob:
    """SIIM-ISIC, diagnosis by sex: 20 trials of λ for the IoU loss (paper 002); set shards.0.source.root."""
    setting = paper002.siim()
    split = SplitConfig(by="identity", train=0.7, val=0.2, test=0.1)
    return TuneJob(
        study="siim_diagnosis",
        title="SIIM-ISIC: diagnosis by sex",
        directory="runs/tune/siim_diagnosis",
        shards=(ShardsJob(source=SiimConfig(), directory="runs/shards/siim", split=split),),
        size=setting.size,
        trial=PredictorTrial(training=paper002.predictor(setting, "sex"), fair=Iou(reduction="mean")),
        space={"fair.lam": Float(low=0.1, high=1000.0, log=True)},
        goals=(Goal(metric="sigma_iou"),),
        search=SearchConfig(trials=20),
        confirm=ConfirmConfig(costs=(Cost(metric="accuracy"), Cost(metric="auc", most=0.005))),
    )
