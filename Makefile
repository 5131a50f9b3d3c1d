# `make run` shows a live city, `make test` runs all tests; both do their own set-up.

PYTHON ?=
export PYTHON
BIN := .venv/bin
# How many test files run at once; each worker has servers of its own, for which it mostly waits.
WORKERS ?= 4
# What all of them need is there before the clock of the first test runs.
FETCH := from tsuji_platform.runtime import broker, database; \
	database.with_timescaledb() or database.fetch(); broker.find()

.PHONY: run test faults soak outage check bench clean lock format screenshots comparison help

help:
	@echo "make run          set up and show a live city; Ctrl-C stops it, its data stays"
	@echo "make test         set up and run all checks and tests (WORKERS=n at once, ARGS=... for pytest)"
	@echo "make faults       200 rounds of random faults (ROUNDS=n, SEED=n for one round again)"
	@echo "make soak         the whole hub under load for MINUTES=30; writes docs/soak.md"
	@echo "make outage       a million messages wait while the database is away (MESSAGES=n)"
	@echo "make check        format, lint, types, import rules, known vulnerabilities (AUDIT=off, AUDIT=strict)"
	@echo "make bench        measure, all or ARGS=ingest, history, api, dashboard, …; prints ratios within one run"
	@echo "make docs         build the documentation's site in site/; no warning, no dead link"
	@echo "make screenshots  take the README's pictures anew, of a hub that runs"
	@echo "make comparison   draw simulated beside real days anew (docs/comparison.md)"
	@echo "make lock         resolve the lock files anew"
	@echo "make clean        remove the virtual environment and caches (the data stays)"

run:
	@tools/setup run
	@$(BIN)/tsuji up

check:
	@tools/setup dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	@$(BIN)/python tools/audit.py

# Bytecode is kept, whatever is usual here: hundreds of processes would compile the same again. On a fresh
# checkout the tests' own is made beside the checks, once, instead of by each worker.
test:
	@tools/setup dev
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --collect-only -q >/dev/null 2>&1 & \
		$(MAKE) --no-print-directory check; failed=$$?; wait; exit $$failed
	@echo "browser: $$($(BIN)/python -m tsuji_platform.runtime.browser)"
	@$(BIN)/python -c "$(FETCH)"
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

faults:
	@tools/setup dev
	ROUNDS=$(or $(ROUNDS),200) $(BIN)/python -m pytest -q -s --timeout=0 tests/faults/test_random_rounds.py

soak:
	@tools/setup dev
	$(BIN)/python -m bench.soak --minutes $(or $(MINUTES),30) --report docs/soak.md --note "$(NOTE)"

outage:
	@tools/setup dev
	MESSAGES=$(or $(MESSAGES),1000000) $(BIN)/python -m pytest -q -s --timeout=0 tests/faults/test_long_outage.py

bench:
	@tools/setup dev
	$(BIN)/python -m bench $(ARGS)

.PHONY: docs
docs:
	@tools/setup dev
	$(BIN)/python tools/docs.py site

screenshots:
	@tools/setup dev
	@echo "browser: $$($(BIN)/python -m tsuji_platform.runtime.browser)"
	$(BIN)/python docs/make_screenshots.py

comparison:
	@tools/setup dev
	$(BIN)/python -m bench.comparison_page

format:
	@tools/setup dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock:
	@tools/setup dev
	$(BIN)/uv pip compile pyproject.toml --extra build --extra tracing --extra dev --universal --python-version 3.11 \
		--generate-hashes --no-header --no-annotate --quiet --upgrade --output-file requirements-dev.lock
	$(BIN)/uv pip compile pyproject.toml --extra build --extra tracing --universal --python-version 3.11 \
		--generate-hashes --no-header --no-annotate --quiet \
		--constraint requirements-dev.lock --output-file requirements.lock

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis dist
	find . -name __pycache__ -prune -exec rm -rf {} +
