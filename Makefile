# Two commands are enough: `make demo` and `make test`. Everything they need is installed into .venv.

PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
UV_VERSION := 0.13.9
BLOTOUT := $(BIN)/blotout
PORT ?= 3000

unexport PYTHONDONTWRITEBYTECODE
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help demo ui web test test-heavy lint format bench lock screenshots clean

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 16

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' \
	  || { echo "Python 3.11 or 3.12 is needed; name it with: make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "creating $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { echo "on Debian: apt-get install python3-venv"; rm -rf $(VENV); exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

$(VENV)/.installed: requirements.lock pyproject.toml | $(UV)
	@echo "installing the locked packages (about a minute)"
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes --compile-bytecode -r requirements.lock
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps -e .
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock $(VENV)/.installed
	@echo "installing what the tests need"
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes --compile-bytecode -r requirements-dev.lock
	@touch $@

demo: $(VENV)/.installed  ## make the demo store and run the main job on it, end to end
	@$(BLOTOUT) demo run --folder .demo

ui: $(VENV)/.installed  ## the Dagster UI on http://localhost:3000
	@$(BLOTOUT) ui --port $(PORT)

web: $(VENV)/.installed  ## the same behind a login with roles (docs/login.md)
	@$(BLOTOUT) web --port $(PORT)

test: $(VENV)/.installed-dev  ## all tests but the heavy ones
	@$(BIN)/python -m pytest -m "not heavy and not spark and not browser"

test-heavy: $(VENV)/.installed-dev  ## Spark (Java 17), browser (Chromium) and long tests
	@$(BIN)/python -m pytest -m "heavy or spark or browser"

lint: $(VENV)/.installed-dev  ## ruff and mypy
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(VENV)/.installed-dev  ## let ruff mend what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(VENV)/.installed-dev  ## measure; the tables are explained in docs/benchmarks.md
	@$(BIN)/python -m benchmarks

screenshots: $(VENV)/.installed-dev  ## take the pictures of docs/ from a demo run (Chromium; BLOTOUT_TEST_DATA)
	@$(BIN)/python -m docs.take_screenshots
	@$(BIN)/python -m docs.take_maintenance_screenshots
	@$(BIN)/python -m docs.take_pipeline_screenshots

lock: | $(UV)  ## compile the lock files from pyproject.toml
	@$(UV) pip compile --quiet --generate-hashes --no-header --python-version 3.11 pyproject.toml -o requirements.lock
	@$(UV) pip compile --quiet --generate-hashes --no-header --python-version 3.11 --extra test \
	  -c requirements.lock pyproject.toml -o requirements-dev.lock

clean:  ## remove the environment and what the demo made
	rm -rf $(VENV) .demo .blotout
