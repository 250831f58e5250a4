# Two commands on a fresh machine: `make run` and `make test`. Everything else they need, they make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The locks are whole, so nothing is resolved again (pip 23 then takes a newer `coverage[toml]` than the locked one and refuses it).
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input --quiet
# A version or the path of a wheel: the plain one brings CUDA on Linux, a wheel of the CPU build does not.
TORCH ?= torch==2.13.0
WORKERS ?= auto

.DEFAULT_GOAL := help
.PHONY: help setup model otel run test check lint fast lock clean

help:  ## Show this.
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.run  ## Make .venv/ with what the service needs.

model: $(VENV)/.model  ## Add torch and Detoxify (TORCH names another torch), for SCORER=detoxify:... and its tests.

otel: $(VENV)/.otel  ## Add OpenTelemetry, for traces (OTEL_EXPORTER_OTLP_ENDPOINT).

run: $(VENV)/.run  ## Start everything on one port (PORT, default 8000) with a demo site.
	@LOG_LEVEL=$${LOG_LEVEL:-WARNING} exec $(BIN)/python -m service demo

test: $(VENV)/.test  ## Run all tests, a process for each core (WORKERS=0: one, in order).
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(ARGS)

check: lint fast  ## Format, lint, types, import contracts and the fast tests.

lint: $(VENV)/.test  ## Format, lint, types and import contracts.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

fast: $(VENV)/.test  ## Tests that need no more than a moment each.
	$(BIN)/python -m pytest -q -m "not slow and not browser and not postgres" tests/moderation tests/service/test_standings.py tests/service/test_access.py tests/test_architecture.py $(ARGS)

lock:  ## Pin what pyproject.toml names, with hashes.
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate -o requirements/run.txt pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --extra test -c requirements/run.txt -o requirements/test.txt pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --extra model --no-emit-package torch -c requirements/run.txt -c requirements/test.txt -o requirements/model.txt pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --extra otel -c requirements/run.txt -c requirements/test.txt -o requirements/otel.txt pyproject.toml

clean:  ## Remove .venv/ and caches; the data in .colloquy/ stays.
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
		{ echo "Colloquy needs Python 3.11, 3.12 or 3.13; name one with make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
		{ rm -rf $(VENV); echo "On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }

$(VENV)/.run: requirements/run.txt | $(BIN)/python
	@echo "installing what the service needs into $(VENV)/ ..."
	@$(PIP) install --require-hashes --no-deps -r requirements/run.txt
	@touch $@

$(VENV)/.test: requirements/test.txt | $(VENV)/.run
	@echo "installing what the tests need into $(VENV)/ ..."
	@$(PIP) install --require-hashes --no-deps -r requirements/test.txt
	@touch $@

$(VENV)/.otel: requirements/otel.txt | $(VENV)/.run
	@echo "installing OpenTelemetry into $(VENV)/ ..."
	@$(PIP) install --require-hashes --no-deps -r requirements/otel.txt
	@touch $@

# torch comes last: what it needs is then there already, as locked.
$(VENV)/.model: requirements/model.txt | $(VENV)/.run
	@echo "installing torch and Detoxify into $(VENV)/ ..."
	@$(PIP) install --require-hashes --no-deps -r requirements/model.txt
	@$(PIP) install $(TORCH)
	@touch $@
