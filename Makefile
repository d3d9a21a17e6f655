# One index of commands; CI calls the same names. `make` alone lists them.
PYTHON ?= python
BIN := $(shell $(PYTHON) -c 'import os, sys; print(os.path.dirname(sys.executable))')

.DEFAULT_GOAL := help
.PHONY: help setup check lint types tests fix test test-fast golden docs api web proto scores bench doctor

help:  ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */  \1\t/' | expand -t 14

setup:  ## install the package and what its development needs
	$(PYTHON) -m pip install -c constraints.txt -e ".[dev]"

check: lint types  ## format, lint, import arrows, types, documentation
	$(BIN)/lint-imports
	$(PYTHON) -m pytest tests/test_docs.py -k "not documentation_run and not walk"

lint:
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types:  ## types, with pyrefly
	$(BIN)/pyrefly check --python-interpreter-path $(BIN)/python

fix:  ## format, and repair what ruff can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test: lint  ## everything that CI runs: types beside the tests, in a process for each core but no more than four
	$(MAKE) --no-print-directory -j 2 types tests

tests:
	$(PYTHON) -m pytest -n auto --maxprocesses 4 --dist loadscope --no-loadscope-reorder

test-fast:  ## tests only, stop at the first failure
	$(PYTHON) -m pytest -x

golden:  ## only the comparisons with published networks and with our own goldens
	$(PYTHON) -m pytest -k "golden or parity or agree"

docs:  ## write docs/reference.md anew from the code
	$(PYTHON) docs/make_reference.py

api:  ## write web/src/api anew: the server's description, and TypeScript types made of it
	$(PYTHON) web/make_types.py

web:  ## build the review application into src/maskwright/ui/static (node 20.19 or newer)
	cd web && { test -d node_modules || npm ci; } && npm run build

proto:  ## write the Python side of proto/ anew
	$(PYTHON) proto/make_python.py

scores:  ## score tiny on labelled pictures and write docs/scores.md (REALDATA=folder OUT=folder)
	$(PYTHON) docs/make_scores.py --out $(or $(OUT),runs/scores) $(if $(REALDATA),--realdata $(REALDATA))

bench:  ## measure us beside our peers; writes benchmarks/RESULTS.md
	$(PYTHON) benchmarks/report.py

doctor:  ## is this installation in working order?
	$(BIN)/maskwright doctor
