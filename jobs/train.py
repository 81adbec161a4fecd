"""Train codecs (down a chain of λ), classifiers and predictors under fairness losses on shards.

    python -m jobs.train codecs_paper --set shards=runs/shards/celeba --set directory=runs/train/celeba
    python -m jobs.train classifiers_paper --set shards=runs/shards/rfw

Each model is a Ray task that keeps a checkpoint: a worker that dies, or a job that is killed and run again,
resumes where it stopped and ends with the same weights. Finished models are not trained again. The driver alone logs
to MLflow: one child run per model, with its curves, and the model in the registry. On several nodes, ``directory`` must
be on a file system that all of them see.
"""

import sys

from greycard.fitting.job import train
from greycard.recipes.demo import demo_classifiers, demo_codecs
from greycard.recipes.paper000 import classifiers_code, classifiers_paper, codecs_paper
from greycard.recipes.paper002 import trainings as paper002
from greycard.recipes.photos import photos_codecs
from jobs import command

RECIPES = {
    "codecs_paper": codecs_paper,
    "classifiers_paper": classifiers_paper,
    "classifiers_code": classifiers_code,
    "demo_codecs": demo_codecs,
    "demo_classifiers": demo_classifiers,
    "photos_codecs": photos_codecs,
    **paper002.RECIPES,
}

if __name__ == "__main__":
    sys.exit(command.main("train", RECIPES, train, __doc__))
