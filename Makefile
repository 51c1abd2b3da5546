PYTHON ?= python3
VENV := .venv

.PHONY: demo check test docs docs-links bench fuzz torture lock clean

demo: $(VENV)/installed
	@echo 'Training a network at four learning rates ...'
	$(VENV)/bin/pycompare compare --lr 1,0.1,0.01,0.001 --out out/

check: $(VENV)/installed-dev
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

# With WITHOUT_R=1 R is not installed, and coverage not asked for: what talks with R is not run then.
test: check
	$(if $(WITHOUT_R),,r_reference/install.sh $(VENV))
	tests/browser/install.sh
	$(VENV)/bin/python -m pytest -n auto --dist loadfile $(if $(WITHOUT_R),,--cov)

# The site, in out/docs; a warning is an error.
docs: $(VENV)/installed-docs
	$(VENV)/bin/sphinx-build --fail-on-warning --keep-going docs out/docs

# Asks every other host that the pages link to: needs a network.
docs-links: $(VENV)/installed-docs
	$(VENV)/bin/sphinx-build --builder linkcheck docs out/links

# 10,000 calls with odd arguments; their outcomes are counted in out/fuzz.json.
fuzz: $(VENV)/installed-dev
	mkdir -p out
	FUZZ_CALLS=10000 FUZZ_REPORT=out/fuzz.json $(VENV)/bin/python -m pytest -q tests/fuzz

# Processes that are killed while they train into a store, 50 times, and a worker of dask's in the middle of 1,000 runs: nothing is
# lost, and nothing counted twice.
torture: $(VENV)/installed-dev
	KILLS=50 $(VENV)/bin/python -m pytest -q tests/sweeps/test_store.py tests/sweeps/test_tune.py -k killed_at_any_moment
	RUNS=1000 $(VENV)/bin/python -m pytest -q tests/sweeps/test_dask.py -k killed

bench: $(VENV)/installed
	$(VENV)/bin/python -m pip install --quiet --constraint constraints.txt --editable '.[bench,fast]'
	mkdir -p out
	$(VENV)/bin/python benchmarks/run.py --json out/benchmark.json
	$(VENV)/bin/python benchmarks/plot.py out/benchmark.json docs

# Renews all of constraints.txt: what pip takes today in an empty environment of the oldest Python, which the others can
# take, too. torch stays as it is, or is TORCH. Building rpy2 needs R.
LOCK := out/lock
TORCH ?= $(shell sed -n 's/^torch==//p' constraints.txt)
lock:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11) and "make lock PYTHON=python3.11: the oldest")'
	$(PYTHON) -m venv --clear $(LOCK)
	$(LOCK)/bin/python -m pip install --quiet 'torch==$(TORCH)' '.[dev,r,bench]'
	$(LOCK)/bin/python -m pip freeze --exclude pycompare-rtorch > $(LOCK)/frozen
	sed -n '/^#/p' constraints.txt > $(LOCK)/constraints.txt
	sed -E -e 's/[+]cpu$$//' -e '/^(nvidia-|cuda-|triton==)/d' $(LOCK)/frozen >> $(LOCK)/constraints.txt
	cp $(LOCK)/constraints.txt constraints.txt

$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "pycompare needs Python 3.11 or later")'
	@echo 'Making a virtual environment in $(VENV) ...'
	@test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	@echo 'Installing torch, pandas, plotnine into it.'
	@echo 'They are 300 MB; this takes a minute or some ...'
	@$(VENV)/bin/python -m pip install --quiet --constraint constraints.txt --editable .
	@echo 'Installed.'
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(VENV)/bin/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

$(VENV)/installed-docs: $(VENV)/installed
	$(VENV)/bin/python -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	touch $@

clean:
	rm -rf $(VENV) out
