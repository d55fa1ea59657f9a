# Every verb sets up by itself what it needs: a machine with Python 3.11 or later, make and git is enough.

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
INSTALLED := $(VENV)/.installed
# Two more than CI has cores: acceptance tests wait for processes while others calculate. Each worker begins with
# its own part of the tests and takes over from slower ones in the end.
WORKERS ?= 4
PYTEST := $(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help install demo test test-sqlite test-postgres lint format faults outages fuzz bench lock docs clean

help: ## Show the verbs.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(INSTALLED) ## Make .venv with everything, at the locked versions.

$(INSTALLED): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed: install it, or run make PYTHON=/path/to/python3" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { \
		rm -rf $(VENV); echo "Python's venv module is needed: on Debian, apt-get install python3-venv" >&2; exit 1; }
	@echo "Installing the locked packages into $(VENV). This takes one to five minutes, most of them in silence."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: install ## Enrich 200 documents before your eyes; the last line is JSON.
	@$(BIN)/mongoclaw demo

test: test-sqlite test-postgres ## Run all tests on SQLite, and those that touch SQL again on PostgreSQL.

test-sqlite: install
	$(PYTEST) -m "not faults"

test-postgres: install
	@if $(BIN)/python -c 'from sandbox.embedded.binaries import find_postgres; find_postgres()' 2>/dev/null; then \
		echo 'MONGOCLAW_TEST_DATABASE=postgres $(PYTEST) -m "sql and not faults and not once"'; \
		MONGOCLAW_TEST_DATABASE=postgres $(PYTEST) -m "sql and not faults and not once"; \
	elif [ "$$CI" = true ]; then \
		echo "PostgreSQL is not installed, and CI must test it" >&2; exit 1; \
	else \
		echo "PostgreSQL is not installed: its half of the tests is skipped"; \
	fi

lint: install ## Check style, types and which way imports go.
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: install ## Bring the code into its style.
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

faults: install ## Kill, cut and fail at random under load (KILLS=200 SEED=... BROKER=rabbitmq); the last line is JSON.
	@KILLS="$(or $(KILLS),200)" SEED="$(or $(SEED),0)" $(BIN)/python -m tests.acceptance.storm

outages: install ## Run the tests of single long outages and rare kills, which make test leaves out.
	$(PYTEST) -m faults

fuzz: install ## Send the HTTP API requests of all kinds (REQUESTS=10000); each answer is as documented, and none is an error.
	FUZZ_REQUESTS="$(or $(REQUESTS),10000)" $(BIN)/python -m pytest -q tests/integration/mongoclaw_project/test_api_fuzz.py

bench: install ## Measure speed and memory, beside MongoClaw 1.0.4 and plain Celery; results go to bench/results/.
	$(BIN)/python -m bench

docs: install ## Write docs/reference/ and the README's figures anew.
	$(BIN)/python -m docs.generate

lock: install ## Resolve the dependencies anew into the three locks.
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --quiet --upgrade --universal --python-version 3.11 \
		--extra embedded --extra postgres --extra flower --group dev \
		--generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
		--output-file requirements.lock
	$(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --constraint requirements.lock \
		--extra postgres --extra flower \
		--generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
		--output-file requirements.runtime.lock
	@# Only workers call litellm: the image of the others is made without it, see Dockerfile.
	echo litellm | $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 \
		--constraint requirements.lock --excludes - --extra postgres --extra flower \
		--generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
		--output-file requirements.server.lock

clean: ## Remove all that make and the tools have made, the data in .mongoclaw included.
	rm -rf $(VENV) bench/.cache .mongoclaw .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
