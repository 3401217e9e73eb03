# make demo | test | test-fast | test-all | test-triton | check | fuzz | bench
#
# Everything runs in .venv, which is built on first use and again when pyproject.toml or the constraints change.
#   PYTHON       the interpreter to build it from (3.11 or newer)
#   TORCH_INDEX  another package source for PyTorch (a URL); empty: the one that pip knows
#   JOBS         test processes

SHELL := /bin/bash
MAKEFLAGS += --no-print-directory

PYTHON ?= $(shell command -v python3.11 || command -v python3)
TORCH_INDEX ?=
JOBS ?= 2

STAMPS := .venv/.stamps
BIN := .venv/bin
# A machine without an NVIDIA driver gets the PyTorch release that was tested on CPUs.
CONSTRAINTS := $(if $(shell command -v nvidia-smi),,--constraint constraints-cpu.txt)
PIP_INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check \
	$(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))
# One thread a process: the processes share the cores.
PYTEST := OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=2 $(BIN)/python -m pytest -q -ra -n $(JOBS) --dist loadfile

.PHONY: demo test test-fast test-all check test-triton fuzz format bench environment clean

demo: environment
	$(BIN)/trisparse demo

test: environment
	$(PYTEST) -m "not slow"

# Without what takes long or needs compilers of any kind: under three minutes.
test-fast: environment
	$(PYTEST) -m "not slow and not long"

test-all: environment
	$(PYTEST)

# The Triton kernels in Triton's interpreter, and on the GPU where there is one. Triton takes 1 GB, so it is not part of `dev`.
test-triton: environment
	@$(BIN)/python -c 'import triton' 2>/dev/null || $(PIP_INSTALL) 'triton>=3.2'
	$(PYTEST) tests/sparse3d/kernels tests/sparse3d/test_neighbour_table.py

check: environment .typing/trisparse
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(PYTEST) -m "not slow"

format: environment
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# 420,000 damaged files against the readers; findings go to runs/fuzz (docs/robustness.md).
fuzz: environment
	@$(BIN)/python -c 'import atheris' 2>/dev/null || $(PIP_INSTALL) 'atheris>=3'
	$(BIN)/python tests/fuzz/fuzz_readers.py --jobs $(JOBS)

bench: environment
	@set -e; for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script; done

environment: $(STAMPS)/packages $(STAMPS)/text-model

$(STAMPS)/venv:
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "error: Python 3.11 or newer is needed, found: $(PYTHON); pass PYTHON=/path/to/python3.11" >&2; exit 1; }
	@"$(PYTHON)" -m venv .venv
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/packages: pyproject.toml constraints-cpu.txt | $(STAMPS)/venv
	@echo "installing packages into .venv (some minutes the first time)"
	@$(PIP_INSTALL) $(CONSTRAINTS) --editable '.[all,dev]'
	@touch $@

# Offline the rest goes on: tests that need the model skip and say so, commands that need it name `trisparse setup`.
$(STAMPS)/text-model: | $(STAMPS)/packages
	@if $(BIN)/trisparse setup; then touch $@; else \
		echo "warning: the text model is not installed; tests that need it will skip ('make environment' tries again)" >&2; fi

# pyright finds `trisparse`, which is the repository's root, through this link.
.typing/trisparse:
	@mkdir -p .typing && ln -sfn .. $@

clean:
	rm -rf .venv .typing build dist trisparse.egg-info
