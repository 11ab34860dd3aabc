# Everything runs with the Python of the environment that is active: `make check PYTHON=…` for
# another one.
PYTHON ?= python3

.DEFAULT_GOAL := help
.PHONY: help check format lint types docs docs-check spelling test bench build

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 14

check: lint types docs-check spelling test ## all that has to pass before a change is proposed

format: ## format the code and mend what can be mended by itself
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

lint: ## format and rules
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .

types: ## mypy, strict
	$(PYTHON) -m mypy

docs: ## write the pages that are made from the declarations
	$(PYTHON) -m sockql.docs

docs-check: ## compare those pages with the declarations
	$(PYTHON) -m sockql.docs --check

spelling: ## codespell
	$(PYTHON) -m codespell_lib

test: ## all tests
	$(PYTHON) -m pytest

bench: ## measure SOCKQL=/path/to/an/installed/sockql and its peers, write docs/benchmarks.md
	$(PYTHON) -m tests.bench.run --sockql "$(SOCKQL)"

build: ## the wheel and the sdist, in dist/
	$(PYTHON) -c "from setuptools import build_meta as b; b.build_sdist('dist'); b.build_wheel('dist')"
