PYTHON ?= python3
VENV := .venv

.PHONY: demo test bench clean

demo: $(VENV)/installed
	@echo 'Training a network at four learning rates ...'
	$(VENV)/bin/pycompare compare --lr 1,0.1,0.01,0.001 --out out/

test: $(VENV)/installed-dev
	r_reference/install.sh $(VENV)
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(VENV)/bin/python -m pytest -n auto --dist loadfile --cov

bench: $(VENV)/installed
	$(VENV)/bin/python -m pip install --quiet --constraint constraints.txt --editable '.[bench]'
	mkdir -p out
	$(VENV)/bin/python benchmarks/run.py --json out/benchmark.json
	$(VENV)/bin/python benchmarks/plot.py out/benchmark.json docs/images

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

clean:
	rm -rf $(VENV) out
