"""Rebalance a generator: train on unbalanced images, search balanced ones, retrain, audit (paper 004).

    python -m jobs.rebalance mnist
    python -m jobs.rebalance mnist --set 'rows=[real, syn_bias]' --set training.images=60000
    python -m jobs.rebalance cifar10 --set data.real.source.root=/data/cifar10

One command writes the sets of images, trains the judge and an independent measuring classifier, trains the biased
generator and the other rows of real images, makes balanced synthetic sets by latent search and by rejection sampling,
trains the rows of synthetic images, audits all of them with the measuring classifier against balanced held-out images,
and writes DIRECTORY/report/index.html with the printed values beside ours.

Started again in the same directory it resumes where it stopped; what is finished is only reported again. One MLflow
run, with a child run per model, synthesis and audited set. A class that the search can not find is reported and carried
through: the rows are trained without it. A row whose training diverges is said and left out.
"""

import sys

from greycard.recipes.paper004.studies import RECIPES
from greycard.studies.rebalancing.study import rebalance
from jobs import command

if __name__ == "__main__":
    sys.exit(command.main("rebalance", RECIPES, rebalance, __doc__))
