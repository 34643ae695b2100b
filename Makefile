# Every target works on a fresh machine with Python 3.11, make and a package index.
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help

.PHONY: help run dev test test-slow check check-python check-sql check-project format docs bench bench-quick mutants screenshots lock clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

.venv/ready: requirements.lock pyproject.toml
	@echo "Setting up .venv from requirements.lock (about a minute) …"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.venv/ready-dev: .venv/ready requirements-dev.lock
	@echo "Adding the tools for tests and checks …"
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes --no-deps -r requirements-dev.lock
	@touch $@

run: .venv/ready ## Load, build, plan and apply: the whole chain, on the sandbox unless .env says live
	@$(BIN)/karvon run

dev: .venv/ready ## Dagster UI with daemon and sandbox on loopback
	@$(BIN)/karvon dev

test: .venv/ready-dev ## All tests, on DuckDB and on a Postgres they start themselves
	$(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder -m "not slow and not proof"

test-slow: .venv/ready-dev ## The tests that take longer, and the proofs; TAKE=slow leaves the proofs out
	$(BIN)/python -m pytest -q $(if $(filter slow,$(TAKE)),-n 2 --dist loadfile --no-loadscope-reorder -m slow,-m "slow or proof")

check: .venv/ready-dev ## Format, lint, walls, types, SQL, dbt project, Dagster definitions
	@$(MAKE) --no-print-directory -j 2 check-sql check-python check-project

check-python: .venv/ready-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy

check-sql: .venv/ready-dev
	KARVON_DUCKDB_PATH=:memory: $(BIN)/sqlfluff lint -q --processes 2 dbt_project/models dbt_project/tests

check-project: .venv/ready-dev
	$(BIN)/karvon dbt --warn-error parse --show-all-deprecations --no-partial-parse
	$(BIN)/karvon definitions

format: .venv/ready-dev ## Format Python and SQL
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	KARVON_DUCKDB_PATH=:memory: $(BIN)/sqlfluff fix -q dbt_project/models dbt_project/tests

docs: .venv/ready ## dbt docs as one page, in .karvon/sandbox/dbt/static_index.html
	@$(BIN)/karvon dbt docs generate --static

bench: .venv/ready-dev ## Ratios against the floors in benchmarks/
	$(BIN)/python -m benchmarks

bench-quick: .venv/ready-dev ## Ratios of some rows at small sizes, held against benchmarks/baseline.json
	$(BIN)/python -m benchmarks --quick

mutants: .venv/ready-dev ## Faults put in by hand, and the share that tests notice; SAMPLE=40 SEED=1 ROOM=guards
	$(BIN)/python -m tests.mutants --sample $(or $(SAMPLE),40) $(if $(SEED),--seed $(SEED)) $(if $(ROOM),--room "$(ROOM)")

screenshots: .venv/ready ## Pictures of the lineage and the shop in docs/ (needs chromium)
	$(BIN)/python docs/screenshots.py

lock: ## Pin the dependencies again (needs uv)
	uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --only-binary :all: --generate-hashes --no-emit-index-url --no-emit-find-links --no-header -q -o requirements-dev.lock
	uv pip compile pyproject.toml -c requirements-dev.lock --universal --python-version 3.11 --only-binary :all: --generate-hashes --no-emit-index-url --no-emit-find-links --no-header -q -o requirements.lock
	uv pip compile pyproject.toml --extra celery -c requirements.lock $$(sed -nE 's/^([a-z0-9._-]+)(\[.*\])?==.*/--no-emit-package \1/p' requirements.lock) --universal --python-version 3.11 --only-binary :all: --generate-hashes --no-emit-index-url --no-emit-find-links --no-header -q -o deploy/requirements-celery.lock

clean: ## Remove what runs and checks left behind, not the warehouse
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis dbt_project/target dbt_project/logs
