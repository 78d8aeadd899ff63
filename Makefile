# Every target installs what it needs into .venv first; only `html` and `pdf` need no torch.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --constraint requirements.lock \
	--no-build-isolation

.DEFAULT_GOAL := book
.PHONY: book html pdf test lint mutate stability bench devices update lock clean

book: $(VENV)/labs.installed
	$(BIN)/labs run

html: $(VENV)/html.installed
	$(BIN)/labs html

pdf: $(VENV)/html.installed
	$(BIN)/labs pdf

update: $(VENV)/labs.installed
	$(BIN)/labs update

test: $(VENV)/labs.installed
	$(BIN)/python -m pytest --nbval --numprocesses auto --maxprocesses 4 --dist loadscope \
		--no-loadscope-reorder

lint: $(VENV)/labs.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

mutate: $(VENV)/labs.installed
	$(BIN)/python tools/mutate.py --sample 3

stability: $(VENV)/labs.installed
	$(BIN)/python tools/stability.py

bench: $(VENV)/labs.installed
	$(BIN)/python benchmarks/full_size.py
	$(BIN)/python benchmarks/pipeline.py

devices: $(VENV)/labs.installed
	$(BIN)/python benchmarks/devices.py

# Keeps each version in requirements.lock that still fits. Needs uv alone: before the lock is made
# anew, what pyproject.toml asks for may be impossible to install.
lock: $(BIN)/uv
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 \
	--python $(BIN)/python --no-emit-index-url --no-annotate --custom-compile-command "make lock" \
	--quiet --output-file requirements.lock

clean:
	rm -rf _build

$(BIN)/uv:
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) uv

# The `html` extra alone, read from pyproject.toml: labsupport's own dependencies include torch.
# setuptools comes with it, because build isolation would fetch one that no lock holds.
$(VENV)/html.installed: pyproject.toml requirements.lock
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -c "import tomllib; settings = tomllib.load(open('pyproject.toml', 'rb')); \
	print(*settings['project']['optional-dependencies']['html'], \
	*settings['build-system']['requires'], sep='\n')" > $(VENV)/html.txt
	$(INSTALL) --requirement $(VENV)/html.txt
	$(INSTALL) --no-deps --editable .
	touch $@

$(VENV)/labs.installed: $(VENV)/html.installed
	@echo "Installing PyTorch and the rest, once: about 5.5 GB on Linux"
	$(INSTALL) --editable '.[pipeline,cluster,html,test]'
	touch $@
