# make demo and make test set themselves up from nothing but Python >= 3.11 with venv; run again, they reuse .venv.
PYTHON ?= python3
VENV := .venv
DEV := .venv-dev
SOURCES := $(shell find package solvers data operators workflows conf -name '*.py' -o -name '*.pyi' -o -name '*.yaml' -o -name '*.cu' -o -name '*.cpp' -o -name '*.hpp' -o -name 'FORMAT.md' -o -name 'py.typed') pyproject.toml setup.py README.md

KERNELS := $(shell find solvers data operators workflows -name '*.cpp' -o -name '*.hpp')

export MPLBACKEND := Agg
# compiled once for all installs, and again only where a source changed
export RESOLVENT_OBJECTS := $(CURDIR)/$(VENV)/kernels

.DEFAULT_GOAL := help
.PHONY: help demo test dev lint typecheck bench test-gpu mutations clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# the dependencies, once; made again when the lists of them change
$(VENV)/.dependencies: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python >= 3.11 is needed: make PYTHON=python3.12 ..."; exit 1; }
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV) || { echo "python venv is needed (Debian: apt install python3-venv)"; exit 1; }
	@echo "installing the dependencies into $(VENV) (about two minutes, once)"
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt ".[test,dev]"
	@touch $@

# a plain install of the project itself, so that a file that the wheel forgets fails a test
$(VENV)/.installed: $(VENV)/.dependencies $(SOURCES)
	@rm -rf build *.egg-info
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --force-reinstall .
	@rm -rf build *.egg-info
	@touch $@

demo: $(VENV)/.installed ## the whole loop in under 15 minutes: generate, verify, train, evaluate, solve, sweep
	@$(VENV)/bin/python -m resolvent.workflows.demo

test: lint typecheck ## lint, types and tests, on a plain install
	$(VENV)/bin/python -m pytest -q -n 2 --dist worksteal

lint: $(VENV)/.installed ## ruff, the English of docstrings, clang-format, and kernels without warnings
	$(VENV)/bin/ruff check .
	$(VENV)/bin/python .ci/docstrings.py
	@echo "clang-format of $(words $(KERNELS)) files of C++"
	@$(VENV)/bin/clang-format --dry-run -Werror $(KERNELS)
	$(VENV)/bin/python solvers/kernels/building/compiling.py --warnings

typecheck: $(VENV)/.installed ## mypy on the installed package
	@cd $(VENV) && bin/mypy --config-file ../pyproject.toml --cache-dir .mypy_cache -p resolvent

bench: $(VENV)/.installed ## the measured tables (NAME=generation makes one)
	$(VENV)/bin/resolvent bench $(or $(NAME),--help)

test-gpu: $(VENV)/.installed ## the tests that need a CUDA device and CuPy
	$(VENV)/bin/python -m pytest -q -m gpu

mutations: $(VENV)/.installed ## a hundred small mistakes, one at a time, which the tests must notice (half an hour)
	$(VENV)/bin/python tests/mutations.py --jobs 2

dev: ## .venv-dev, an editable install for work on the code
	@test -x $(DEV)/bin/python || $(PYTHON) -m venv $(DEV)
	@$(DEV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[test,dev]"
	@echo "source $(DEV)/bin/activate"

clean: ## remove what make and runs made (not your datasets/ and runs/)
	rm -rf $(VENV) $(DEV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis outputs demo
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
