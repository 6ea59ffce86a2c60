#!/usr/bin/env bash
# Parity, speed and optimisation on a machine with an NVIDIA GPU, as one table (docs/gpu.md). Exit status 1: a row failed.
#   tests/gpu/acceptance.sh [--tiny] [--json FILE]      PYTHON=python3.12 tests/gpu/acceptance.sh
# Needs torch and numpy; numba, opencv and scipy for the rows of the CPU and of enrollment. gsplat is installed if it can be.
set -euo pipefail
cd "$(dirname "$0")/../.."
python="${PYTHON:-python3}"
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}"

"$python" -c 'import torch, numpy' || { echo "torch and numpy are needed; name a Python that has them with PYTHON=..." >&2; exit 1; }
if "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' && ! "$python" -c 'import gsplat' 2>/dev/null; then
  echo "installing gsplat ..." >&2
  "$python" -m pip install --quiet 'gsplat>=1.5' >&2 || echo "gsplat could not be installed; its rows will not be run" >&2
fi
exec "$python" tests/gpu/acceptance.py "$@"
