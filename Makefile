# Two commands do all the set-up on a fresh machine that has python3 (3.11 or newer) and make:
#   make run    one cycle, in paper mode unless the environment says otherwise
#   make test   every test
# Both install exact, hash-checked versions into .venv. A stamp in .venv remembers which lock file it was filled from,
# so the next call goes straight to work.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

VENV := .venv
PYTHON := $(VENV)/bin/python
INTERPRETER := $(VENV)/.interpreter
RUNTIME := $(VENV)/.runtime
DEVELOPMENT := $(VENV)/.development
RUNTIME_LOCK := requirements-lock.txt
CHANNELS_LOCK := .ci/requirements-channels-lock.txt
DEVELOPMENT_LOCK := .ci/requirements-dev-lock.txt

# pip's process may spend minutes taking itself apart after its work is done: it is ended as soon as it is.
PIP := import os, sys; from pip._internal.cli.main import main; code = main(sys.argv[1:]); sys.stdout.flush(); os._exit(code)
# --no-deps: the lock names every package, so there is nothing to resolve. --no-compile: done below, on all cores.
# -qq: only errors speak.
INSTALL := $(PYTHON) -c '$(PIP)' install -qq --disable-pip-version-check --no-compile --no-deps --require-hashes
# The development lock holds gigabytes of research and test tools: uv, which that lock names too, puts them in place six
# times as fast as pip. uv knows nothing of pip's settings (a mirror, a folder of wheels): where it cannot, pip does it.
UV_LOCK := $(VENV)/.uv-lock.txt
UV_INSTALL := $(PYTHON) -m uv pip install -q --python $(PYTHON) --no-deps --require-hashes
COMPILE := $(PYTHON) -m compileall -q -j 0 $(VENV)/lib >/dev/null || true

