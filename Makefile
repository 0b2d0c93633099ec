# Each target does the set-up that it needs; a second run is quick and changes nothing.
SHELL := bash
PYTHON := .venv/bin/python

.DEFAULT_GOAL := help
.PHONY: help setup demo run stop test test-podman check lint bench screenshots

help: ## This list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do \
		printf '  make %-12s %s\n' "$$name" "$$text"; done

setup: ## Python packages, engine, base image, .env with a random password
	@scripts/setup.sh

demo: setup ## A first app: starts the server, runs examples/hello, shows its output
	@$(PYTHON) scripts/demo.py

run: setup ## The server alone, until Ctrl+C
	@exec $(PYTHON) -m container_manager

stop: ## End the server that `make demo` left running
	@if [ -x $(PYTHON) ]; then $(PYTHON) scripts/server.py stop; fi

test: ## Set-up, then every test
	@scripts/test.sh

test-podman: ## The tests that need an engine, with Podman as the engine
	@scripts/test_podman.sh

lint: ## ruff and mypy alone
	@scripts/setup.sh --tests --packages-only
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy
	@$(PYTHON) -m mypy scripts

check: lint test ## ruff, mypy in strict mode, every test

screenshots: ## The pictures in docs/screenshots, made anew
	@scripts/setup.sh --tests
	@scripts/test_tools.sh
	@$(PYTHON) scripts/screenshots.py

bench: ## The measurements of benchmarks/, into docs/performance.md
	@scripts/bench.sh
