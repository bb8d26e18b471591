# make demo, make test, make docs: each does all of its own set-up, in $(VENV).
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# A virtual environment may outlive a clone (see .ci/run): what is installed is kept by clone.
CLONE := $(shell printf %s '$(CURDIR)' | cksum | cut -d' ' -f1)
CORE := $(VENV)/.core-$(CLONE)
FULL := $(VENV)/.full-$(CLONE)

# Tests run in a process a core, but no more than eight (each takes a gigabyte), of one thread each; a process that is
# done takes tests from another. What Python compiles is kept, whatever the environment says: each process that the
# tests start would compile it again.
PROCESSES ?= logical
PYTEST = PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest \
	-n $(PROCESSES) --maxprocesses 8 --dist worksteal

# How many inputs make fuzz tries.
FUZZ ?= 10000

# Least share of lines and branches that the tests must reach, in per cent.
COVERAGE ?= 95

# What make docs runs of the code that the site shows, after it has built it; nothing where make test has done so.
DOCTESTS ?= sfmforensics tests/house/test_site.py tests/house/test_readme.py

.PHONY: help demo test quick docs figure fuzz coverage mutants lint format clean

help:
	@echo "make demo    install the core, then run the main job on synthetic voices (demo/)"
	@echo "make test    install everything, then run all tests and doctests"
	@echo "make quick   the tests that take no time: every room, and a run from end to end"
	@echo "make docs    install everything, then build the site and test its code (docs/_build/html/index.html)"
	@echo "make figure  draw the figure of the README anew, by the demo"
	@echo "make fuzz    try $(FUZZ) hostile recordings (FUZZ=N for others)"
	@echo "make coverage all tests, and that they reach $(COVERAGE) % of lines and branches"
	@echo "make mutants change pooling and splitters one place at a time: do the tests notice?"
	@echo "make lint    ruff and mypy, as .ci/run does"
	@echo "make format  let ruff rewrite the code"
	@echo "make clean   remove the virtual environment and what tools left behind"

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(CORE): pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(FULL): pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[all,test,docs]'
	@touch $@ $(CORE)

demo: $(CORE)
	$(BIN)/sfmforensics demo --output demo

test: $(FULL)
	$(PYTEST) $(ARGS)

quick: $(FULL)
	$(PYTEST) -m "not slow and not browser and not fuzz and not faults" tests $(ARGS)

docs: $(FULL)
	OMP_NUM_THREADS=1 MPLBACKEND=Agg HF_HUB_OFFLINE=1 POT_BACKEND_DISABLE_TENSORFLOW=1 \
		$(BIN)/python -m sphinx -W --keep-going -q -j auto -b html docs docs/_build/html
	$(BIN)/python docs/_ext/check_site.py docs/_build/html
	$(if $(strip $(DOCTESTS)),$(PYTEST) -q $(DOCTESTS))
	@echo "Open docs/_build/html/index.html"

figure: demo
	cp demo/gap.png docs/_static/demo.png

fuzz: $(FULL)
	SFMFORENSICS_FUZZ=$(FUZZ) $(BIN)/python -m pytest tests/fuzz $(ARGS)

coverage: $(FULL)
	$(PYTEST) --cov --cov-report=term:skip-covered --cov-fail-under=$(COVERAGE) $(ARGS)

mutants: $(FULL)
	$(BIN)/python -m pip install --quiet 'mutmut>=3.8'
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/mutmut run
	$(BIN)/mutmut results

lint: $(FULL)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(FULL)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis mutants .coverage \
		docs/_build docs/api docs/gallery docs/results/outputs docs/results/_reproduction.md docs/_static/rooms.svg
