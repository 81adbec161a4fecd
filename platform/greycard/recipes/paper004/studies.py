"""The studies of `jobs.rebalance`: MNIST-5k and drawn faces on two CPU cores, CIFAR-10 and FFHQ at the paper's scale.

The rows come from ``generators``, the syntheses from ``syntheses`` beside this module, which also has the published
code's search (``published_z``, ``published_w_plus``) to put in ``synthesis``. At the paper's scale the measures of
Tables 2 and 5 are asked for; each is absent until ``audit.quality.<n>.weights`` names its weights.
"""

from dataclasses import replace
from typing import Final, Literal

from greycard.audits.generation.configs import GenerationAudit, RealismConfig
from greycard.classifiers import ClassifierConfig, ResNet32Config, ResNetConfig
from greycard.datasets.cifar10 import CLASSES as CIFAR10
from greycard.datasets.cifar10 import Cifar10Config
from greycard.datasets.faces import FacesConfig
from greycard.datasets.ffhq import FfhqConfig
from greycard.datasets.groups import RACE_MIXES, race_shares
from greycard.datasets.mnist import DIGITS, MnistConfig
from greycard.datasets.shards_job import ShardsJob
from greycard.datasets.splits import SplitConfig
from greycard.datasets.subsets import LongTailConfig, SubsetConfig
from greycard.datasets.table import TableConfig
from greycard.fitting.kinds.classifiers import ClassifierTraining
from greycard.fitting.plan import WorkersConfig
from greycard.generators import StyleGan2Config
from greycard.latent_search.config import LatentSearchConfig
from greycard.recipes.paper004.generators import (
    FFHQ,
    FFHQ_RACES,
    FFHQ_SHARES,
    QUALITY,
    cifar,
    faces_small,
    mnist_small,
)
from greycard.recipes.paper004.generators import ffhq as ffhq_rows
from greycard.recipes.paper004.syntheses import cifar10 as cifar10_synthesis
from greycard.recipes.paper004.syntheses import faces as faces_synthesis
from greycard.recipes.paper004.syntheses import ffhq_search
from greycard.recipes.paper004.syntheses import mnist as mnist_synthesis
from greycard.streaming.pipeline import Resources
from greycard.studies.rebalancing.plan import DEFAULT, REAL, REJECTION, RebalanceJob
from greycard.studies.rebalancing.rows import RowsConfig
from greycard.studies.rebalancing.sets import OneSource, OwnSources, SetsConfig
from greycard.synthesis.config import SynthesisConfig
from greycard.training.loop import LoopConfig
from greycard.training.optimizers import AdamConfig, CosineConfig, SgdConfig
from greycard.training.stylegan2.config import AdversarialConfig

Classes = dict[str, tuple[str, ...]]
_SOURCE: Final = SplitConfig(by="source")
_GPU: Final = Resources(num_gpus=0.25, num_cpus=1.0)


def mnist() -> RebalanceJob:
    """MNIST-5k, real digits, as a long tail of 300 zeros to 30 nines, 32 pixels (within 75 minutes on two cores).

    Of the 500 images of each digit 80 are the reference, 100 teach the measuring classifier, and 20 validate; a tail
    from 500 down to 50 would leave no zero to hold out.
    """
    rows = mnist_small()
    measuring = _measuring(rows.task, {rows.task: DIGITS}, replace(_short(epochs=80), jitter=1.0))
    data = OneSource(source=MnistConfig(colored=False), attribute="digit")
    return replace(
        _small(rows, data, measuring, mnist_synthesis().synthesis),
        study="mnist",
        title="Balanced digits from an unbalanced generator",
        directory="runs/paper004/mnist",
        printed="CIFAR10-LT",
    )


def faces_ffhq() -> RebalanceJob:
    """Drawn faces (not people), 69 % Caucasian and 0.4 % Indian as the paper says of FFHQ, 32 pixels; by race.

    The judge learns balanced faces, as the paper's judge of FFHQ comes from other data: one that learnt the twenty
    Indian faces of the unbalanced ones labelled 4 % of others correctly.
    """
    rows = faces_small()
    home = "runs/paper004/faces"

    def drawn(name: str, count: int, mix: str, seed: int, split: SplitConfig) -> ShardsJob:
        source = FacesConfig(count=count, mix=mix, seed=seed, size=32, images_per_identity=1)
        return ShardsJob(source=source, directory=f"{home}/shards/{name}", split=split)

    training = SplitConfig(train=0.9, val=0.1, test=0.0)
    data = OwnSources(
        real=drawn("real", 5000, "ffhq_like", 1, training),
        balanced=drawn("balanced", 5000, "balanced", 2, training),
        measuring=drawn("measuring", 5000, "balanced", 3, training),
        reference=drawn("reference", 2000, "balanced", 4, SplitConfig(train=0.0, val=0.0, test=1.0)),
    )
    base = _small(rows, data, _measuring(rows.task, {}, _short(epochs=12)), faces_synthesis().synthesis)
    realism = replace(base.audit.realism, unbalanced=race_shares(RACE_MIXES["ffhq_like"]))
    return replace(
        base,
        study="faces_ffhq",
        title="Balanced drawn faces from an unbalanced generator",
        directory=home,
        judge_learns="balanced",
        audit=replace(base.audit, realism=realism),
        printed="FFHQ",
    )


