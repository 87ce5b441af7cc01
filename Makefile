# Everything from a bare Python 3.11 and make: each target builds .venv itself where it is missing or out of date.
PYTHON ?= python3.11
ifeq ($(shell command -v $(PYTHON) 2>/dev/null),)
PYTHON := python3
endif
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: help install demo screenshots test check formatted lint types security format bench soak harnesses coverage reference docs build release-check clean

help:  ## Show what can be made.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "mosaic-telemetry needs Python 3.11 or later; set PYTHON=...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --editable '.[all]' --group dev
	@touch $(STAMP)

install: $(STAMP)  ## Set up .venv; every other target does so where it is needed.

demo: $(STAMP)  ## Run the whole loop on recorded sessions.
	@$(BIN)/mosaic-telemetry demo

test: $(STAMP)  ## Run the tests.
	$(BIN)/python -m pytest -n auto

check: formatted lint types  ## Check format, lint, types and the direction of imports.

formatted: $(STAMP)  ## Check the format alone.
	$(BIN)/ruff format --check .

lint: $(STAMP)  ## Check lint and the direction of imports alone.
	$(BIN)/ruff check .
	$(BIN)/lint-imports

types: $(STAMP)  ## Check the types alone.
	$(BIN)/mypy

security: $(STAMP)  ## Look for known vulnerabilities (high and above fails) and for risky code.
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml --severity-level medium src scripts
	$(BIN)/python scripts/audit.py

format: $(STAMP)  ## Format the code and mend what the linter can.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

soak: $(STAMP)  ## Kill and fork reporting processes hundreds of times; damage session files 2,000 times.
	MOSAIC_TELEMETRY_SOAK=1 $(BIN)/python -m pytest tests/server/test_fuzz.py tests/reliability/test_kill.py tests/reliability/test_fork.py tests/collectors/test_mutations.py tests/server/test_crash_workers.py tests/engine/test_store_crashes.py tests/engine/test_erasure_crashes.py tests/engine/test_clickhouse_crashes.py

harnesses: $(STAMP)  ## Drive the real harnesses, installed from the npm registry, against a model API of our own.
	MOSAIC_TELEMETRY_HARNESSES=1 $(BIN)/python -m pytest tests/harnesses

coverage: $(STAMP)  ## Run the tests; at least 95 % of the code must be covered.
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -n auto
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

bench: $(STAMP)  ## Measure, each number beside its peers of the same run.
	$(BIN)/python benchmarks/run.py

reference: $(STAMP)  ## Renew what the documents say of commands, HTTP API, fields and names.
	$(BIN)/python scripts/reference.py

screenshots: $(STAMP)  ## Take the pictures of the documents anew (needs Chromium).
	$(BIN)/python scripts/screenshots.py

docs: $(STAMP)  ## Build the documents into site/, strictly.
	$(BIN)/python scripts/reference.py --check
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

build: $(STAMP)  ## Build wheel and sdist into dist/.
	rm -rf dist
	$(BIN)/python -m build --outdir dist

release-check: $(STAMP)  ## Build, and check what a user will install.
	$(BIN)/python scripts/release_check.py

clean:  ## Remove what the other targets made.
	rm -rf .venv .venvs dist build site .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
