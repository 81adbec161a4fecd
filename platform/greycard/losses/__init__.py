"""Fairness losses on one joint table J[prediction, label, group], to be added to a predictor's cross-entropy."""

from typing import Annotated, Final

from greycard.config import BY_KIND
from greycard.losses.cells import FairLoss
from greycard.losses.independence import DpL2, DpMi, EoL2, EoMi
from greycard.losses.joint_table import JointTable
from greycard.losses.overlap import Iou, IouPaired

AnyFairLoss = DpL2 | DpMi | EoL2 | EoMi | Iou | IouPaired
FairLossConfig = Annotated[AnyFairLoss, BY_KIND]

LOSSES: Final[dict[str, type[AnyFairLoss]]] = {
    "dp_l2": DpL2,
    "dp_mi": DpMi,
    "eo_l2": EoL2,
    "eo_mi": EoMi,
    "iou": Iou,
    "iou_paired": IouPaired,
}

__all__ = [
    "LOSSES",
    "AnyFairLoss",
    "DpL2",
    "DpMi",
    "EoL2",
    "EoMi",
    "FairLoss",
    "FairLossConfig",
    "Iou",
    "IouPaired",
    "JointTable",
]
