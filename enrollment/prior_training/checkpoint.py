"""The state of a training run on the disk: safetensors in float32, written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from models import tensor_file
from models.atomic import atomic_write
from models.errors import VisavisError
from models.tensor_file import Header, MalformedError

FORMAT, VERSION = "visavis-training", "1"
MAX_BYTES, MAX_HEADER_BYTES = 64 << 30, 32 << 20


class CheckpointError(VisavisError):
    """A checkpoint that cannot be read, or belongs to another configuration."""


class State:
    """Named tensors that are in place in network, averages and optimizer: `tensors` reads them, `restore` writes into them."""

    def __init__(
        self, modules: Mapping[str, torch.nn.Module], averages: Mapping[str, Tensor], optimizer: torch.optim.Optimizer
    ) -> None:
        self.parameters = {
            f"{key}.{name}": p for key, m in modules.items() for name, p in m.named_parameters() if p.requires_grad
        }
        self.averages, self.optimizer = averages, optimizer

    def tensors(self) -> dict[str, Tensor]:
        out = {f"model.{name}": p.detach() for name, p in self.parameters.items()}
        out |= {f"ema.{name}": t for name, t in self.averages.items()}
        for name, p in self.parameters.items():
            for part, tensor in self.optimizer.state.get(p, {}).items():
                out[f"adam.{part}.{name}"] = tensor
        return out

    @torch.no_grad()
    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Raises `KeyError` or `RuntimeError` when the tensors are of another network."""
        for name, p in self.parameters.items():
            p.copy_(tensors[f"model.{name}"])
            moments = {part: tensors.get(f"adam.{part}.{name}") for part in ("step", "exp_avg", "exp_avg_sq")}
            if moments["step"] is not None:
                self.optimizer.state[p] = {
                    part: t.to(torch.float32) if part == "step" else t.to(p) for part, t in moments.items() if t is not None
                }
        for name, average in self.averages.items():
            average.copy_(tensors[f"ema.{name}"])


def save(path: Path, step: int, task: str, state: State) -> None:
    """task: what must be equal for a run to go on. Raises `StorageError` when the disk refuses."""
    arrays = {name: t.detach().float().cpu().contiguous().numpy() for name, t in state.tensors().items()}
    metadata = {"format": FORMAT, "version": VERSION, "step": str(step), "task": task}
    data = tensor_file.write(dict(arrays), metadata)
    with atomic_write(path) as stream:
        stream.write(data)


def is_one(path: Path) -> bool:
    """Whether `path` is such a file, of whatever version, whole or damaged."""
    return tensor_file.format_of(path, MAX_HEADER_BYTES) == FORMAT


def load(path: Path, task: str, state: State) -> int:
    """Puts the state back; the number of steps that were done, 0 when there is no checkpoint. Raises `CheckpointError`."""
    if not path.exists():
        return 0

    def check(header: Header) -> None:
        if (header.metadata.get("format"), header.metadata.get("version")) != (FORMAT, VERSION):
            raise MalformedError("it is not a checkpoint of this version")
        if header.metadata.get("task") != task:
            raise MalformedError("it belongs to another configuration or seed")

    try:
        with tensor_file.open_regular(path) as stream:
            size = os.fstat(stream.fileno()).st_size
            if size > MAX_BYTES:
                raise MalformedError("it is too large")
            header, arrays = tensor_file.read(stream, size, MAX_HEADER_BYTES, check)
        state.restore({name: torch.from_numpy(np.array(array)) for name, array in arrays.items()})
        return int(header.metadata["step"])
    except (OSError, MalformedError, KeyError, ValueError, RuntimeError) as error:
        reason = str(error) if isinstance(error, MalformedError) else "it does not fit this network"
        raise CheckpointError(
            f"the training cannot go on from {path.name} because {reason}; choose another folder or start anew without resuming"
        ) from error
