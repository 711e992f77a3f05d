# `make demo` and `make test` do all the set-up themselves; Python 3.11 with venv is all they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo demo-ab test test-cluster cluster-up cluster-shell cluster-down fix docs picture lock clean

demo: $(VENV)/run
	$(BIN)/python -m docc demo

demo-ab: $(VENV)/run
	$(BIN)/python -m docc demo ab

test: $(VENV)/dev
	$(BIN)/python -m pytest -n 2

# A real control plane in a network namespace: needs root, and Go where it is not built yet (tests/cluster/README.md).
test-cluster: $(VENV)/dev
	$(BIN)/python -m tests.cluster build
	$(BIN)/python -m tests.cluster test

cluster-up cluster-shell cluster-down: $(VENV)/dev
	$(BIN)/python -m tests.cluster $(@:cluster-%=%)

fix: $(VENV)/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# What docs take from the code; tests/quality/test_docs.py fails when it is stale.
docs: $(VENV)/dev
	$(BIN)/python -m docs.draw

# README's picture, from a demo that is really played.
picture: $(VENV)/dev
	$(BIN)/python -m docs.picture

lock:
	uv pip compile --universal --no-emit-index-url --generate-hashes --python-version 3.11 --extra sandbox pyproject.toml -o requirements/run.txt
	uv pip compile --universal --no-emit-index-url --generate-hashes --python-version 3.11 --extra sandbox --group dev pyproject.toml -o requirements/dev.txt

clean:
	rm -rf $(VENV) dist

$(VENV)/run: requirements/run.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.txt
	touch $@

$(VENV)/dev: requirements/dev.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	touch $@