WORKFLOWS := $(wildcard .github/workflows/*.yml)
SCRIPTS := .ci/run ops/container/run.sh ops/vps-dispatch/dispatch.sh ops/vps-dispatch/install.sh

# More arguments for the command behind a target: make run ARGS=--help, make test ARGS="-k ledger -x"
ARGS ?=
# One more than CI's cores: many tests wait, for a process that was killed or for somebody who never answers.
WORKERS ?= 3

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

.PHONY: run
run: $(RUNTIME) ## run one cycle: make run ARGS="..."
	@$(PYTHON) main.py $(ARGS)

.PHONY: test
test: $(DEVELOPMENT) ## run every test: make test ARGS="-k ledger -x"
	@$(PYTHON) -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

.PHONY: lint
lint: $(DEVELOPMENT) ## ruff (rules and format), mypy, the workflows, the shell scripts
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy
	@$(VENV)/bin/check-jsonschema --quiet --builtin-schema vendor.github-workflows $(WORKFLOWS)
	@$(VENV)/bin/zizmor --offline --no-progress --quiet $(WORKFLOWS)
	@$(VENV)/bin/actionlint -no-color $(WORKFLOWS)
	@if command -v shellcheck >/dev/null; then shellcheck $(SCRIPTS); \
	else echo "shellcheck is not installed: the scripts are not looked at"; fi

.PHONY: format
format: $(DEVELOPMENT) ## let ruff put the code in form
	@$(PYTHON) -m ruff check --fix-only --quiet .
	@$(PYTHON) -m ruff format .

.PHONY: mutations
mutations: $(DEVELOPMENT) ## break each promise on purpose and see its test go red: make mutations ARGS="--only X05"
	@$(PYTHON) -m tests.mutations $(ARGS)

.PHONY: drill
drill: $(DEVELOPMENT) ## walk each rung and each control on the simulated exchange, and see the alerts
	@$(PYTHON) -m tests.scenarios.drill $(ARGS)

.PHONY: bench
bench: $(DEVELOPMENT) ## run every benchmark and print one table: make bench ARGS="--only sweep"
	@$(PYTHON) benchmarks/everything.py $(ARGS)

# What is too long for every run: minutes each, all of it seeded, so that a red one can be run again. SEED=2 is another.
SEED ?= 1

.PHONY: guards
guards: $(DEVELOPMENT) ## take each guard of the journal away and see its test go red: make guards ARGS="--only NAME"
	@$(PYTHON) -m tests.scenarios.guards $(ARGS)

.PHONY: soak
soak: $(DEVELOPMENT) ## the long runs: weeks of troubled hours, hundreds of killed processes: make soak SEED=2
	@$(PYTHON) -m tests.scenarios.soak --hours 720 --seed $(SEED)
	@$(PYTHON) -m tests.scenarios.soak --hours 720 --seed $(SEED) --strategy restless
	@$(PYTHON) -m tests.scenarios.matrix --cases 10000 --seed $(SEED) --workers $(WORKERS) --firestore 50
	@$(PYTHON) -m tests.scenarios.processes --kills 500 --seed $(SEED)
	@PARITY_EXAMPLES=200 $(PYTHON) -m pytest -q -p no:cacheprovider --timeout 3600 tests/runtime/test_backtest_parity.py

# Versions already in the locks stay unless pyproject.toml asks for others; `make lock ARGS=--upgrade` takes the newest.
LOCK = $(PYTHON) -m uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --no-emit-index-url --no-emit-find-links

.PHONY: lock
lock: $(INTERPRETER) ## write the lock files anew from pyproject.toml
	@$(PYTHON) -m pip install -qq --disable-pip-version-check 'uv>=0.9'
	@$(LOCK) $(ARGS) --output-file $(RUNTIME_LOCK)
	@$(LOCK) $(ARGS) --extra channels --extra research --extra test --extra lint --constraint $(RUNTIME_LOCK) --output-file $(DEVELOPMENT_LOCK)
	@$(LOCK) $(ARGS) --extra channels --constraint $(DEVELOPMENT_LOCK) --output-file $(CHANNELS_LOCK)
	@if grep -nE '://|^-|^ *#' $(RUNTIME_LOCK) $(CHANNELS_LOCK) $(DEVELOPMENT_LOCK); then \
		echo "a lock file may hold only versions and hashes; see the lines above" >&2; exit 1; fi
	@grep -c '==' $(RUNTIME_LOCK) $(CHANNELS_LOCK) $(DEVELOPMENT_LOCK)

.PHONY: clean
clean: ## remove .venv and the tools' caches; what runs left in var/ stays
	@rm -rf $(VENV) .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- set-up -----------------------------------------------------------------------------------------------------------

# The first python on PATH that is new enough. The locks are made for CPython 3.11 to 3.13.
$(INTERPRETER):
	@for python in python3 python3.13 python3.12 python3.11; do \
		if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			"$$python" -m venv --clear $(VENV) || { \
				echo "$$python cannot make a virtual environment (Debian: apt-get install python3-venv)" >&2; exit 1; }; \
			touch $@; exit 0; \
		fi; \
	done; \
	echo "Python 3.11 or newer is needed; python3 here is: $$(python3 --version 2>&1 || true)" >&2; exit 1

$(RUNTIME): $(RUNTIME_LOCK) | $(INTERPRETER)
	@echo "setting up $(VENV) (once; about half a minute)"
	@$(INSTALL) -r $(RUNTIME_LOCK)
	@$(COMPILE)
	@touch $@

$(DEVELOPMENT): $(DEVELOPMENT_LOCK) $(RUNTIME_LOCK) | $(INTERPRETER)
	@echo "setting up $(VENV) with the test and lint tools (once; about half a minute)"
	@awk '/^uv==/ {on = 1} on {print} on && !/\\$$/ {exit}' $(DEVELOPMENT_LOCK) >$(UV_LOCK)
	@$(INSTALL) -r $(UV_LOCK)
	@$(UV_INSTALL) -r $(DEVELOPMENT_LOCK) || $(INSTALL) -r $(DEVELOPMENT_LOCK)
	@touch $(RUNTIME) $@
