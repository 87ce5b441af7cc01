# Everything from a bare Python 3.11 and make: each target builds .venv itself where it is missing or out of date.
PYTHON ?= python3.11
ifeq ($(shell command -v $(PYTHON) 2>/dev/null),)
PYTHON := python3
endif
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: help demo test check format bench soak coverage clean

help:  ## Show what can be made.
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "mosaic-telemetry needs Python 3.11 or later; set PYTHON=...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --editable '.[all]' --group dev
	@touch $(STAMP)

demo: $(STAMP)  ## Run the whole loop on recorded sessions.
	@$(BIN)/mosaic-telemetry demo

test: $(STAMP)  ## Run the tests.
	$(BIN)/python -m pytest -n auto

check: $(STAMP)  ## Check format, lint, types and the direction of imports.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP)  ## Format the code and mend what the linter can.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

soak: $(STAMP)  ## Kill and fork reporting processes, hundreds of times.
	MOSAIC_TELEMETRY_SOAK=1 $(BIN)/python -m pytest tests/reliability/test_kill.py tests/reliability/test_fork.py

coverage: $(STAMP)  ## Run the tests with coverage.
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

bench: $(STAMP)  ## Measure, each number beside its peers of the same run.
	$(BIN)/python benchmarks/run.py

clean:  ## Remove what the other targets made.
	rm -rf .venv .venvs dist build site .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