def smoke() -> RebalanceJob:
    """Every step on a few digits of 16 pixels, with generators that learn nothing (a minute; for tests)."""
    generator = StyleGan2Config.preset("tiny", base=32, most=8)
    classes: Classes = {"digit": DIGITS}
    loop = replace(_short(epochs=6), batch_size=16)
    search = LatentSearchConfig(cap=4, start_budget=48, max_evaluations=24)
    return RebalanceJob(
        study="smoke",
        directory="runs/paper004/smoke",
        data=OneSource(
            source=MnistConfig(colored=False, per_digit=40), attribute="digit", reference=8, measuring=10, validating=2
        ),
        task="digit",
        judge=_judge(ResNet32Config(tasks=("digit",), classes=classes, width=2), loop),
        measuring=_measuring("digit", classes, loop, width=4),
        generator=generator,
        training=AdversarialConfig.preset("tiny", images=64, report_images=32),
        fine_tune_images=32,
        rows=(REAL, "finetune", "syn_bias"),
        samples=8,
        synthesis=SynthesisConfig(
            generator=generator,
            classifier=_unfilled("digit", classes),
            task="digit",
            val=0.0,
            count=4,
            search=search,
            lineages=2,
            max_lineages=2,
            rows_per_call=20,
        ),
        audit=GenerationAudit(
            classifier=_unfilled("digit", classes),
            task="digit",
            resize=True,
            size=16,
            count=60,
            realism=RealismConfig(splits=2, sample=60, subsets=2, subset=20, resamples=20),
        ),
        printed="CIFAR10-LT",
    )


def cifar10() -> RebalanceJob:
    """Tables 3 to 5: CIFAR-10 as a long tail, all eight rows (many GPU days): set data.*.source.root.

    Both classifiers see CIFAR-10's training images, of which the generators learn a part; the reference is its test
    part, which also validates them (their last epoch is taken, so nothing is chosen by it). The paper's judge is a
    ResNet-32 of four times the usual width; its training method (GLMC) is replaced by weighted classes here.
    """
    rows = cifar()
    classes: Classes = {rows.task: CIFAR10}
    home = "runs/paper004/cifar10"
    whole = ShardsJob(
        source=Cifar10Config(), directory=f"{home}/shards/balanced", split=replace(_SOURCE, rename={"test": "val"})
    )
    tail = SubsetConfig(longtail=LongTailConfig(attribute=rows.task))
    data = OwnSources(
        real=replace(whole, directory=f"{home}/shards/real", subset=tail),
        balanced=whole,
        measuring=whole,
        reference=ShardsJob(source=Cifar10Config(parts=("test",)), directory=f"{home}/shards/reference", split=_SOURCE),
    )
    measuring = _measuring(rows.task, classes, _gpu_loop(epochs=200), width=64)
    return replace(
        _full(rows, data, measuring, cifar10_synthesis().synthesis, "CIFAR10-LT"),
        study="cifar10",
        title="Balanced CIFAR-10 from a long tail",
        directory=home,
    )


def ffhq() -> RebalanceJob:
    """Tables 1 and 2: FFHQ at 256 pixels by race (many GPU weeks): set data.*.source.root, .labels and .path."""
    return _ffhq("config_f")


def ffhq_paper256() -> RebalanceJob:
    """The same with the paper256 network of StyleGAN2-ADA, in a directory of its own."""
    return _ffhq("paper256")


def _ffhq(network: str) -> RebalanceJob:
    """Return the study of FFHQ with one of two networks.

    FFHQ comes without labels of people: ``labels`` is a table of your own. The measuring classifier learns a data set
    of your own too (``data.measuring.source.path``), with the same classes and its own splits. The reference is FFHQ's
    validation part, cut to as many images per class as the rarest has: few, so set data.reference where you have more.
    """
    rows = ffhq_rows(network)
    classes: Classes = {rows.task: FFHQ_RACES}
    study = FFHQ[network]
    home = f"runs/paper004/{study}"
    faces = ShardsJob(
        source=FfhqConfig(images="images1024x1024", labels="race.csv", classes=classes),
        directory=f"{home}/shards/real",
        split=_SOURCE,
        subset=SubsetConfig(attribute=rows.task, splits=("val",)),
    )
    labelled = TableConfig(path="faces.csv", classes=classes, split="split")
    data = OwnSources(
        real=faces,
        measuring=ShardsJob(source=labelled, directory=f"{home}/shards/measuring", split=_SOURCE),
        reference=faces,
    )
    resnet18 = ResNetConfig(tasks=(rows.task,), classes=classes)
    measuring = replace(_measuring(rows.task, classes, _gpu_loop(epochs=40)), classifier=resnet18)
    base = _full(rows, data, measuring, ffhq_search(network).synthesis, "FFHQ")
    return replace(
        base,
        study=study,
        title="Balanced faces from FFHQ",
        directory=home,
        audit=replace(base.audit, reference_split="val"),
    )


