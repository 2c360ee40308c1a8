# One command sets up everything it needs: `make demo`, `make test`, `make check`.
# PYTHON picks the interpreter (3.11 or newer); EXTRAS what is installed to test with: tests of what is not are skipped
# (where CI is set they fail); JOBS how many processes test; PIP_CONSTRAINT, if set, is honoured by pip.
PYTHON ?= python3
EXTRAS ?= docs,hub,metrics,openvino,ray,video
JOBS ?= 2
VENV := .venv
BIN := $(VENV)/bin
PYTEST := python -m pytest --numprocesses $(JOBS) --dist worksteal

.PHONY: demo test runtime test-browser check docs lowest dist audit licences install clean

demo: $(VENV)/ready
	$(BIN)/ganprune demo --output runs/demo

test: $(VENV)/extras
	$(BIN)/$(PYTEST)

# onnxruntime-web, which tests of the page that translates need, once: with npm, and the network or npm's cache; without npm from a mirror.
runtime: $(VENV)/ready
	$(BIN)/python scripts/vendor_onnxruntime_web.py

# Pages in a real browser: needs Chromium (GANPRUNE_CHROMIUM names it where it is not on the PATH).
test-browser: $(VENV)/extras runtime
	$(BIN)/python -m pytest tests/browser tests/docs/test_site_in_browser.py

check: $(VENV)/extras
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

# The site, in site/: open site/index.html. Building needs no network; a broken link is an error.
docs: $(VENV)/extras
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

# The tests that touch dependencies, with the lowest versions that pyproject.toml allows, in an environment of its
# own. TESTS=tests runs all. A package index with CPU builds of torch saves gigabytes.
LOWEST := build/lowest
TESTS ?= tests/exporters tests/checkpoints tests/images tests/bench tests/metrics tests/training/test_step.py \
  tests/models/test_networks.py tests/pruning/test_rebuild.py tests/cli/test_console.py tests/cli/test_export.py \
  tests/cli/test_three_commands.py tests/scoring tests/cli/test_ray.py
lowest:
	mkdir -p build
	$(PYTHON) scripts/lowest.py > $(LOWEST).txt
	$(PYTHON) -m venv --clear $(LOWEST)
	PIP_CONSTRAINT=$(CURDIR)/$(LOWEST).txt $(LOWEST)/bin/python -m pip install --quiet --editable ".[dev,hub,metrics,openvino,ray,video]"
	$(LOWEST)/bin/$(PYTEST) $(TESTS)

# Wheel and sdist in dist/, the same bytes for the same commit, tried out in an environment of their own.
dist: $(VENV)/ready
	rm -rf dist
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(BIN)/python -m build --outdir dist
	$(BIN)/python -m pytest tests/packaging
	$(BIN)/python scripts/try_wheel.py dist/*.whl

# Known vulnerabilities of what ganprune needs; asks a public service.
audit: $(VENV)/ready
	$(BIN)/python -m pip install --quiet --editable ".[audit,hub,metrics,openvino,ray,video]"
	mkdir -p build
	$(BIN)/python scripts/licences.py --pins > build/pins.txt
	$(BIN)/python -m pip_audit --strict --no-deps --disable-pip --requirement build/pins.txt

licences: $(VENV)/ready
	$(BIN)/python -m pip install --quiet --editable ".[hub,metrics,openvino,ray,video]"
	$(BIN)/python scripts/licences.py > docs/licences.md

install: $(VENV)/ready

$(VENV)/ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("ganprune needs Python 3.11 or newer, found " + sys.version.split()[0] + "; set PYTHON=") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	touch $@

$(VENV)/extras: $(VENV)/ready
	$(BIN)/python -m pip install --quiet --editable ".[$(EXTRAS)]"
	touch $@

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis dist build site
