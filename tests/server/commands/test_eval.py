"""The measures of an avatar of each photo share their options and their way of printing."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from enrollment import RefineOptions, workflow
from server.cli import cli
from server.evaluation import enrollment, reenact

MEASURES = {
    "self": "server.evaluation.self_portrait.draw_again",
    "identity": "server.evaluation.identity.identity",
    "parsing": "server.evaluation.parsing_agreement.parsing_agreement",
}


@dataclass(frozen=True)
class Measured:
    summary: str = "all in all 7"

    def as_dict(self) -> dict[str, Any]:
        return {"value": 7}

    def rows(self) -> list[dict[str, Any]]:
        return [{"photo": "a.png", "value": 7}]


@pytest.mark.parametrize("verb", MEASURES)
def test_each_photo_is_enrolled_and_measured(verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    enrolled: list[Any] = []
    measured: list[Any] = []
    monkeypatch.setattr(workflow, "enroll", lambda photos, **named: enrolled.append((photos, named)))

    def measure(
        photos: tuple[Path, ...], *, enroll: Callable[[Path], Any], out_sheet: Path | None, progress: Any, **more: Any
    ) -> Measured:
        for photo in photos:
            enroll(photo)
        measured.append((photos, out_sheet, more))
        return Measured()

    monkeypatch.setattr(MEASURES[verb], measure)
    photos, sheet = (tmp_path / "a.png", tmp_path / "b.png"), tmp_path / "sheet.png"
    photos[0].write_bytes(b"a photo")
    config = tmp_path / "config.toml"
    config.write_text("perceptual = true", encoding="utf-8")
    asked = ["eval", verb, *map(str, photos), "--sheet", str(sheet), "--config", str(config)]
    more, extra = ({"people": 3}, ["--people", "3"]) if verb == "identity" else ({}, [])
    words = [*asked, "--quality", "standard", *extra]
    said = CliRunner().invoke(cli, words)
    assert said.exit_code == 0, said.output
    assert "a.png" in said.output and said.output.rstrip().endswith("all in all 7")
    options = {"quality": "standard", "refinement": RefineOptions(changes={"perceptual": True})}
    assert measured == [(photos, sheet, more)] and enrolled == [([photo], options) for photo in photos]
    spoken = CliRunner().invoke(cli, [*words, "--json"])
    assert json.loads(spoken.output.strip().splitlines()[-1]) == {"value": 7}
    assert CliRunner().invoke(cli, asked).exit_code == 2, "nothing is optimised that the configuration could change"
    refused = CliRunner().invoke(cli, ["eval", verb, str(photos[0]), "--sheet", str(photos[0])])
    assert refused.exit_code != 0 and len(measured) == 2, "a sheet over its photo"


@pytest.mark.parametrize(("quality", "of_photo"), [("instant", {}), ("standard", {"perceptual": True})])
def test_a_configuration_goes_to_what_is_optimised(
    quality: str, of_photo: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, RefineOptions]] = []

    def run(clip: Path, *, enroll: Callable[[Any], Any], learn: Callable[[Any, int], Any], **_: Any) -> Measured:
        enroll(None)
        learn(None, 7)
        return Measured()

    monkeypatch.setattr(reenact, "reenact", run)
    monkeypatch.setattr(Measured, "notes", (), raising=False)
    monkeypatch.setattr(enrollment, "from_photos", lambda photos, level, progress, options: asked.append((level, options)))
    monkeypatch.setattr(enrollment, "from_clip", lambda clip, most, progress, options: asked.append(("clip", options)))
    clip, config = tmp_path / "a.mp4", tmp_path / "config.toml"
    config.write_text("perceptual = true", encoding="utf-8")
    words = ["eval", "reenact", str(clip), "--held-out", "--quality", quality, "--config", str(config)]
    said = CliRunner().invoke(cli, words)
    assert said.exit_code == 0, said.output
    assert asked == [(quality, RefineOptions(changes=of_photo)), ("clip", RefineOptions(changes={"perceptual": True}))]
    assert CliRunner().invoke(cli, ["eval", "reenact", str(clip), "--config", str(config)]).exit_code == 2
