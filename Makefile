# One command sets up everything it needs: `make demo`, `make test`, `make check`.
# PYTHON picks the interpreter (3.11 or newer); PIP_CONSTRAINT, if set, is honoured by pip.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-browser check install clean

demo: $(VENV)/ready
	$(BIN)/ganprune demo --output runs/demo

test: $(VENV)/ready
	$(BIN)/python -m pytest

# Pages in a real browser: needs Chromium (GANPRUNE_CHROMIUM names it where it is not on the PATH) and, once, the
# network or npm's cache. Tests whose browser or runtime is missing are skipped and say so.
test-browser: $(VENV)/ready
	-$(BIN)/python scripts/vendor_onnxruntime_web.py
	$(BIN)/python -m pytest tests/browser

check: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

install: $(VENV)/ready

$(VENV)/ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("ganprune needs Python 3.11 or newer, found " + sys.version.split()[0] + "; set PYTHON=") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	touch $@

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis dist build
