"""The astronaut drawn again from her avatar."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from enrollment import EnrollmentResult
from enrollment.instant.pipeline import Enrollment
from server.evaluation.self_portrait import draw_again


def test_a_portrait_is_drawn_again(enrolled: Enrollment, tmp_path: Path) -> None:
    whole = EnrollmentResult(enrolled.avatar, "instant", enrolled, None, None, ())
    gaussians = enrolled.avatar.gaussians
    blurred = replace(enrolled.avatar, gaussians=replace(gaussians, scales=1.6 * gaussians.scales))
    made = {"a.png": whole, "b.png": replace(whole, avatar=blurred)}
    sheet = tmp_path / "sheet.png"
    result = draw_again([Path(name) for name in made], enroll=lambda photo: made[photo.name], out_sheet=sheet)
    good, worse = result.scores
    assert good.psnr > 30 and good.outline < 1.0, "within a pixel of the matte"
    assert worse.psnr < good.psnr - 3 and worse.outline > 2 * good.outline
    assert result.as_dict()["least"] == result.least == worse.psnr and f"{worse.psnr:.2f}" in result.summary
    assert result.mean == (good.psnr + worse.psnr) / 2
    assert [row["photo"] for row in result.rows()] == ["a.png", "b.png"] and sheet.exists()
