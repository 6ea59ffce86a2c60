#!/usr/bin/env bash
# What `make test` runs: linter, formatting, types, the page's own tests, and pytest; on two cores and more, side by side.
# Arguments: the venv's bin folder; what follows goes to pytest, which then runs by itself.
# VISAVIS_INSTALL_BROWSER=no leaves the machine as it is.
set -euo pipefail
cd "$(dirname "$0")/.."
bin="$1"

# Debian's headless shell is the same browser without windows, with which a page costs half; other systems may not have it.
missing=""
for package in chromium chromium-headless-shell; do command -v "$package" >/dev/null || missing="$missing $package"; done
if [ -n "$missing" ] && [ "${VISAVIS_INSTALL_BROWSER:-yes}" != no ] && command -v apt-get >/dev/null; then
  if [ "$(id -u)" = 0 ]; then
    echo "installing$missing (about 650 MB together) with apt-get for the browser tests; VISAVIS_INSTALL_BROWSER=no prevents it ..."
    install="env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq"
    # shellcheck disable=SC2086
    { apt-get update -qq && { $install $missing || $install chromium; }; } >/dev/null 2>&1 || true
  fi
  command -v chromium >/dev/null || echo "chromium is not installed: the browser tests will be skipped (sudo apt-get install chromium)"
fi

"$bin/ruff" check --quiet .
"$bin/ruff" format --check --quiet .
if [ $# -eq 1 ] && [ "$(nproc)" -gt 1 ]; then
  exec "$bin/python" -m tests.side_by_side
fi
"$bin/mypy"
(export PATH="$(cd "$bin" && pwd):$PATH" && cd client_web && npm test --silent)
"$bin/python" -m pytest "${@:2}"
