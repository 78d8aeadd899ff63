# Every target installs what it needs into .venv first; only `html` and `pdf` need no torch.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --constraint requirements.lock

.DEFAULT_GOAL := book
.PHONY: book html pdf test lint mutate stability bench devices update clean

book: $(VENV)/labs.installed
	$(BIN)/labs run

html: $(VENV)/html.installed
	$(BIN)/labs html

pdf: $(VENV)/html.installed
	$(BIN)/labs pdf

update: $(VENV)/labs.installed
	$(BIN)/labs update

test: $(VENV)/labs.installed
	$(BIN)/python -m pytest --nbval --numprocesses auto --maxprocesses 4 --dist loadscope

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

clean:
	rm -rf _build

# The `html` extra alone, read from pyproject.toml: labsupport's own dependencies include torch.
$(VENV)/html.installed: pyproject.toml requirements.lock
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -c "import tomllib; \
	print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']['html'], sep='\n')" \
	> $(VENV)/html.txt
	$(INSTALL) --requirement $(VENV)/html.txt
	$(INSTALL) --no-deps --editable .
	touch $@

$(VENV)/labs.installed: $(VENV)/html.installed
	@echo "Installing PyTorch and the rest, once: about 5.5 GB on Linux"
	$(INSTALL) --editable '.[pipeline,html,test]'
	touch $@
