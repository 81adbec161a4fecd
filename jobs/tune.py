"""Search for a trade-off: from a biased baseline to a chosen λ, confirmed with several seeds on the test split.

    python -m jobs.tune faces_smile
    python -m jobs.tune utkface_age --set shards.0.source.root=/data/UTKFace --set search.num_gpus=0.25 \\
        --set search.concurrent=4 --set workers.num_gpus=1
    python -m jobs.tune faces_smile --resume

One command writes the shards, trains a baseline per seed, searches (Ray Tune runs the trials, Optuna suggests them),
chooses the best trial within the cost and the knee of the front, writes both as recipes (`python -m jobs.train
DIRECTORY/best.yaml`), trains them again with several seeds, compares them with the baselines on the test split in hard
decisions, registers them with the aliases best and knee, and writes DIRECTORY/report/index.html.

Started again in the same directory it resumes where it stopped: models, trials, audited images and MLflow runs that
are there are kept, and a finished study is only reported again. --resume does the same, but refuses to start
from nothing. More trials (--set search.trials=40) continue a finished search.

search.num_gpus is the share of a GPU that a trial gets, and search.concurrent how many trials run at once: a quarter
each fills one GPU with four. workers.num_gpus is for the baselines and the chosen ones. A model is put on its GPU by
the device of its loops, which is auto in the studies of paper 002 and cpu in the others: there also --set
trial.training.loop.device=auto --set trial.training.fair_loop.device=auto (of codecs, fine_tune.device).

While it runs, `make search-ui STUDY=faces_smile` shows the trials in optuna-dashboard, `make ui` in MLflow, and
`tensorboard --logdir DIRECTORY/search/tensorboard` their curves.
"""

import sys
from typing import Final

from greycard.studies.tradeoff.study import check_resume, tune
from jobs import command
from tune_spaces import (
    celeba_smiling,
    codec_rate_disparity,
    faces_smile,
    mnist_color,
    siim_diagnosis,
    utkface_age,
    utkface_losses,
)

STUDIES: Final = {
    "faces_smile": faces_smile.study,
    "mnist_color": mnist_color.study,
    "utkface_age": utkface_age.study,
    "utkface_losses": utkface_losses.study,
    "siim_diagnosis": siim_diagnosis.study,
    "celeba_smiling": celeba_smiling.study,
    "codec_rate_disparity": codec_rate_disparity.study,
}

if __name__ == "__main__":
    sys.exit(command.main("tune", STUDIES, tune, __doc__, check_resume=check_resume))
