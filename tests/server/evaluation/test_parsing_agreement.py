"""Skin where hair should be is found from the directions that show it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from enrollment import EnrollmentResult
from enrollment.instant.pipeline import Enrollment
from enrollment.report import AROUND
from models.heads.base import HeadModel
from models.tracking.parsing import CLASSES, Parsing
from server.evaluation import parsing_agreement as module
from server.evaluation.parsing_agreement import ParsingResult, ear_faces, expected, parsing_agreement


def made(enrolled: Enrollment) -> EnrollmentResult:
    return EnrollmentResult(enrolled.avatar, "instant", enrolled, None, None, ())


def with_parsing(enrolled: Enrollment, parsing: Parsing | None) -> EnrollmentResult:
    lead = replace(enrolled.portraits[0], parsing=parsing)
    return made(replace(enrolled, portraits=(lead, *enrolled.portraits[1:])))


def everywhere(name: str, side: int) -> Parsing:
    return Parsing(np.tile(np.float32(np.eye(len(CLASSES))[CLASSES.index(name)]), (side, side, 1)))


def measured(enrolled: Enrollment, monkeypatch: pytest.MonkeyPatch, name: str, sheet: Path | None = None) -> ParsingResult:
    """With drawings that are of one class."""
    monkeypatch.setattr(module, "parse_steadily", lambda picture: everywhere(name, len(picture)))
    return parsing_agreement([Path("a.png")], enroll=lambda photo: made(enrolled), out_sheet=sheet)


def test_what_the_photo_shows_is_expected(enrolled: Enrollment) -> None:
    """The astronaut's hair covers her ears."""
    assert expected(made(enrolled)).covered == "both" and expected(made(enrolled)).back is True
    size = len(enrolled.portraits[0].matte)
    bare = expected(with_parsing(enrolled, everywhere("face_skin", size)))
    assert bare.covered == "none" and bare.back is False
    unknown = expected(with_parsing(enrolled, None))
    assert unknown.covered == "unknown" and unknown.back is None
    left = replace(expected(made(enrolled)), ears={"left": True, "right": None})
    assert left.covered == "left"


def test_skin_everywhere_fails_wherever_a_region_is_seen(
    enrolled: Enrollment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    result = measured(enrolled, monkeypatch, "body_skin", tmp_path / "sheet.png")
    (photo,) = result.photos
    assert photo.ears == photo.back == 1.0 and (tmp_path / "sheet.png").exists()
    by_region = {what: {f.split(" at ")[1] for f in photo.failing if f.startswith(what)} for what in ("left", "right", "back")}
    assert by_region["left"] >= {"45°", "90°", "135°"} and not by_region["left"] & {"225°", "270°", "315°"}
    assert by_region["right"] >= {"225°", "270°", "315°"} and not by_region["right"] & {"45°", "90°", "135°"}
    assert by_region["back"] >= {"135°", "180°", "225°"} and "0°" not in by_region["back"]
    assert result.failing == len(photo.failing) and result.summary.startswith(f"{result.failing} failing")
    assert result.as_dict()["photos"][0]["failing"] == list(photo.failing)


def test_hair_everywhere_is_as_it_should_be(enrolled: Enrollment, monkeypatch: pytest.MonkeyPatch) -> None:
    (row,) = measured(enrolled, monkeypatch, "hair").rows()
    assert (row["ears"], row["back"], row["failing"]) == (0.0, 0.0, "none")


def test_the_drawn_avatar_is_parsed(enrolled: Enrollment, model: HeadModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Skin painted over all of the head is found by the network itself, and none where hair is."""
    monkeypatch.setattr(module, "AROUND", [view for view in AROUND if view.yaw in (0, 90)])
    avatar = enrolled.avatar
    colors = avatar.gaussians.colors.copy()
    colors[model.region_faces("skin")[avatar.gaussians.face]] = (0.85, 0.65, 0.55)
    bald = replace(avatar, gaussians=replace(avatar.gaussians, colors=colors))
    made_of = {"hair.png": made(enrolled), "bald.png": replace(made(enrolled), avatar=bald)}
    hairy, painted = parsing_agreement([Path(name) for name in made_of], enroll=lambda photo: made_of[photo.name]).photos
    assert hairy.failing == () and painted.failing == ("left ear at 90°", "back at 90°")
    assert painted.back is not None and painted.back > 0.5
    assert set(ear_faces(model)) == {"left", "right"}
