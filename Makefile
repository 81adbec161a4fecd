# Every target sets up .venv by itself. PYTHON chooses the interpreter that makes it.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

export RAY_AUTH_MODE ?= disabled
export RAY_USAGE_STATS_ENABLED ?= 0
export OMP_NUM_THREADS ?= 1

# How many test processes; each has one thread and, where tests ask for it, a local Ray. A file's tests stay together.
WORKERS ?= 2
PYTEST := $(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder

.PHONY: help setup demo photos ui search-ui check test test-all gpu-check lint format clean

help:  ## List the targets.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

setup: $(STAMP)  ## Make .venv with the exact versions of constraints.txt.

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: setup  ## The main job on drawn faces: shards, training, audit, report (under 5 minutes on 2 cores).
	$(BIN)/python -m jobs.study demo

photos: setup  ## The codecs on real photographs that scikit-image and scikit-learn ship.
	$(BIN)/python -m jobs.study photos

ui: setup  ## Open the MLflow UI on the local store (http://127.0.0.1:5000).
	$(BIN)/mlflow server --backend-store-uri sqlite:///runs/mlflow.db --host 127.0.0.1 --port 5000 --workers 1

# STUDY is a name of `python -m jobs.tune --list`; STORAGE, the study's database where it is not in runs/tune/STUDY.
STORAGE ?= sqlite:///runs/tune/$(STUDY)/search/optuna.db

search-ui: setup  ## Open optuna-dashboard on a search, live or finished: make search-ui STUDY=faces_smile.
	@test -n "$(STUDY)" || { echo "say which search: make search-ui STUDY=faces_smile"; exit 2; }
	@case "$(STORAGE)" in sqlite:///*) test -f "$(patsubst sqlite:///%,%,$(STORAGE))" || \
		{ echo "no search in $(STORAGE): start python -m jobs.tune $(STUDY) first, or set STORAGE"; exit 2; };; esac
	$(BIN)/optuna-dashboard --host 127.0.0.1 --port 8080 $(STORAGE)

check: lint  ## Lint, types and the quick tests, none of which needs a cluster (under 2 minutes on 2 cores).
	$(PYTEST) -m "not cluster and not slow and not long and not gpu"

test: lint  ## Lint, types and tests (under 15 minutes on 2 cores).
	$(PYTEST) --durations=25 -m "not long"

test-all: lint  ## The same with the longest tests: whole studies killed and continued.
	$(PYTEST) --durations=25

# Needs neither .venv nor Ray, MLflow or CompressAI: any PYTHON (3.11 or 3.12) with the packages that it names.
gpu-check:  ## Check the GPU against the CPU, then images/s of each model; PYTHON needs torch and little else.
	@$(PYTHON) -c 'import numpy, pytest, torch, tqdm, yaml' || { echo "$(PYTHON) lacks a package: run" \
		"pip install torch numpy pyyaml tqdm pytest, or make gpu-check PYTHON=.venv/bin/python"; exit 2; }
	env -u OMP_NUM_THREADS $(PYTHON) -m pytest -q -rs -W default -o addopts=--import-mode=importlib -m gpu tests/gpu
	env -u OMP_NUM_THREADS PYTHONPATH=platform $(PYTHON) -m jobs.benchmarks.throughput

lint: setup  ## ruff and mypy.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup  ## Rewrite the code as ruff formats it.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## Remove what the jobs wrote (runs/), not the environment; asks first, make clean YES=1 does not.
	@test -e runs || { echo "nothing to remove: there is no runs/"; exit 0; }; \
	if [ -z "$(YES)" ]; then \
		test -t 0 || { echo "runs/ holds all models, audits and MLflow runs: make clean YES=1 removes it" >&2; exit 2; }; \
		du -sh runs; printf 'Remove runs/ with all models, audits and MLflow runs? [y/N] '; read answer; \
		[ "$$answer" = y ] || { echo "kept"; exit 2; }; \
	fi; rm -rf runs
