"""In which precision the networks compute. Weights stay in float32."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch


def autocast(precision: str, device: str | torch.device) -> AbstractContextManager[Any]:
    """bfloat16 when `precision` is "bfloat16", or "auto" and the machine has instructions for it; otherwise as it is.

    On AVX-512 with bfloat16 it halves the time of a training step; emulated it would take longer than float32.
    """
    kind = torch.device(device).type
    if precision == "auto":
        if kind == "cuda":
            wanted = torch.cuda.is_bf16_supported()
        else:
            wanted = kind == "cpu" and bool(getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)())
    else:
        wanted = precision == "bfloat16"
    return torch.autocast(kind, torch.bfloat16) if wanted else nullcontext()
