# `make` alone lists the targets. CI (.ci/run) calls these and nothing else.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PARALLEL := -n auto --dist worksteal
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input

# A stamp is newer than the lock that its packages came from.
RUNTIME := $(VENV)/.runtime-installed
TOOLS := $(VENV)/.tools-installed

.PHONY: help
help: ## list the targets (this one)
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# --- use --------------------------------------------------------------------------------

.PHONY: run
run: $(RUNTIME) ## set up if needed and serve http://127.0.0.1:8000 (settings: .env)
	@if [ -f .env ]; then set -a; . ./.env; set +a; fi; \
	$(BIN)/flask --app wsgi upgrade --json >/dev/null && $(BIN)/flask --app wsgi init && \
	exec $(BIN)/python -m gunicorn wsgi:app

.PHONY: app
app: $(RUNTIME) ## a sample app at http://127.0.0.1:5000 that signs in through `make run`
	@if [ -f .env ]; then set -a; . ./.env; set +a; fi; $(BIN)/python tests/lab/sample.py

.PHONY: lab
lab: e2e-install ## the reference PDS, two accounts, a sample app; PLATFORM=1: a platform
	@PLATFORM=$(PLATFORM) $(BIN)/python tests/lab/up

# --- set-up -----------------------------------------------------------------------------

.PHONY: venv
venv: $(TOOLS) ## the environment in .venv: service and tools, every package by its hash

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Latchkey needs Python 3.11 or newer as '$(PYTHON)'." >&2; \
	  echo "On Debian: sudo apt install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "Python's venv module is missing." >&2; \
	  echo "On Debian: sudo apt install python3-venv" >&2; exit 1; }
	@echo "Making the environment in $(VENV) (about a minute, once) ..."
	@$(PYTHON) -m venv $(VENV)

$(RUNTIME): requirements.txt | $(BIN)/python
	@echo "Installing the service's packages ..."
	@$(PIP) install --quiet --require-hashes --no-deps -r requirements.txt
	@touch $@

$(TOOLS): tests/requirements.txt $(RUNTIME)
	@echo "Installing the tools' packages ..."
	@$(PIP) install --quiet --require-hashes --no-deps -r tests/requirements.txt
	@touch $@

# --- gates ------------------------------------------------------------------------------

# Further arguments of pytest, as in `make test TESTS=tests/flows`.
TESTS ?=

.PHONY: test
test: $(TOOLS) ## unit and journey tests on all cores, without network and processes
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -q $(PARALLEL) \
	  -m "not process" --hypothesis-profile=quick $(TESTS)

.PHONY: check
check: $(TOOLS) ## format, lint, types, import contracts, tests with branch coverage
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --cache-dir .cache/imports
	$(BIN)/djlint templates --lint --quiet
	$(BIN)/codespell
	$(BIN)/python -m pytest -q $(PARALLEL) --cov --cov-report=term-missing:skip-covered \
	  $(TESTS)

.PHONY: e2e-install
e2e-install: $(TOOLS) ## what `make e2e`, `make soak` and `make lab` need: browser, Node, PDS
	@tests/lab/install

.PHONY: e2e
e2e: e2e-service e2e-around ## both of the two below

.PHONY: e2e-service
e2e-service: e2e-install ## the service against the real reference PDS with a real browser
	@$(BIN)/python -m pytest -q -c tests/e2e/pytest.ini tests/e2e --ignore tests/e2e/previews

.PHONY: e2e-around
e2e-around: e2e-install ## previewed pages in a real browser, forward auth in real proxies
	@$(BIN)/python -m pytest -q -c tests/e2e/pytest.ini tests/e2e/previews
	@$(BIN)/python -m pytest -q tests/proxies

.PHONY: shots
shots: e2e-install ## pictures of every page and state, to look at: var/shots/index.html
	@$(BIN)/python -m tests.pages.screenshots var/shots

