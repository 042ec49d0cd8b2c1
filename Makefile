# Every target sets itself up: a virtual environment in .venv with the exact versions of uv.lock.
# Needs Python >= 3.11, pip, git and make. Uses uv when it is on PATH, else installs it into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
UV := $(shell command -v uv || echo $(BIN)/uv)

VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
IMAGES ?= api worker trainer
ENGINE ?= docker
IMAGE_FLAGS ?=
RELEASED := --frozen --no-dev --extra api --extra deploy --extra entsoe --extra grafana --extra iso --extra postgres --extra telemetry

BENCHMARKS := $(basename $(notdir $(filter-out %/__init__.py,$(wildcard benchmarks/*.py)))) \
  $(notdir $(patsubst %/__main__.py,%,$(wildcard benchmarks/*/__main__.py)))

.DEFAULT_GOAL := help
.PHONY: help demo test check lint types imports doctest bench notebooks requirements docs references image sbom licences stack clean

help:  ## List the targets.
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

$(READY): pyproject.toml uv.lock
	@test -x $(BIN)/python || $(PYTHON) -m venv --without-pip $(VENV)
	@test -x "$(UV)" || $(PYTHON) -m pip --python $(BIN)/python install --quiet "uv>=0.9,<1"
	UV_PYTHON_DOWNLOADS=never $(UV) sync --frozen --inexact --compile-bytecode --extra api --extra deploy --extra entsoe --extra grafana --extra iso --extra postgres --extra telemetry --group docs --quiet --python $(BIN)/python
	@touch $(READY)

demo: $(READY)  ## Sample data to report: clean, train, judge, promote, replay a week hour by hour.
	$(BIN)/gridcast demo

test: $(READY)  ## All tests; those that need an outside service skip with a reason when it is absent.
	$(BIN)/python -m pytest -n 2 --dist worksteal -q

check: lint types imports doctest test  ## What CI runs: lint, format, types, import rules, doctests, tests.

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

imports: $(READY)
	$(BIN)/lint-imports

doctest: $(READY)
	$(BIN)/python -m pytest -q --doctest-modules src/gridcast --ignore=src/gridcast/store/migrations/env.py

bench: $(READY)  ## Run every benchmark; each prints one JSON line last.
	@for each in $(BENCHMARKS); do echo "== $$each"; $(BIN)/python -m benchmarks.$$each || exit 1; done

notebooks: $(READY)  ## Open the notebooks of models/tensorflow in JupyterLab.
	UV_PYTHON_DOWNLOADS=never $(UV) sync --frozen --inexact --extra notebooks --quiet --python $(BIN)/python
	$(BIN)/jupyter lab models/tensorflow/notebooks

requirements: $(READY)  ## Export uv.lock to models/tensorflow/requirements.txt.
	$(UV) export --frozen --no-dev --no-emit-project --no-hashes --no-annotate --no-header --quiet \
	  --output-file models/tensorflow/requirements.txt
	$(UV) pip compile .ci/build-requirements.in --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --quiet --output-file .ci/build-requirements.txt

docs: $(READY)  ## Build the documentation into dist/site.
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

references: $(READY)  ## Write the generated pages of docs/reference.
	$(BIN)/python docs/site/write_references.py

image:  ## Build the images api, worker and trainer with ENGINE (docker, podman, buildah) and IMAGE_FLAGS; IMAGES names some.
	@for each in $(IMAGES); do \
	  $(ENGINE) build --target "$$each" --tag "gridcast-$$each:$(VERSION)" $(IMAGE_FLAGS) . || exit 1; done
	@$(ENGINE) images | grep gridcast-

sbom: $(READY)  ## Write what an installation consists of to build/gridcast.cdx.json (CycloneDX).
	@mkdir -p build
	$(UV) export $(RELEASED) --format cyclonedx1.5 --quiet --preview-features sbom-export --output-file build/gridcast.cdx.json

licences: $(READY)  ## Write the licences of all packages to build/licences.md; refuse those that .ci/licences.toml does not allow.
	$(UV) export $(RELEASED) --no-emit-project --no-hashes --no-annotate --no-header --quiet \
	  | $(BIN)/python .ci/licences.py build/licences.md

.env:
	@umask 077 && for name in STORE_PASSWORD READER_PASSWORD GRAFANA_PASSWORD; do echo "$$name=$$(openssl rand -hex 24)"; done > $@

stack: .env  ## A whole installation in containers, with the demo's data in it; passwords are made at random.
	docker compose up --build --detach

clean:  ## Remove the environment and everything the commands made.
	rm -rf $(VENV) data
