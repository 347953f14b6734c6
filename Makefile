# SPDX-License-Identifier: Apache-2.0
# Front door for people who type make. All the work is in ./vla and scripts/.
.DEFAULT_GOAL := help
.PHONY: help demo test lint build clean

help: ## show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/'

demo: ## set up what is missing, give the robot five instructions, leave a video in out/demo
	@./vla demo $(ARGS)

test: ## set up what is missing, run every check and test
	@./vla test $(ARGS)

lint: ## only the checks that run nothing: ruff and mypy
	@./vla test --lint

build: ## only set up and build
	@./vla build

clean: ## remove what was built and cached; keeps the virtual environments and results
	rm -rf .build .build-* .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis
	rm -f .venv*/.vla/built-*
	find src scripts launch -name __pycache__ -type d -prune -exec rm -rf {} +
