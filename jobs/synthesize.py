"""Make a balanced set of images from an unbalanced generator: latent search (paper 004), or its rejection control.

    python -m jobs.synthesize mnist
    python -m jobs.synthesize mnist --set synthesis.count=1000 --set synthesis.directory=runs/mine

The set is written as shards to ``<directory>/shards``: the attribute is the class that the searching classifier sees,
the identity the lineage. A class that is short is said, in the manifest too. Run again, it resumes where it stopped.

The recipes search the generators that ``python -m jobs.rebalance`` leaves; ``models`` names another place for them.
"""

import sys

from greycard.recipes.paper004.syntheses import RECIPES
from greycard.synthesis.job import synthesize
from jobs import command

if __name__ == "__main__":
    sys.exit(command.main("synthesize", RECIPES, synthesize, __doc__))
