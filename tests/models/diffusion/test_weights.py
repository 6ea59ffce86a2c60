from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from models import tensor_file
from models.diffusion import weights
from models.diffusion.prior import Prior
from models.diffusion.sampler import sample
from models.diffusion.weights import WeightsError
from tests.models.diffusion.tiny import batch, config, trained


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    weights.save(trained(), tmp_path / "prior.safetensors", {"steps": "12"})
    return tmp_path / "prior.safetensors"


def rewritten(path: Path, change: str) -> None:
    """The same file with something wrong in it."""
    with path.open("rb") as stream:
        header, tensors = tensor_file.read(stream, path.stat().st_size, 1 << 20, lambda _: None)
    meta, arrays = dict(header.metadata), dict(tensors)
    name = sorted(arrays)[0]
    if change == "version":
        meta["version"] = "0"
    elif change == "format":
        meta["format"] = "visavis-avatar"
    elif change == "contents":
        arrays[name] = (arrays[name] + 1).astype(np.float16)
    elif change == "configuration":
        meta["config"] = json.dumps({"colour": 1})
    elif change == "json":
        meta["config"] = "{"
    elif change == "shape":
        arrays[name] = np.zeros((1, 2), np.float16)
        meta["sha256"] = weights.fingerprint(arrays)
    elif change == "missing":
        del arrays[name]
        meta["sha256"] = weights.fingerprint(arrays)
    path.write_bytes(tensor_file.write(arrays, meta))


def test_weights_come_back_in_half_precision(saved: Path) -> None:
    prior, b = weights.load(saved), batch().conditions()
    assert prior.config == config() and weights.notes(saved) == {"steps": "12"}
    assert (sample(prior, b, steps=2).color - sample(trained(), b, steps=2).color).abs().max() < 0.02
    count = sum(p.numel() for p in prior.parameters())
    assert saved.stat().st_size < 2 * count + 60_000, "two bytes a weight"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("version", f"version 0 where {weights.VERSION}"),
        ("format", "not a file of prior weights"),
        ("contents", "hash does not match"),
        ("configuration", "no key colour"),
        ("json", "not readable JSON"),
        ("shape", "another shape"),
        ("missing", "is missing"),
    ],
)
def test_wrong_weights_are_refused_in_one_sentence(saved: Path, change: str, says: str) -> None:
    rewritten(saved, change)
    with pytest.raises(WeightsError, match=says) as error:
        weights.load(saved)
    assert "\n" not in str(error.value) and "visavis train prior" in str(error.value)


def test_missing_and_broken_files_are_refused(tmp_path: Path, saved: Path) -> None:
    with pytest.raises(WeightsError, match="are missing"):
        weights.load(tmp_path / "none.safetensors")
    with pytest.raises(WeightsError, match="not a plain file"):
        weights.load(tmp_path)
    saved.write_bytes(saved.read_bytes()[:1000])
    with pytest.raises(WeightsError, match="ends before"):
        weights.load(saved)
    saved.write_bytes(b"\x80\x04pickle")
    with pytest.raises(WeightsError):
        weights.load(saved)


def test_another_size_and_temporal_modules_go_on_from_the_same_weights() -> None:
    small = trained()
    larger = Prior(config(size=32))
    assert weights.adopt(larger, small) == []
    second = Prior(config(mechanisms={"temporal": True}))
    left = weights.adopt(second, small)
    assert left and all(".temporal." in name for name in left)
    assert torch.equal(second.denoiser.unet.conv_in.weight, small.denoiser.unet.conv_in.weight)
