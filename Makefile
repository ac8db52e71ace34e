.DEFAULT_GOAL := help
.PHONY: help setup engine images demo demo-down test lint unit molecule matrix core bench docs clean
SHELL := /bin/bash

PLATFORMS ?= debian12 debian13 ubuntu2204 ubuntu2404 rocky9 rocky10 raspios12 raspios13
PLATFORM ?= debian13
SCENARIO ?= default
export PATH := $(CURDIR)/.venv/bin:$(PATH)

help: ## list what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

.venv/ready: .config/requirements-dev.txt
	@tools/venv.sh

setup: .venv/ready ## virtual environment with pinned tools, collections
	@tools/fetch_collections.py

engine:
	@tools/engine.sh

images: engine ## test images of all platforms, built once (PLATFORMS)
	@set -e; for platform in $(PLATFORMS); do molecule/images/build.sh $$platform; done

demo: setup engine ## a WordPress blog over HTTPS in one container (LEMP_DEMO_HTTP_PORT, LEMP_DEMO_HTTPS_PORT)
	@tools/demo.sh up

demo-down: ## remove the demo container and its secrets
	@tools/demo.sh down

lint: setup ## ansible-lint, yamllint, ruff, mypy, docs, changelog
	@tools/lint.sh

unit: setup ## unit, property, template and contract tests
	@python -m pytest -q tests/unit

molecule: setup engine ## one scenario on one platform: SCENARIO=nginx PLATFORM=debian13
	@molecule/images/build.sh $(PLATFORM)
	@tools/molecule.sh $(SCENARIO) $(PLATFORM)

matrix: setup engine ## all scenarios on all platforms, with docs/matrix.md at the end: SCENARIOS, PLATFORMS
	@tools/matrix.sh

core: setup engine ## unit tests and the whole stack with ansible-core 2.19, 2.20 and 2.21, where their Python is here
	@tools/core.sh

test: setup engine ## everything that CI runs
	@tools/test.sh

bench: setup engine ## benchmarks/: second run, one hundred sites, two hundred files
	@benchmarks/second_run.sh && benchmarks/hundred_sites.sh && benchmarks/unchanged_files.sh

docs: setup ## write the generated tables into the READMEs
	@python tools/readme.py

clean: ## remove what was made here: caches, environment, collections, demo and test containers
	@tools/clean.sh
