"""`visavis synth-heads`: files that can be read again, and one sentence where it cannot work."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from models.types import Camera
from server.commands.synth_heads import command


def test_it_writes_samples_that_can_be_read_again(tmp_path: Path) -> None:
    out = tmp_path / "heads"
    result = CliRunner().invoke(
        command, ["--out", str(out), "--count", "3", "--size", "64", "--views", "2", "--seed", "4", "--json"]
    )
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout.splitlines()[-1])
    assert told["samples"] == 3 and told["heads"] == 2 and told["samples_per_second"] > 0
    for i in range(3):
        stem = f"{out}/{i:06d}"
        color = cv2.imread(f"{stem}.color.png", cv2.IMREAD_UNCHANGED)
        normals = cv2.imread(f"{stem}.normals.png", cv2.IMREAD_UNCHANGED)
        depth = cv2.imread(f"{stem}.depth.png", cv2.IMREAD_UNCHANGED)
        pose_map = cv2.imread(f"{stem}.pose_map.png", cv2.IMREAD_UNCHANGED)
        assert color.shape == (64, 64, 4) and normals.dtype == np.uint16 and depth.dtype == np.uint16
        inside = color[..., 3] == 255
        n = normals[inside][:, ::-1] / 65535 * 2 - 1
        assert np.allclose(np.linalg.norm(n, axis=1), 1, atol=0.01)
        assert (depth[inside] > 300).all() and pose_map.any()
        about = json.loads(Path(f"{stem}.json").read_text())
        assert len(about["drive"]["coefficients"]) == 52
        c = about["camera"]
        camera = Camera(**(c | {"world_to_camera": np.asarray(c["world_to_camera"])}))
        # the drive frame says where the head is before the camera, in OpenGL's axes
        middle = camera.world_to_camera @ np.asarray(about["pose"]["head"]) @ [0, 0, 0, 1]
        assert np.allclose(about["drive"]["translation"], middle[:3] * [1, -1, -1])


@pytest.mark.parametrize("options", [["--count", "0"], ["--count", "-3"], ["--size", "5"], ["--views", "0"], []])
def test_what_cannot_work_is_refused_in_one_sentence(options: list[str], tmp_path: Path) -> None:
    where = ["--out", str(tmp_path / "x")] if options else []
    result = CliRunner().invoke(command, where + options)
    assert result.exit_code == 2 and "expected" in result.output
    assert not (tmp_path / "x").exists()
