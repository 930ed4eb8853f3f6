# Everything a developer does here. `make lint` and `make test` are exactly what CI runs.

PYTHON := $(shell for p in python3.14 python3.13 python3.12 python3.11 python3; do \
	command -v $$p >/dev/null 2>&1 || continue; \
	$$p -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; \
	done)
BIN := .venv/bin
STAMP := .venv/installed
RUNNABLE := .venv/runnable
PIP_INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
EXTRAS := postgres,mariadb,archive,catalog,media,raw,watch,faces,oidc,demo,test
# Workers of pytest; each starts its own servers, which takes about a second.
WORKERS ?= 2
JUNIT := build/junit.xml

.DEFAULT_GOAL := help
.PHONY: help run test test-slow check lint bench docs clean servers

help: ## Show what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later with venv is needed; on Debian: apt-get install python3 python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv .venv

# What `make run` needs is a third of what the tests need.
$(RUNNABLE): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP_INSTALL) -e '.[demo]'
	touch $@

$(STAMP): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP_INSTALL) -e '.[$(EXTRAS)]'
	touch $(RUNNABLE) $@

run: $(RUNNABLE) ## Run console and worker on a small set of demonstration data
	$(BIN)/lading up --demo

servers: ## Install the database and object-store servers that tests start
	tools/setup_test_servers.sh

test: $(STAMP) servers ## Run all tests but the slow ones
	@mkdir -p build
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m "not slow" --junitxml=$(JUNIT)

test-slow: $(STAMP) servers ## Run the soak tests and fault matrices
	@mkdir -p build
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m slow --junitxml=build/junit-slow.xml

check: lint ## Check style, types, imports, generated pages and the rules of the house
	$(BIN)/python -m pytest -q tests/project

lint: $(STAMP) ## The part of `check` that runs no test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/generate_docs.py --check

bench: $(STAMP) servers ## Measure; each script says what it measures and prints a table
	@for script in benchmarks/bench_*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

docs: $(STAMP) ## Write the generated pages of the documentation anew
	$(BIN)/python tools/generate_docs.py

clean: ## Remove what is made here, the virtual environment and the demonstration data
	rm -rf .venv build dist demo lading-data src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests tools benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
