# Triptych. `make` prints what it can do; CONTRIBUTING.md says how the pieces hang together.
#   PROFILE = smoke | quick (default) | full | paper      STUDY = legal_rag | bitsys | ft_dojo (default: all)
#   JOBS    = stages at a time (default 2)

PROFILE ?= quick
STUDY   ?=
JOBS    ?= 2
BAR     ?=
BENCH   ?= short

ifeq (,$(filter grouped-target,$(.FEATURES)))
  $(error triptych needs GNU Make 4.3 or newer, this is $(MAKE_VERSION): conda env create -f environment.yml brings one)
endif

SHELL := /bin/bash
.DEFAULT_GOAL := help
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules
ifeq (,$(shell echo '$(JOBS)' | grep -E '^[1-9][0-9]*$$'))
  $(error JOBS=$(JOBS) is not a number of jobs: for example JOBS=2)
endif
ifneq (,$(and $(filter clean distclean,$(MAKECMDGOALS)),$(filter-out clean distclean,$(MAKECMDGOALS))))
  $(error run clean on its own: what is up to date is decided before anything is removed)
endif
MAKEFLAGS += -j$(JOBS)

# The conda environment `triptych` when it is the active one, else .venv; never any other environment.
ifeq ($(CONDA_DEFAULT_ENV),triptych)
  ENVIRONMENT := $(CONDA_PREFIX)
else
  ENVIRONMENT := .venv
endif
PYTHON := $(ENVIRONMENT)/bin/python
BOOT   := $(firstword $(wildcard $(PYTHON)) $(shell command -v python3.11) $(shell command -v python3))
export PYTHONPATH := lib$(if $(PYTHONPATH),:$(PYTHONPATH))
export PATH := $(abspath $(ENVIRONMENT)/bin):$(PATH)
export PYTHONDONTWRITEBYTECODE := $(if $(wildcard $(PYTHON)),,1)

# Goals that need the environment find out here, by content, whether `setup` has anything to do.
ifneq (,$(filter figures report lab exercises test mutate lint bench check lock legal-rag-regenerate,$(MAKECMDGOALS)))
  ifneq (yes,$(if $(BOOT),$(shell $(BOOT) -c 'import tomllib' 2>/dev/null && echo yes)))
    $(error triptych needs Python 3.11: install it, or `conda env create -f environment.yml && conda activate triptych`)
  endif
  SETUP := $(if $(shell PYTHONPATH=lib $(BOOT) -m triptych.bootstrap --check >/dev/null 2>&1 || echo stale),setup)
endif

# The rules of the stages, made from notebooks/stages.toml with their content keys; see lib/triptych/keys.py.
ifneq (,$(filter figures report,$(MAKECMDGOALS)))
  FRAGMENT := $(shell PYTHONPATH=lib $(BOOT) -m triptych.keys '$(PROFILE)' $(if $(STUDY),'$(STUDY)'))
  ifeq (,$(FRAGMENT))
    $(error nothing was run; the line above says what to correct)
  endif
  include $(FRAGMENT)
endif

.PHONY: help setup doctor figures report lab exercises test mutate lint bench check lock legal-rag-regenerate clean distclean

help: ## what can be made (this text)
	@echo 'make TARGET [PROFILE=smoke|quick|full|paper] [STUDY=legal_rag|bitsys|ft_dojo] [JOBS=2]'
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 24

setup: ## install everything that is missing (into the conda environment `triptych` when active, else .venv)
	@$(if $(BOOT),,echo 'triptych needs Python 3.11'; exit 1;) $(BOOT) -m triptych.bootstrap

doctor: ## what this machine has, what a missing piece costs, how to get it
	@$(if $(BOOT),,echo 'triptych needs Python 3.11'; exit 1;) $(BOOT) -m triptych doctor

figures: $(OUTPUTS) | $(SETUP) ## run every stage that is not up to date → build/figures/PROFILE/

report: $(OUTPUTS) | $(SETUP) ## the figures, then build/report/index.html: figures, numbers, records, notebooks
	@$(PYTHON) -m triptych report --profile $(PROFILE) $(if $(STUDY),--study $(STUDY))

lab: | $(SETUP) ## explore the notebooks in JupyterLab
	@$(PYTHON) -m jupyter lab --notebook-dir=notebooks

exercises: | $(SETUP) ## the walkthroughs, exercises unsolved, in JupyterLab → build/exercises/
	@$(PYTHON) -m triptych exercises $(if $(STUDY),--study $(STUDY))
	@$(PYTHON) -m jupyter lab --notebook-dir=build/exercises

test: | $(SETUP) ## unit, RTL, fault and notebook tests
	@$(PYTHON) -m pytest -n $(JOBS) --dist worksteal -q $(if $(STUDY),--study $(STUDY)) $(PYTEST)

lint: | $(SETUP) ## ruff, pyright, import floors, codespell, Verilator and verible lint, clean notebooks
	@$(PYTHON) -m ruff check --quiet .
	@$(PYTHON) -m ruff format --check --quiet .
	@$(PYTHON) -m pyright --pythonpath $(PYTHON) --level error
	@PYTHONPATH=lib $(ENVIRONMENT)/bin/lint-imports --no-cache
	@$(ENVIRONMENT)/bin/codespell README.md CHANGELOG.md CONTRIBUTING.md lib notebooks tests rtl
	@$(ENVIRONMENT)/bin/nbstripout --keep-id --verify $(wildcard notebooks/*/*.ipynb)
	@$(PYTHON) -m pytest -q tests/rtl/test_bitsys_lint.py

mutate: | $(SETUP) ## plant generated faults in the RTL, a sample of them (MUTATE=--all: all), and see that each is found
	@$(PYTHON) tests/rtl/mutate.py $(MUTATE)

bench: | $(SETUP) ## measure the bars (BAR=name, STUDY=…, BENCH=long for those that take long)
	@$(PYTHON) tests/bench/run.py --kind $(BENCH) $(if $(BAR),--bar $(BAR)) $(if $(STUDY),--study $(STUDY))

check: lint test ## lint and test

lock: | $(SETUP) ## rebuild requirements.lock, requirements-cuda.lock and environment.yml
	@$(PYTHON) -m triptych.lock $(LOCK)

legal-rag-regenerate: | $(SETUP) ## ask the language model of legal_rag/02_factorial for every answer again (hours)
	@$(PYTHON) -m triptych run legal_rag/02_factorial --profile full -p reuse=false

clean: ## remove what was made, keep downloads, caches and the environment
	rm -rf build/figures build/results build/runs build/keys build/report build/lab

distclean: clean ## remove caches, downloads, models and the environment as well
	rm -rf build .venv .pytest_cache .ruff_cache .hypothesis lib/*.egg-info
