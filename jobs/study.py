"""A whole study with one command: write shards, train, audit, report. What is finished is not done again.

python -m jobs.study demo
python -m jobs.study photos
"""

import sys

from greycard.recipes.demo import demo_study
from greycard.recipes.photos import photos_study
from greycard.studies.chain import study
from jobs import command

RECIPES = {"demo": demo_study, "photos": photos_study}

if __name__ == "__main__":
    sys.exit(command.main("study", RECIPES, study, __doc__))
