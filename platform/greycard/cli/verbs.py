"""The verbs of ``python -m jobs.VERB``, each of which ``greycard submit`` sends to a cluster as well.

The jobs themselves are no part of the package: they travel with the working directory.
"""

from typing import Final

VERBS: Final = {
    "shards": "writes a data set as Parquet shards with a manifest",
    "train": "trains codecs along a chain of λ, classifiers, predictors with fairness losses and generators",
    "tune": "searches λ (or any fields) for goals that compete, confirms the choice, reports",
    "audit": "streams shards through codecs or predictors, or seeds through generators; measures, reports",
    "synthesize": "makes a balanced set of images from a generator by latent search or rejection",
    "rebalance": "all of paper 004: unbalanced data, generator, search, retraining, audit, table",
    "report": "makes the report of an audit again, with other settings",
    "study": "shards, training, audit and report in one command",
    "bench": "measures greycard itself",
}
