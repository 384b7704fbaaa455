# Everything a newcomer or a CI machine needs. Wants only Python 3.11 or newer, git and make; says what it installs, and
# installs it inside this folder.

PYTHON ?= python3
UV_VERSION := 0.13.8
UV := .tooling/uv-$(UV_VERSION)/bin/uv
READY := .venv/.ready

# The lock file decides what is installed, not what a machine happens to have configured; nor is another Python fetched.
export UV_PYTHON_DOWNLOADS := never
RUN := $(UV) run --locked --no-sync

.DEFAULT_GOAL := help
.PHONY: help setup demo test check format bench

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## install what is needed, inside this folder

demo: $(READY) ## try it: a platform, its customers and a thief, on this machine only
	@$(RUN) holdback demo

# Only the core is measured, by its own tests: a measured program is half as fast, and the rest takes most of the time.
test: check ## everything that must pass: check, the tests, and every branch of the core covered
	@sh scripts/need chromium oathtool
	@$(RUN) coverage erase
	$(RUN) coverage run -m pytest -n auto --dist worksteal tests/core
	@$(RUN) coverage combine --quiet
	$(RUN) coverage report --fail-under=100
	$(RUN) pytest -n auto --dist worksteal --ignore=tests/core

check: $(READY) ## format, lints, types and the layers of the house, without running anything
	$(RUN) ruff format --check
	$(RUN) ruff check
	$(RUN) mypy
	$(RUN) lint-imports --no-logo

format: $(READY) ## put everything into the common format and mend what a lint can mend itself
	$(RUN) ruff check --fix-only
	$(RUN) ruff format

bench: $(READY) ## a short measurement of durable decisions a second, beside PostgreSQL's own
	@$(RUN) holdback bench decide --quick

$(UV):
	@PYTHON='$(PYTHON)' sh scripts/bootstrap $(UV_VERSION) '.tooling/uv-$(UV_VERSION)'

$(READY): $(UV) uv.lock pyproject.toml
	@echo "Setting up: installing the packages that uv.lock names into .venv"
	@$(UV) sync --locked --python '$(PYTHON)'
	@touch $@
