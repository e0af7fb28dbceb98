# Every target by its name; `make` alone lists them. CI calls these and nothing else.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --no-input
COOLDOWN ?= 7 days

# Where each stamp sits there is an environment that matches the lock it is newer than.
RUNTIME := $(VENV)/.runtime-installed
TOOLS   := $(VENV)/.tools-installed

.PHONY: help
help: ## list the targets (this)
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# --- set-up ---------------------------------------------------------------------

.PHONY: venv
venv: $(TOOLS) ## the environment in .venv: service and tools, every artifact by its hash

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Latchkey needs Python 3.11 or newer; '$(PYTHON)' is not. Try: sudo apt install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "Python's venv module is missing. Install it with: sudo apt install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(RUNTIME): requirements.txt | $(BIN)/python
	$(PIP) install --quiet --require-hashes --no-deps -r requirements.txt
	@touch $@

$(TOOLS): tests/requirements.txt $(RUNTIME)
	$(PIP) install --quiet --require-hashes --no-deps -r tests/requirements.txt
	@touch $@

# --- dependencies ---------------------------------------------------------------

.PHONY: lock
lock: ## recompile the hashed locks from pyproject.toml (needs uv)
	$(UV_COMPILE) pyproject.toml -o requirements.txt
	$(UV_COMPILE) --group dev -c requirements.txt -o tests/requirements.txt

UV_COMPILE := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --exclude-newer "$(COOLDOWN)" --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"
