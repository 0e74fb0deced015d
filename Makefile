# The only door to developer commands. Needs python3 (3.11 or later) and make; each target sets up the rest.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
export SAM_CLI_TELEMETRY := 0
export PIP_DISABLE_PIP_VERSION_CHECK := 1

BIN := .venv/bin
SAM := .venv-sam/bin/sam
CHECKOV := .venv-checkov/bin/checkov --config-file .checkov.yaml
# One stamp per installed set, inside its venv: deleting the venv deletes the stamp.
RUNTIME_READY := .venv/.runtime-ready
DEV_READY := .venv/.dev-ready
SAM_READY := .venv-sam/.ready
CHECKOV_READY := .venv-checkov/.ready
LAMBDA_READY := build/lambda/.ready
# The minor version of the template's default Runtime: `sam build` resolves wheels with it.
FUNCTION_PYTHON := 3.13
BUILD_DIR ?= .aws-sam/build
SLOTS ?= platform1,ec1,ec2

.PHONY: help setup demo test test-deep lint types arch docs bench build deploy runtime template validate requirements clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(DEV_READY) $(SAM_READY) $(CHECKOV_READY) ## everything the other targets need

demo: $(RUNTIME_READY) ## play the loss of a Platform host in a drill: no account, no Docker
	@$(BIN)/picoha drill stories/platform-host-lost.toml

test: lint types arch $(DEV_READY) $(SAM_READY) $(CHECKOV_READY) ## every check and every test but the deep ones
	$(BIN)/pytest -n 2 --dist loadgroup

test-deep: $(DEV_READY) $(SAM_READY) $(CHECKOV_READY) ## every test and the long searches: hours; PICOHA_SEEDS=n plays n seeds
	$(BIN)/pytest -n auto --dist loadgroup -m "deep or not deep" --hypothesis-profile=deep

lint: $(DEV_READY) ## ruff: rules, complexity and format
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(DEV_READY) ## mypy, strict
	$(BIN)/mypy

arch: $(DEV_READY) ## import-linter: who may import what
	$(BIN)/lint-imports

docs: $(DEV_READY) ## write again what the documents quote from commands
	$(BIN)/python scripts/write_docs.py

bench: $(DEV_READY) ## what things cost
	$(BIN)/python benchmarks/bench.py
	$(BIN)/python benchmarks/agent.py

# ARCHITECTURE= and BUILD_DIR= build for another machine than the template's default, beside the deployable build.
build: $(SAM_READY) ## the deployable functions, in .aws-sam/build
	python=$$(scripts/find_python.sh $(FUNCTION_PYTHON)); PATH="$$(dirname "$$python"):$$PATH" $(SAM) build \
	  --build-dir $(BUILD_DIR) $(if $(ARCHITECTURE),--parameter-overrides Architecture=$(ARCHITECTURE))
	@# What people and hosts run stays out of Lambda; boto3 is the runtime's own (src/requirements.txt).
	@for room in cli drills fakeaws host agent.py; do rm -rf $(BUILD_DIR)/*/picoha/$$room; done

# Values of a stack that are not named here stay as they are. Guided, SAM asks for them and keeps the answers.
deploy: build ## build and deploy: CELL=prod SLOTS=platform1,ec1; without CELL it asks for everything
	$(SAM) deploy \
	  $(if $(CELL),--stack-name picoha-$(CELL) --parameter-overrides CellName=$(CELL) Slots=$(SLOTS),--guided)

runtime: $(LAMBDA_READY) ## the function's own Python with Lambda's runtime client, which tests/runtime need

template: $(DEV_READY) ## build/template.yaml without Fn::ForEach, for SLOTS=a,b
	$(BIN)/python scripts/render_template.py --slots $(SLOTS) --output build/template.yaml

validate: template $(SAM_READY) $(CHECKOV_READY) ## sam validate, cfn-lint and checkov on every template, in both forms
	$(SAM) validate --lint
	$(BIN)/cfn-lint template.yaml build/template.yaml examples/cell.yaml examples/gameday/experiments.yaml
	$(CHECKOV) -f build/template.yaml examples/cell.yaml examples/gameday/experiments.yaml

# Keeps present pins where pyproject.toml allows them. No host and no path, so that any index may serve the files.
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-emit-find-links --no-header $(if $(UPGRADE),--upgrade)

requirements: $(DEV_READY) ## compile the hash-pinned files again; UPGRADE=1 takes newer versions
	$(COMPILE) --group pip --output-file requirements/pip.txt
	$(COMPILE) pyproject.toml --extra cli --group build --output-file requirements/runtime.txt
	$(COMPILE) pyproject.toml --extra cli --group build --group dev \
	  --constraints requirements/runtime.txt --output-file requirements/dev.txt
	$(COMPILE) --group function --constraints requirements/runtime.txt --output-file src/requirements.txt
	$(COMPILE) --group sam --output-file requirements/sam.txt
	$(COMPILE) --group checkov --output-file requirements/checkov.txt
	$(COMPILE) --group lambda --constraints requirements/runtime.txt --output-file requirements/lambda.txt

clean: ## remove what was made, the venvs included
	rm -rf .venv .venv-sam .venv-checkov .aws-sam build .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find src tests scripts benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python .venv-sam/bin/python .venv-checkov/bin/python:
	@python=$$(scripts/find_python.sh); echo "$(@D:/bin=): a venv of $$python"; "$$python" -m venv $(@D:/bin=)
	@$@ -m pip install --quiet --require-hashes -r requirements/pip.txt

$(RUNTIME_READY): requirements/runtime.txt pyproject.toml | .venv/bin/python
	@echo "installing requirements/runtime.txt"
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements/runtime.txt
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV_READY): requirements/dev.txt $(RUNTIME_READY)
	@echo "installing requirements/dev.txt"
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements/dev.txt
	@touch $@

$(SAM_READY): requirements/sam.txt | .venv-sam/bin/python
	@echo "installing requirements/sam.txt (the SAM CLI: this takes a minute or two)"
	@.venv-sam/bin/python -m pip install --quiet --require-hashes -r requirements/sam.txt
	@touch $@

$(CHECKOV_READY): requirements/checkov.txt | .venv-checkov/bin/python
	@echo "installing requirements/checkov.txt (this takes a minute or two)"
	@.venv-checkov/bin/python -m pip install --quiet --require-hashes -r requirements/checkov.txt
	@touch $@

$(LAMBDA_READY): requirements/lambda.txt requirements/pip.txt
	@python=$$(scripts/find_python.sh $(FUNCTION_PYTHON)); echo "$(@D): a venv of $$python"; "$$python" -m venv $(@D)
	@$(@D)/bin/python -m pip install --quiet --require-hashes -r requirements/pip.txt
	@$(@D)/bin/python -m pip install --quiet --require-hashes -r requirements/lambda.txt
	@touch $@
