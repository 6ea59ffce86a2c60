#!/usr/bin/env bash
# Parity, speed, rooms, networks, NVENC, training and optimisation on a machine with an NVIDIA GPU, as one table (docs/gpu.md).
# Exit status 1: a row failed.
#   tests/gpu/acceptance.sh [--tiny] [--minutes N] [--json FILE]      PYTHON=python3.12 tests/gpu/acceptance.sh
# Needs torch and numpy. What else it lacks it installs, where it can: from the folder WHEELS where that is named (docs/gpu.md says
# how to fill it), else from the registries; rows of what cannot be had are not run. gsplat is compiled while other rows run. No row
# begins after nine minutes, what was installed included.
set -euo pipefail
cd "$(dirname "$0")/../.."
python="${PYTHON:-python3}"
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}"

"$python" -c 'import torch, numpy' || { echo "torch and numpy are needed; name a Python that has them with PYTHON=..." >&2; exit 1; }
source=(--retries 1 --timeout 10 --extra-index-url https://pypi.nvidia.com)
if [ -n "${WHEELS:-}" ]; then source=(--no-index --find-links "$WHEELS"); fi

# install MODULE REQUIREMENT...   all of them together may take LONGEST seconds, as the rows need the rest of ten minutes
LONGEST=300
install() {
  local module="$1" left=$((LONGEST - SECONDS)); shift
  "$python" -c "import importlib.util, sys; sys.exit(importlib.util.find_spec('$module') is None)" 2>/dev/null && return
  if [ "$left" -le 0 ]; then echo "no time is left to install $*; its rows will not be run" >&2; return; fi
  echo "installing $* ..." >&2
  timeout "$left" "$python" -m pip install --quiet "${source[@]}" "$@" >&2 || echo "$* could not be installed; its rows will not be run" >&2
}

if "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
  install gsplat 'gsplat>=1.5.3'
  install ninja ninja
  install platformdirs platformdirs
  if ! command -v nvcc >/dev/null && [ ! -x /usr/local/cuda/bin/nvcc ]; then  # the compiler of the release that torch was built with
    release="$("$python" -c 'import torch; print(torch.version.cuda)')"
    install nvidia.nvcc "cuda-toolkit[nvcc,cccl]==$release.*"
  fi
  ("$python" -c 'from models.splat.cuda import problem; problem()' >/dev/null 2>&1 || true) &  # compiles; whoever is next waits
  install numba 'numba>=0.61'
  install scipy scipy
  install cv2 'opencv-python-headless<4.12'
  install psutil psutil
  install safetensors safetensors
  install diffusers diffusers==0.42.0
  install onnx onnx
  install onnxruntime onnxruntime
  install aiortc 'aiortc>=1.16,<1.17' 'av>=17.1'
  install tensorrt tensorrt
fi
exec "$python" tests/gpu/acceptance.py --minutes "$("$python" -c "print(9 - $SECONDS / 60)")" "$@"
