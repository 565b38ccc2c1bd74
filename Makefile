# make demo   watch a crisis being noticed (ARGS=--stay keeps the page up)
# make test   lint, types, and every test that this machine can run
# make model  train the network, and put it in the shipped one's place if it is better; see models/README.md
# make bench  what is fast and how accurate; see docs/benchmarks.md

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Processes that the tests are shared among, file by file; ARGS='-n 0' runs them in one, as a debugger wants it.
TESTERS ?= 2

.PHONY: demo model test lint types tests bench bench-classify bench-detect bench-detect-quality bench-nab bench-stories bench-timers lock clean help

help:
	@sed -n '/^$$/q;s/^# //p' $(firstword $(MAKEFILE_LIST))

demo: $(VENV)/.installed
	@$(BIN)/tocsin demo $(ARGS)

# Training needs torch and more beside (models/README.md); --permissive leaves out the sets that are for research use only.
model: $(VENV)/.installed-dev
	@$(BIN)/python -c 'import torch, transformers, sklearn, onnx' 2>/dev/null || \
	  { echo "Training needs torch and the extra 'train': see models/README.md" >&2; exit 1; }
	$(BIN)/python -m models.make $(ARGS)

test: lint types tests

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(VENV)/.installed-dev
	$(BIN)/mypy

tests: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n $(TESTERS) --dist loadfile --no-loadscope-reorder $(ARGS)

bench: bench-classify bench-detect bench-stories bench-nab bench-detect-quality

bench-classify: $(VENV)/.installed-dev
	$(BIN)/python -m tests.load.bench_classify $(ARGS)

bench-detect: $(VENV)/.installed-dev
	$(BIN)/python -m tests.load.bench_detect $(ARGS)

bench-detect-quality: $(VENV)/.installed-dev
	$(BIN)/python -m tests.load.bench_detect_quality $(ARGS)

.PHONY: bench-api
bench-api: $(VENV)/.installed-dev
	$(BIN)/python -m tests.load.bench_api $(ARGS)

bench-stories: $(VENV)/.installed-dev
	$(BIN)/python -m tests.load.bench_stories $(ARGS)

bench-nab: $(VENV)/.installed-dev
	$(BIN)/python -m tests.load.bench_nab $(ARGS)

bench-timers: $(VENV)/.installed-dev
	$(BIN)/python -m tests.load.bench_timers $(ARGS)

.PHONY: bench-quiet
bench-quiet: $(VENV)/.installed-dev
	$(BIN)/python -m tests.load.bench_quiet $(ARGS)

.PHONY: bench-kills
bench-kills: $(VENV)/.installed-dev
	$(BIN)/python -m tests.load.kill_alert $(ARGS)

# The locks name versions and hashes, for every platform and Python from 3.11 on.
lock:
	uv pip compile pyproject.toml --group build --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header -q --upgrade -o requirements.lock
	uv pip compile pyproject.toml --group build --group dev --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header -q --upgrade -o requirements-dev.lock

clean:
	rm -rf $(VENV) .tocsin .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Tocsin needs Python 3.11 or newer; $(PYTHON) is older. Try: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@echo "Creating $(VENV) …"
	@$(PYTHON) -m venv $(VENV) || { echo "No venv here; on Debian and Ubuntu: apt-get install python3-venv" >&2; rm -rf $(VENV); exit 1; }

$(VENV)/.installed: requirements.lock pyproject.toml | $(BIN)/python
	@echo "Installing Tocsin into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock $(VENV)/.installed
	@echo "Installing what the tests need …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.lock
	@touch $@
