"""The network for pictures computes what its weights say; its asset is whole, or one sentence says what is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from models.errors import HeadModelError
from models.perceptual import efficientnet, efficientnet_bake
from models.perceptual.efficientnet import EfficientNet, unit

Picture = NDArray[np.float64]


def convolved(x: Picture, tensors: dict[str, NDArray[np.float16]], layer: int, stride: int, *, clipped: bool) -> Picture:
    """A convolution (C, H, W) in float64, tap by tap, padded as TensorFlow does."""
    weight, bias = (tensors[f"{layer}.{name}"].astype(np.float64) for name in ("weight", "bias"))
    side, size = weight.shape[-1], [-(-length // stride) for length in x.shape[1:]]
    short = [max((n - 1) * stride + side - length, 0) for n, length in zip(size, x.shape[1:], strict=True)]
    x = np.pad(x, [(0, 0), *((n // 2, n - n // 2) for n in short)])
    out = np.zeros((len(weight), *size)) + bias[:, None, None]
    for i in range(side):
        for j in range(side):
            seen = x[:, i : i + stride * size[0] : stride, j : j + stride * size[1] : stride][:, : size[0], : size[1]]
            tap = weight[:, :, i, j]
            out += tap[..., None] * seen if tap.shape[1] == 1 else np.einsum("oc,chw->ohw", tap, seen)
    return out.clip(0, 6) if clipped else out


@pytest.mark.parametrize("shape", [(32, 48), (37, 50)])
def test_the_features_are_those_of_an_oracle(shape: tuple[int, int], astronaut: NDArray[np.uint8]) -> None:
    tensors = load_file(efficientnet.PATH)
    image = astronaut[60 : 60 + shape[0], 180 : 180 + shape[1]] / 255
    x = convolved(((255 * image - 127) / 128).transpose(2, 0, 1), tensors, 0, 2, clipped=True)
    # kernels 3, 5 and strides by stage; the first block has two convolutions, all others three, and repeated ones add up
    wanted, layer = [], 1
    for index, (stride, blocks) in enumerate(((1, 1), (2, 2), (2, 2), (2, 3))):
        for block in range(blocks):
            before = x
            if index:
                x, layer = convolved(x, tensors, layer, 1, clipped=True), layer + 1
            x = convolved(x, tensors, layer, stride if block == 0 else 1, clipped=True)
            x, layer = convolved(x, tensors, layer + 1, 1, clipped=False), layer + 2
            x = x + before if block else x
        wanted.append(x)
    seen = EfficientNet()(torch.from_numpy(image).float())
    assert [len(stage) for stage in seen] == [16, 24, 40, 80]
    for ours, theirs in zip(seen, wanted, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs, atol=1e-3 * np.abs(theirs).max())


def test_unit_features_have_length_one_and_nothing_stays_nothing() -> None:
    features = torch.randn(5, 2, 3)
    features[:, 0, 0] = 0
    length = unit(features).norm(dim=0)
    assert length[0, 0] == 0 and torch.allclose(length.flatten()[1:], torch.ones(5), atol=1e-3)


def test_another_file_is_not_baked(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="sha256"):
        efficientnet_bake.bake(b"\x1c\0\0\0TFL3", tmp_path / "out.safetensors")


@pytest.mark.parametrize("kind", ["missing", "cut", "less"])
def test_a_damaged_asset_is_one_sentence(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "network.safetensors"
    monkeypatch.setattr(efficientnet, "PATH", path)
    if kind == "cut":
        path.write_bytes(b"\x08\0\0\0\0\0\0\0{}")
    elif kind == "less":
        save_file({"0.weight": np.zeros((32, 3, 3, 3), np.float16)}, path)
    with pytest.raises(HeadModelError, match="install Visavis again") as error:
        EfficientNet()
    assert "\n" not in str(error.value)