.PHONY: e2e-postgresql
e2e-postgresql: e2e-install ## its sign-ins with two workers on PostgreSQL
	@E2E_DATABASE=postgresql $(BIN)/python -m pytest -q -c tests/e2e/pytest.ini \
	  tests/e2e -k "prod_like and (sign_in or logout or sessions or grpc or secrets)"

SOAK_SECONDS ?= 300

.PHONY: soak
soak: e2e-install ## sessions and two nodes under constant use, SOAK_SECONDS=300 each
	@SOAK_SECONDS=$(SOAK_SECONDS) $(BIN)/python -m pytest -q -c tests/e2e/pytest.ini \
	  tests/e2e/test_soak.py tests/e2e/test_soak_nodes.py

.PHONY: faults
faults: e2e-install ## what people see while nodes, PostgreSQL and hosts fail under load
	@$(BIN)/python -m pytest -q -c tests/e2e/pytest.ini -k fault \
	  tests/e2e/test_faults.py tests/e2e/test_nodes.py

.PHONY: deploy-test
deploy-test: $(TOOLS) ## the playbook on a Debian machine made for it (takes root)
	@tests/deploy/run -q

.PHONY: bench
bench: $(TOOLS) ## what signing in, storing and awaiting cost, in ratios
	@$(BIN)/python -m tests.bench

.PHONY: wheel
wheel: $(TOOLS) ## OAuth library, native client, token verification as wheels, in dist/
	@$(BIN)/python packages/build.py packages/latchkey-atproto dist
	@$(BIN)/python packages/build.py packages/latchkey-native dist
	@$(BIN)/python packages/build.py packages/latchkey-verify dist

# --- upkeep -----------------------------------------------------------------------------

.PHONY: fix
fix: $(TOOLS) ## format the code and mend what the linter can mend
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

.PHONY: docs-config
docs-config: $(RUNTIME) ## write .env.example, docs/configuration.md and docs/commands.md
	@$(BIN)/python -m app.config.docs
	@$(BIN)/python -m app.commands.docs

.PHONY: translations
translations: $(RUNTIME) ## write new texts of pages, errors, command line into *.po
	@$(BIN)/python -m app.web.pages.translations
	@$(BIN)/python -m packages.translations

.PHONY: proto
proto: $(TOOLS) ## compile app/wire's .proto into the Python files beside it
	@$(BIN)/python -m tests.wire.generate

# Packages younger than the cooldown are left alone: a hijacked release is mostly noticed
# within days.
COOLDOWN ?= 7 days
COMPILE := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --exclude-newer "$(COOLDOWN)" --no-emit-index-url --no-emit-find-links \
  --custom-compile-command "make lock"

# Extras of the service, each with a lock of what it adds to requirements.txt.
EXTRAS := postgres redis
define EXTRA_PACKAGES
import sys, tomllib
with open("pyproject.toml", "rb") as file:
    extras = tomllib.load(file)["project"]["optional-dependencies"]
print(*extras[sys.argv[1]], sep="\n")
endef
export EXTRA_PACKAGES

.PHONY: lock
lock: ## recompile the hashed locks from pyproject.toml (needs uv)
	@command -v uv >/dev/null || { echo "uv is missing: pipx install uv" >&2; exit 1; }
	$(COMPILE) pyproject.toml --output-file requirements.txt
	for extra in $(EXTRAS); do \
	  $(PYTHON) -c "$$EXTRA_PACKAGES" $$extra | $(COMPILE) --constraint requirements.txt \
	    --output-file ansible/requirements-$$extra.txt - ; done
	$(COMPILE) --group dev --constraint requirements.txt --output-file tests/requirements.txt
	$(COMPILE) --group apps --output-file tests/e2e/apps/requirements.txt
	$(COMPILE) --group deploy --output-file ansible/requirements-deploy.txt
	$(COMPILE) --group deploy-test --constraint ansible/requirements-deploy.txt \
	  --output-file tests/deploy/requirements.txt