def _small(
    rows: RowsConfig, data: SetsConfig, measuring: ClassifierTraining, synthesis: SynthesisConfig
) -> RebalanceJob:
    """Return what the studies on two CPU cores share: 20,000 images of each generator are audited."""
    base = _base(rows, data, measuring, replace(synthesis, resources=Resources(actors=2)))
    audit = replace(
        base.audit,
        count=20_000,
        paths=1000,
        realism=RealismConfig(splits=4, sample=5000, subsets=50, subset=500),
        resources=Resources(actors=2, rows_per_block=512),
    )
    return replace(base, audit=audit)


def _full(
    rows: RowsConfig,
    data: SetsConfig,
    measuring: ClassifierTraining,
    synthesis: SynthesisConfig,
    printed: Literal["FFHQ", "CIFAR10-LT"],
) -> RebalanceJob:
    """Return what the studies at the paper's scale share."""
    base = _base(rows, data, measuring, replace(synthesis, val=0.0))
    audit = replace(
        base.audit,
        count=50_000,
        paths=10_000,
        realism=RealismConfig(unbalanced=FFHQ_SHARES if printed == "FFHQ" else ()),
        quality=QUALITY[printed],
        resources=_GPU,
    )
    return replace(
        base,
        rows=(*rows.rows, REJECTION),
        audit=audit,
        printed=printed,
        workers=WorkersConfig(num_gpus=1.0, num_cpus=4.0),
    )


def _base(
    rows: RowsConfig, data: SetsConfig, measuring: ClassifierTraining, synthesis: SynthesisConfig
) -> RebalanceJob:
    """Return a study of rows on some images, to be named; both classifiers are trained in the same way."""
    classes = {rows.task: rows.judge.class_sets[rows.task]}
    return RebalanceJob(
        study="",
        directory="",
        data=data,
        task=rows.task,
        judge=_judge(rows.judge, measuring.loop),
        measuring=measuring,
        generator=rows.generator,
        training=rows.training,
        fine_tune_images=rows.fine_tune_images,
        shares=rows.shares,
        rows=DEFAULT,
        samples=rows.samples,
        synthesis=synthesis,
        audit=GenerationAudit(
            classifier=_unfilled(rows.task, classes), task=rows.task, resize=True, size=rows.generator.size
        ),
    )


def _judge(classifier: ClassifierConfig, loop: LoopConfig) -> ClassifierTraining:
    """Return the training of a judge: with weighted classes, since it learns unbalanced images."""
    return ClassifierTraining(
        name="judge",
        classifier=replace(classifier, weights=""),
        seeds=(0,),
        a_model="all",
        loop=loop,
        class_weighting="balanced",
    )


def _measuring(task: str, classes: Classes, loop: LoopConfig, width: int = 16) -> ClassifierTraining:
    """Return the measuring classifier: a ResNet-18, as the paper's published code has it, of another seed."""
    return ClassifierTraining(
        name="measuring",
        classifier=ResNetConfig(tasks=(task,), classes=classes, width=width, stem="small"),
        seeds=(1,),
        a_model="all",
        loop=loop,
    )


def _short(epochs: int) -> LoopConfig:
    """Return how small classifiers are trained: to their last epoch, so that validation images choose nothing."""
    return LoopConfig(
        epochs=epochs,
        batch_size=32,
        optimizer=AdamConfig(learning_rate=4e-3, weight_decay=0.01),
        schedule=CosineConfig(warmup=0.1),
        keep="last",
        channels_last=True,
    )


def _gpu_loop(epochs: int) -> LoopConfig:
    return LoopConfig(
        epochs=epochs,
        batch_size=128,
        optimizer=SgdConfig(learning_rate=0.1, momentum=0.9, weight_decay=5e-4),
        schedule=CosineConfig(),
        mirror=True,
        keep="last",
        checkpoint_steps=1000,
        device="auto",
    )


def _unfilled(task: str, classes: Classes) -> ClassifierConfig:
    """Return what stands for a classifier until the study fills it in."""
    return ResNet32Config(tasks=(task,), classes=classes)


RECIPES: Final = {recipe.__name__: recipe for recipe in (mnist, faces_ffhq, smoke, cifar10, ffhq, ffhq_paper256)}
