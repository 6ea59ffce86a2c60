"""A device that has shapes and types and no numbers (torch's "meta"), in the place of a GPU: what runs on it mixes nothing of the
host into its work, asks the device for no number, and so waits for nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

NOWHERE = torch.device("meta")
COPIES = ("_to_copy", "copy_", "_has_compatible_shallow_copy_type")
"""What may go from the host to the device and back; the last one is a question of `nn.Module.to`."""


class OneDevice(TorchDispatchMode):
    """Refuses operations between tensors of two devices, and float64 on the device; meta lets some of both through."""

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
        name = func.overloadpacket.__name__
        if name not in COPIES:
            assert len({x.device for x in given if x.dim()}) <= 1, f"{name} of tensors on two devices"
        out = func(*args, **(kwargs or {}))
        made = [x for x in tree_leaves(out) if isinstance(x, Tensor) and x.device == NOWHERE]
        assert all(x.dtype != torch.float64 for x in made), f"{name} makes float64"
        return out


class Host:
    """Memory of the host that holds no numbers either. size: of it. seen: gets the shape of what is copied into it."""

    def __init__(self, size: int, seen: Callable[[tuple[int, ...]], None] = lambda _: None) -> None:
        self.size, self.seen = size, seen

    def numpy(self) -> np.ndarray:
        return np.zeros(self.size, np.float32)

    def to(self, device: torch.device, *, non_blocking: bool) -> Tensor:
        assert non_blocking and device == NOWHERE
        return torch.empty(self.size, device=device)

    def copy_(self, source: Tensor, *, non_blocking: bool) -> None:
        assert non_blocking and source.device == NOWHERE and source.dtype == torch.uint8 and source.is_contiguous()
        self.seen(tuple(source.shape))

    def __iter__(self) -> Any:
        return iter([self] * self.size)


def rasterization(means: Tensor, *, viewmats: Tensor, width: int, height: int, **others: Any) -> tuple[Tensor, Tensor, dict]:
    """gsplat's, for shapes alone: those of a batch with one camera each."""
    batch, count, _ = means.shape
    assert viewmats.shape == (batch, 1, 4, 4) and others["packed"] is False
    wanted = {"quats": (count, 4), "scales": (count, 3), "opacities": (count,), "colors": (count, 3), "Ks": (1, 3, 3)}
    for name, shape in {**wanted, "backgrounds": (1, 3)}.items():
        assert others[name].shape == (batch, *shape) and others[name].device == means.device == NOWHERE, name
        assert others[name].dtype == torch.float32
    drawn, alpha = (torch.empty(batch, 1, height, width, channels, device=NOWHERE) for channels in (3, 1))
    return drawn, alpha, {}
