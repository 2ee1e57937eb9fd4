# The two commands of the README: `make demo` and `make test`. Each sets itself up.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
PIP_INDEX_ARGS ?=
VENV := .venv
READY := $(VENV)/.ready
REFERENCE := .reference
REFERENCE_READY := $(REFERENCE)/.ready
SIDE_BY_SIDE := -n logical --maxprocesses 4 --dist loadgroup
SITE_PACKAGES := -c 'import sysconfig; print(sysconfig.get_path("purelib"))'

.PHONY: help setup reference demo test wide check bench clean

help: ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

setup: $(READY) ## make .venv with everything pinned in constraints.txt

$(READY): pyproject.toml constraints.txt
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check $(PIP_INDEX_ARGS) \
		--constraint constraints.txt torch
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check $(PIP_INDEX_ARGS) \
		--constraint constraints.txt --editable '.[demo,dev]'
	touch $(READY)

reference: $(REFERENCE_READY) ## make .reference with the tool that parity and speed are held to

# The tool in an environment of its own, which sees what .venv has: no second torch.
$(REFERENCE_READY): $(READY) tests/reference/requirements.txt
	rm -rf $(REFERENCE)
	$(VENV)/bin/python -m venv --without-pip $(REFERENCE)
	$(VENV)/bin/python $(SITE_PACKAGES) \
		> "$$($(REFERENCE)/bin/python $(SITE_PACKAGES))/beneath.pth"
	$(VENV)/bin/python -m pip --python $(REFERENCE)/bin/python install --quiet \
		--disable-pip-version-check $(PIP_INDEX_ARGS) --no-deps \
		--requirement tests/reference/requirements.txt
	touch $@

demo: $(READY) ## train six digit classifiers, register them, audit them, show the verdicts
	$(VENV)/bin/auditor demo

test: $(REFERENCE_READY) ## the default tests: under 5 minutes, no network, no service of yours
	$(VENV)/bin/python -m pytest -m "not wide" $(SIDE_BY_SIDE)

wide: $(REFERENCE_READY) ## what the default leaves out: browser, installed wheel, minutes of demo
	$(VENV)/bin/python -m pytest -m wide $(SIDE_BY_SIDE)

check: $(READY) ## types, lint and format, as CI asks for them
	$(VENV)/bin/mypy
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

bench: $(REFERENCE_READY) ## speed and memory beside what they must reach, in about 15 minutes
	$(VENV)/bin/python benchmarks/measure.py
	$(VENV)/bin/python benchmarks/memory.py
	$(VENV)/bin/python benchmarks/large.py
	$(VENV)/bin/python benchmarks/reading.py
	$(VENV)/bin/python benchmarks/polling.py

clean: ## forget the environment and everything made here
	rm -rf $(VENV) $(REFERENCE) .auditor demo-output auditor.db
