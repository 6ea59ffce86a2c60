"""A prior as one safetensors file in half precision, with its configuration and a hash inside. Never pickle."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models import tensor_file
from models.atomic import atomic_write
from models.diffusion.config import PriorConfig, PriorConfigError
from models.diffusion.prior import Prior
from models.diffusion.space import LatentSpace
from models.errors import VisavisError
from models.tensor_file import Header, MalformedError

FORMAT, VERSION = "visavis-prior", "4"
SHIPPED = Path(__file__).parent.parent / "weights" / "prior-small.safetensors"
"""The weights that come with Visavis."""
MAX_BYTES, MAX_HEADER_BYTES = 16 << 30, 16 << 20


class WeightsError(VisavisError):
    """Weights that are missing, damaged, of another version, or for another network."""


def trained_state(prior: Prior) -> dict[str, Tensor]:
    """What is saved: everything but the operator's autoencoder."""
    return {name: tensor for name, tensor in prior.state_dict().items() if not name.startswith("space.")}


def save(prior: Prior, path: Path, notes: Mapping[str, str] | None = None, state: Mapping[str, Tensor] | None = None) -> None:
    """notes: plain text for the header (steps, date). state: other tensors than the prior's own, such as their averages.

    Raises `StorageError` when the disk refuses.
    """
    tensors = trained_state(prior) if state is None else state
    arrays: dict[str, NDArray[np.generic]] = {
        name: tensor.detach().cpu().to(torch.float16).contiguous().numpy() for name, tensor in tensors.items()
    }
    metadata = {
        "format": FORMAT,
        "version": VERSION,
        "config": prior.config.to_json(),
        "sha256": fingerprint(arrays),
        **{f"note.{key}": value for key, value in (notes or {}).items()},
    }
    data = tensor_file.write(arrays, metadata)
    with atomic_write(path) as stream:
        stream.write(data)


def is_one(path: Path) -> bool:
    """Whether `path` is a file of prior weights, of whatever version, whole or damaged."""
    return tensor_file.format_of(path, MAX_HEADER_BYTES) == FORMAT


def load(path: Path, *, device: str = "cpu", space: LatentSpace | None = None) -> Prior:
    """The prior in float32, ready to sample. space: the operator's autoencoder, for a latent one.

    Raises `WeightsError` when the file is missing or not what it should be, `PriorConfigError` for its configuration.
    """

    def check(header: Header) -> None:
        meta = header.metadata
        if meta.get("format") != FORMAT:
            raise MalformedError("it is not a file of prior weights")
        if meta.get("version") != VERSION:
            raise MalformedError(f"it is of version {meta.get('version', 'none')[:20]} where {VERSION} is understood")

    again = "get the file again or train it with `visavis train prior`"
    try:
        with tensor_file.open_regular(path) as stream:
            size = os.fstat(stream.fileno()).st_size
            if size > MAX_BYTES:
                raise MalformedError(f"it has {size} bytes where at most {MAX_BYTES} are allowed")
            header, arrays = tensor_file.read(stream, size, MAX_HEADER_BYTES, check)
        if fingerprint(arrays) != header.metadata.get("sha256"):
            raise MalformedError("its hash does not match its contents, so it was damaged or altered")
        config = _config(header)
    except FileNotFoundError:
        raise WeightsError(f"the prior's weights {path.name} are missing in {path.parent}; {again}") from None
    except OSError as error:
        raise WeightsError(f"the prior's weights {path.name} cannot be read ({error.strerror or error}); {again}") from None
    except MalformedError as error:
        raise WeightsError(f"the prior's weights {path.name} cannot be used because {error}; {again}") from None
    prior = Prior(config, space)
    expected = trained_state(prior)
    wrong = sorted(set(expected) ^ set(arrays)) or sorted(n for n in expected if tuple(expected[n].shape) != arrays[n].shape)
    if wrong:
        raise WeightsError(
            f"the prior's weights {path.name} do not fit their own configuration (tensor {wrong[0]} is missing, unknown or of "
            f"another shape); {again}"
        )
    prior.load_state_dict({name: torch.from_numpy(a.astype(np.float32)) for name, a in arrays.items()}, strict=False)
    return prior.to(device).eval()


def notes(path: Path) -> dict[str, str]:
    """The notes in the header of a file that `load` takes."""
    with tensor_file.open_regular(path) as stream:
        header = tensor_file.read_header(stream, os.fstat(stream.fileno()).st_size, MAX_HEADER_BYTES)
    return {key.removeprefix("note."): value for key, value in header.metadata.items() if key.startswith("note.")}


def adopt(prior: Prior, other: Prior) -> list[str]:
    """Takes over every weight of `other` that exists here in the same shape; the names that stayed as they were.

    For going on from other weights: another size of picture, temporal modules added, mechanisms switched.
    """
    mine, theirs = trained_state(prior), trained_state(other)
    fitting = {n: t for n, t in theirs.items() if n in mine and mine[n].shape == t.shape}
    prior.load_state_dict(fitting, strict=False)
    return sorted(set(mine) - set(fitting))


def fingerprint(arrays: Mapping[str, NDArray[np.generic]]) -> str:
    """SHA-256 over names, shapes, types and contents, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _config(header: Header) -> PriorConfig:
    try:
        return PriorConfig.from_dict(json.loads(header.metadata.get("config", "")))
    except ValueError:
        raise MalformedError("its configuration is not readable JSON") from None
    except PriorConfigError as error:
        raise MalformedError(f"of its configuration ({error})") from None
