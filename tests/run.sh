#!/usr/bin/env bash
# What `make test` runs: linter, formatting, types, the page's own tests, and pytest; on two cores and more, side by side.
# Arguments: the venv's bin folder; what follows goes to pytest, which then runs by itself.
# VISAVIS_INSTALL_BROWSER=no leaves the machine as it is.
set -euo pipefail
cd "$(dirname "$0")/.."
bin="$1"

if ! command -v chromium >/dev/null && [ "${VISAVIS_INSTALL_BROWSER:-yes}" != no ] && command -v apt-get >/dev/null; then
  if [ "$(id -u)" = 0 ]; then
    echo "installing Debian's chromium (about 400 MB) with apt-get for the browser tests; VISAVIS_INSTALL_BROWSER=no prevents it ..."
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium; } >/dev/null 2>&1 \
      || echo "chromium could not be installed: the browser tests will be skipped"
  else
    echo "chromium is not installed and this user may not install it: the browser tests will be skipped (sudo apt-get install chromium)"
  fi
fi

"$bin/ruff" check --quiet .
"$bin/ruff" format --check --quiet .
if [ $# -eq 1 ] && [ "$(nproc)" -gt 1 ]; then
  exec "$bin/python" -m tests.side_by_side
fi
"$bin/mypy"
(export PATH="$(cd "$bin" && pwd):$PATH" && cd client_web && npm test --silent)
"$bin/python" -m pytest "${@:2}"
