"""How trained models become the systems and classifiers of an audit."""

from collections.abc import Iterable

from greycard.audits.prediction.configs import PredictorSystem
from greycard.audits.restoration.configs import System
from greycard.classifiers import ClassifierConfig
from greycard.codecs import RawConfig
from greycard.fitting.kinds.classifiers import ClassifierTraining
from greycard.fitting.kinds.codecs import CodecTraining
from greycard.fitting.kinds.predictors import PredictorTraining
from greycard.fitting.plan import TrainJob
from greycard.metrics.full_reference.distortion import Mse, Psnr, Ssim

PIXEL_MEASURES = (Mse(), Psnr(), Ssim())
RAW = System(name="raw", codec=RawConfig())


def codec_systems(job: TrainJob) -> tuple[System, ...]:
    """Return a training job's codec chains as systems."""
    chains = [item for item in job.models if isinstance(item, CodecTraining)]
    return tuple(System(name=name, codec=codec) for chain in chains for name, codec in job.trained(chain).items())


def classifiers_of(job: TrainJob) -> tuple[ClassifierConfig, ...]:
    """Return a training job's classifiers, all tasks and seeds."""
    sets = [item for item in job.models if isinstance(item, ClassifierTraining)]
    return tuple(config for item in sets for config in job.trained(item).values())


def predictor_systems(job: TrainJob, names: Iterable[str] = ()) -> tuple[PredictorSystem, ...]:
    """Return a training job's predictors as systems, each fair phase beside the baseline that it started from.

    Args:
        job: the training.
        names: the names of the sets of predictors to take; none takes all.
    """
    wanted = set(names)
    sets = [item for item in job.models if isinstance(item, PredictorTraining) and (not wanted or item.name in wanted)]
    systems = []
    for item in sets:
        configs = job.trained(item)
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
