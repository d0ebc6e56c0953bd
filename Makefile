# Every target works on a fresh clone on a machine with git, make and Python 3.11 to 3.14.

VENV := .venv
INSTALLED := $(VENV)/.installed
PIP_INSTALL := -m pip -qq --disable-pip-version-check --no-input install
UV := uv==0.13.8
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup programs check test test-kernel chaos reliability demo up bench pins clean
.DELETE_ON_ERROR:

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo '  make test ARGS="-k joliet -x"   hands ARGS on to pytest, discmill or the benchmarks'

setup: $(INSTALLED) ## make .venv: the pinned libraries, hashes checked, and discmill itself, editable

# The pins are complete, so nothing is left to resolve; hatchling, which builds discmill, is one of them.
$(INSTALLED): pyproject.toml constraints.txt
	@sh tools/venv.sh $(VENV)
	@$(VENV)/bin/python $(PIP_INSTALL) --require-hashes --only-binary :all: --no-deps --requirement constraints.txt
	@$(VENV)/bin/python $(PIP_INSTALL) --no-build-isolation --no-deps --editable .
	@touch $@

programs: # what the tests and the benchmarks need and pip does not have
	@sh tools/programs.sh

check: setup ## lint, formatting, types, who may import whom
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

test: setup programs ## all tests, against a real Redis, a real PostgreSQL and programs we did not write
	$(VENV)/bin/pytest $(ARGS)

test-kernel: setup programs ## real burn programs on a real kernel's drives, in an emulated machine without KVM
	@sh tools/kernel.sh build/kernel
	@began=$$(date +%s); $(VENV)/bin/pytest tests/kernel $(ARGS) && \
		echo "make test-kernel passed in $$(($$(date +%s) - began)) s"

chaos: setup programs ## break a rig at random on both databases, look at every disc (SECONDS=60 SEED=random)
	$(VENV)/bin/python -m tests.chaos $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED)) $(ARGS)

reliability: setup programs ## run tests/chaos (half an hour) and write docs/reliability.md from what they find
	@rm -f .reliability.jsonl
	RELIABILITY_ROWS=.reliability.jsonl $(VENV)/bin/pytest tests/chaos $(ARGS)
	$(VENV)/bin/python -m tests.reliability .reliability.jsonl

demo: setup ## a rig of its own makes three verified copies of a real disc on two emulated recorders
	$(VENV)/bin/discmill demo $(ARGS)

up: setup ## the whole embedded rig in this terminal; Ctrl-C stops it
	$(VENV)/bin/discmill up $(ARGS)

bench: setup programs ## speed, next to peers in the same run
	$(VENV)/bin/python -m benchmarks $(ARGS)

pins: ## write constraints.txt anew (ARGS=--upgrade: with the newest versions)
	@sh tools/venv.sh $(VENV)-pins
	@$(VENV)-pins/bin/python $(PIP_INSTALL) '$(UV)'
	$(VENV)-pins/bin/uv pip compile --quiet --universal --python-version 3.11 --all-extras --generate-hashes \
		--no-annotate --custom-compile-command 'make pins' --output-file constraints.txt $(ARGS) pyproject.toml

clean: ## remove .venv and everything that was built
	rm -rf $(VENV) $(VENV)-pins dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
