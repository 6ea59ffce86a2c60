#!/usr/bin/env bash
# What `make test` runs: linter and types, the page's own tests, then pytest. One argument: the venv's bin folder.
set -euo pipefail
cd "$(dirname "$0")/.."
bin="$1"

if ! command -v chromium >/dev/null && command -v apt-get >/dev/null; then
  if [ "$(id -u)" = 0 ]; then
    echo "installing chromium for the browser tests ..."
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium; } >/dev/null 2>&1 \
      || echo "chromium could not be installed: the browser tests will be skipped"
  else
    echo "chromium is not installed and this user may not install it: the browser tests will be skipped (sudo apt-get install chromium)"
  fi
fi

"$bin/ruff" check --quiet .
"$bin/mypy" models enrollment realtime server
(export PATH="$(cd "$bin" && pwd):$PATH" && cd client_web && npm test --silent)
"$bin/python" -m pytest "${@:2}"
