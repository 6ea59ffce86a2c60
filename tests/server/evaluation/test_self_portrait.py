"""The astronaut drawn again from her avatar."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from enrollment import EnrollmentResult
from enrollment.instant.pipeline import Enrollment
from server.evaluation.self_portrait import draw_again, outline_error


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
    assert result.as_dict()["least"] == worse.psnr and result.mean == (good.psnr + worse.psnr) / 2
    assert [row["photo"] for row in result.rows()] == ["a.png", "b.png"] and sheet.exists()


def test_equal_outlines_have_no_error_and_shifted_ones_have_their_shift(enrolled: Enrollment) -> None:
    portrait = replace(enrolled.portraits[0], inside=np.ones_like(enrolled.portraits[0].inside))
    y, x = np.mgrid[:768, :768]
    disc = (np.hypot(x - 384, y - 384) < 200).astype(np.float32)
    portrait = replace(portrait, matte=disc)
    assert outline_error(portrait, disc) == 0
    assert 1.0 < outline_error(portrait, np.roll(disc, 6, axis=0)) < 4.5
