"""`visavis enroll`: a capture folder, a configuration of the optimiser, and networks that are baked into the avatar."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray

from enrollment import workflow
from enrollment.instant.pipeline import Enrollment
from enrollment.remarks import Remark
from enrollment.to_file import SavedEnrollment
from models import avatar_file
from models.errors import VisavisError
from server.cli import cli

CONFIG = """
size = 64
crops = 0.0
rig = false
normals = false
check_every = 1
[rates]
networks = 0.05
"""


@pytest.fixture(scope="module")
def capture(astronaut: NDArray[np.uint8], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in nerfstudio's layout: one camera, no pose of the head."""
    folder = tmp_path_factory.mktemp("capture")
    cv2.imwrite(str(folder / "a.png"), astronaut[..., ::-1])
    entry = {"file_path": "a.png", "transform_matrix": np.eye(4).tolist()}
    text = {"w": 512, "h": 512, "fl_x": 900, "cx": 256, "cy": 256, "frames": [entry]}
    (folder / "transforms.json").write_text(json.dumps(text))
    return folder


def call(*words: object) -> Result:
    return CliRunner().invoke(cli, [str(w) for w in words])


def test_a_folder_a_configuration_and_networks_make_an_avatar_with_corrections(
    capture: Path, enrolled: Enrollment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    portraits: list[NDArray[np.uint8]] = []

    def enroll_instant(pictures: list[NDArray[np.uint8]], **_: object) -> Enrollment:
        portraits.extend(pictures)
        return enrolled

    monkeypatch.setattr(workflow, "enroll_instant", enroll_instant)
    (tmp_path / "fit.toml").write_text(CONFIG)
    out = tmp_path / "a.avatar"
    done = call(
        "enroll", "--capture", capture, "--config", tmp_path / "fit.toml", "--networks", "--steps", 3, "-o", out, "--json"
    )
    assert done.exit_code == 0, done.output
    result = json.loads(done.output.strip().splitlines()[-1])
    assert result["quality"] == "standard" and result["steps"] == 3 and result["baking_loss_db"] >= 0
    assert [p.shape for p in portraits] == [(512, 512, 3)], "the folder's picture leads when no photo is named"
    made = avatar_file.load(out)
    assert made.corrections is not None and made.corrections.gaussians is not None, "the networks' directions"
    assert made.corrections.networks is not None and made.corrections.networks.dynamics is not None, "and the networks"
    assert made.corrections.loss_db == pytest.approx(result["baking_loss_db"], abs=1e-3)


def test_the_report_is_printed_and_nothing_is_said_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [Remark("other", False, "2 faces were found", "the largest is used"), Remark("light", True, "the light is even")]
    made = SavedEnrollment(
        "a.avatar", "a.avatar.png", "instant", 7, 1.0, 0, "", None, 0.0, 1.0,
        ["2 faces were found; the largest is used", "nothing was signed"], [dataclasses.asdict(remark) for remark in found],
    )  # fmt: skip
    monkeypatch.setattr("enrollment.to_file.enroll_to_file", lambda *_, **__: made)
    said = call("enroll", "a.png", "-o", "a.avatar")
    lines = said.output.splitlines()
    assert said.exit_code == 0 and "weak: 2 faces were found; the largest is used" in lines and "good: the light is even" in lines
    assert [line for line in lines if line.startswith("note:")] == ["note: nothing was signed"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("coinn = true", "no key coinn"),
        ("steps = 0", "steps must lie in"),
        ("size = 1000000", "size must lie in"),
        ("coin = 1", "coin must be bool"),
        ("[rates]\nmeans = nan", "finite"),
        ("rates = 3", "rates must be a section"),
        ('device = "cuda"', "--device"),
        ("coin =", "not valid TOML"),
        (None, "cannot be read"),
    ],
)
def test_a_wrong_configuration_is_refused_in_one_sentence(tmp_path: Path, text: str | None, reason: str) -> None:
    path = tmp_path / "fit.toml"
    if text is not None:
        path.write_text(text)
    error = call("enroll", "me.png", "--config", path, "-o", tmp_path / "a.avatar").exception
    assert isinstance(error, VisavisError) and reason in str(error) and "\n" not in str(error)
    assert not (tmp_path / "a.avatar").exists()


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (["--quality", "high"], "capture folder is for standard"),
        (["--video", "clip.mp4"], "both came"),
        ([], r"transforms.json was expected"),
    ],
)
def test_a_capture_that_cannot_be_used_is_refused(tmp_path: Path, more: list[str], reason: str) -> None:
    error = call("enroll", "--capture", tmp_path, *more, "-o", tmp_path / "a.avatar").exception
    assert isinstance(error, VisavisError) and reason in str(error)
