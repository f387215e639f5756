# Two commands do everything: `make report` and `make test`. Both set up on first use.
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do $$p -c '$(NEW_ENOUGH)' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: report test lab lint types accuracy bench peers places clean
.DEFAULT_GOAL := report

report: $(READY)  ## the main job on the synthetic sample, into reports/current
	rm -rf data/workspace
	$(BIN)/lineage run data/sample --workspace data/workspace --out reports || [ $$? -eq 3 ]

test: $(READY)
	$(BIN)/python -m pytest -n 2

lab: $(READY)  ## JupyterLab on loopback, its token kept, with the notebooks on the sample workspace
	$(BIN)/python -c "import lineage_analytics as la; print(la.sample())"
	$(BIN)/jupyter lab --ip=127.0.0.1 notebooks

lint: $(READY)
	$(BIN)/ruff check .

types: $(READY)
	$(BIN)/mypy

accuracy: $(READY)  ## decision lineage beside known answers, every target; SEEDS=3,8 repeats
	$(BIN)/python -m tests.accuracy.decisions

bench: $(VENV)/.bench  ## speed and memory beside DuckDB, policy_sentry and networkx; loading needs ../shared/data
	@failed=0; for part in cloudtrail policies reach; do \
		$(BIN)/python -m tests.bench.bench_$$part || failed=1; done; exit $$failed

peers: $(VENV)/.peers  ## escalations and event names beside cloudsplaining and trailscraper; provenance read by prov
	PYTHONPATH=$(VENV)/peers $(BIN)/python -m pytest tests/test_event_names.py tests/test_escalation_cloudsplaining.py \
		tests/test_provenance.py

places: $(VENV)/.places  ## object stores, against an S3-compatible server on loopback
	PYTHONPATH=$(VENV)/places $(BIN)/python -m pytest tests/test_places_s3.py

$(READY): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" && $(PYTHON) -c '$(NEW_ENOUGH)' || \
		{ echo "Wanted Python 3.11 or newer on the PATH, found none. Try: make PYTHON=/path/to/python3.11"; exit 6; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile --no-deps --only-binary :all: --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.bench: $(READY) requirements-bench.lock
	$(BIN)/python -m pip install --quiet --no-compile --only-binary :all: --require-hashes -r requirements-bench.lock
	@touch $@

$(VENV)/.peers: $(READY) requirements-peers.lock
	$(BIN)/python -m pip install --quiet --no-compile --no-deps --only-binary :all: --require-hashes \
		--target $(VENV)/peers -r requirements-peers.lock
	@touch $@

$(VENV)/.places: $(READY) requirements-places.lock
	$(BIN)/python -m pip install --quiet --no-compile --no-deps --only-binary :all: --require-hashes \
		--target $(VENV)/places -r requirements-places.lock
	@touch $@

clean:
	rm -rf $(VENV) workspace data/workspace build dist
