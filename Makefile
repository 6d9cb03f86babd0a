PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: help install nightly up test lint bench lock clean

help:  ## List what can be made
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

install: $(INSTALLED)  ## Make the virtual environment from requirements.lock

$(INSTALLED): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14) and "Nadir needs Python 3.11 to 3.13, found " + sys.version)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

nightly: install  ## Run tonight's night; without a landing folder, on the embedded default cohort
	$(BIN)/nadir nightly

up: install  ## Start Prefect, MLflow and a worker on 127.0.0.1, deployed and scheduled; Ctrl-C stops all
	$(BIN)/nadir up

test: install  ## Check style and types, run the tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

bench: install  ## Run the benchmarks; results go to the terminal
	$(BIN)/python -m tests.benchmarks.coverage --cohorts 200
	$(BIN)/python -m tests.benchmarks.guards --cohorts 50
	$(BIN)/python -m tests.benchmarks.curves
	$(BIN)/python -m tests.benchmarks.counts

lint: install  ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

lock:  ## Write requirements.lock anew from pyproject.toml (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --extra dev pyproject.toml --output-file requirements.lock

clean:  ## Delete the virtual environment and caches; home and landing folders stay
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
