"""The parsing sees hair, face and clothes where they are; its asset is whole, or one sentence says what is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from models.errors import HeadModelError
from models.tracking import parsing, parsing_bake
from models.tracking.face_geometry import FOREHEAD, face_height, well_within
from models.tracking.landmarks import detect_faces


def test_an_astronaut_is_parsed(astronaut: NDArray[np.uint8]) -> None:
    seen = parsing.parse(astronaut)
    assert seen.shares.shape == (512, 512, 6) and np.allclose(seen.shares.sum(axis=2), 1, atol=1e-3)
    face = detect_faces(astronaut)[0]
    assert seen.most("face_skin")[well_within(face, (512, 512)) > 0].mean() > 0.9
    x, y = np.round(face.points[FOREHEAD, :2]).astype(int)
    above = round(y - 0.25 * face_height(face))
    assert seen.most("hair")[above - 5 : above + 5, x - 10 : x + 10].all()
    assert seen.most("clothes")[330:400, 180:260].mean() > 0.9, "the orange suit"
    assert seen.most("background")[20:120, 300:380].mean() > 0.95
    assert np.allclose(seen.person, 1 - seen.share("background"), atol=1e-6)


def test_the_network_is_the_baked_one_with_weights_of_half_precision() -> None:
    network, asset = parsing.network(), load_file(parsing.PATH)
    assert len(network) == parsing.MODEL_BYTES and network[4:8] == b"TFL3"
    assert parsing_bake.weight_spans(network) == [tuple(span) for span in asset["spans"].tolist()]
    start, count = asset["spans"][3]
    kept = np.frombuffer(network, "<f4", count, start)
    assert np.array_equal(kept, kept.astype(np.float16)) and np.ptp(kept) > 0


def test_another_file_is_not_baked(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="sha256"):
        parsing_bake.bake(parsing.network(), tmp_path / "out.safetensors")


@pytest.mark.parametrize("kind", ["missing", "cut", "frame", "spans"])
def test_a_damaged_asset_is_one_sentence(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "parsing.safetensors"
    monkeypatch.setattr(parsing, "PATH", path)
    if kind == "cut":
        path.write_bytes(b"\x08\0\0\0\0\0\0\0{}")
    elif kind != "missing":
        zeros = np.zeros(4, np.uint8) if kind == "frame" else load_file(parsing_bake.PATH)["frame"]
        save_file({"frame": zeros, "weights": np.zeros(3, np.float16), "spans": np.array([[0, 9]], np.int32)}, path)
    with pytest.raises(HeadModelError, match="install Visavis again") as error:
        parsing.network()
    assert "\n" not in str(error.value)
