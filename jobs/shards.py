"""Write a data set as shards: Parquet files of encoded images and labels, with a manifest beside them.

    python -m jobs.shards faces --set source.count=4000 --set directory=runs/shards/mine
    python -m jobs.shards rfw --set source.root=/data/RFW

Run again with the same configuration it changes nothing; after a kill it keeps the files that were complete.
"""

import sys

from greycard.datasets.shards_job import write
from greycard.recipes.datasets import RECIPES
from jobs import command

if __name__ == "__main__":
    sys.exit(command.main("shards", RECIPES, write, __doc__))
