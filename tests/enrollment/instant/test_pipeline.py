"""The stages in order: progress, cancellation, several photos, what is recorded, and the file that comes of it."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from enrollment.instant import own_view, pipeline
from enrollment.instant.fit import HeadFit, PhotoFit
from enrollment.instant.pipeline import MAX_PHOTOS, Enrollment, _with_lids, enroll_instant
from enrollment.portrait.portrait import Portrait
from models import arkit, avatar_file
from models.errors import Cancelled, PhotoError
from models.heads.base import HeadModel
from models.tracking.face_geometry import turned_away
from tests.enrollment.heads import FOCAL, known, picture_of, portrait_of

Pixels = NDArray[np.uint8]


@pytest.fixture(scope="module")
def photos(astronaut: Pixels, model: HeadModel, tmp_path_factory: pytest.TempPathFactory) -> list[Path | Pixels]:
    """A turned head, no picture at all, and the astronaut mirrored and enlarged, as files; a picture without anybody."""
    folder = tmp_path_factory.mktemp("jane doe")
    files = [folder / name for name in ("turned.png", "letter.txt", "front.jpg")]
    Image.fromarray(picture_of(model.person(np.zeros(model.identity_count)), yaw=30)).save(files[0])
    files[1].write_text("dear all")
    Image.fromarray(cv2.resize(np.ascontiguousarray(astronaut[:, ::-1]), None, fx=1.5, fy=1.5)).save(files[2], quality=95)
    return [*files, np.full((300, 300, 3), 90, np.uint8)]


@pytest.fixture(scope="module")
def several(photos: list[Path | Pixels]) -> Enrollment:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(own_view, "STEPS", 2)  # of what is common to one photo and several
        return enroll_instant(photos, consent="")


def test_progress_goes_up_to_one(enrolled: Enrollment, stages: list[tuple[str, float]]) -> None:
    parts = [part for _, part in stages]
    assert parts == sorted(parts) and parts[0] == 0 and parts[-1] == 1 and len(stages) >= 4
    assert len({stage for stage, _ in stages}) == len(stages)
    assert enrolled.warnings == ()


@pytest.mark.parametrize("last", [0, 1, 2, 3])
def test_cancelling_stops_at_the_next_stage(
    astronaut: Pixels, portrait: Portrait, last: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told: list[str] = []
    monkeypatch.setattr(pipeline, "prepare", lambda *_: portrait)  # judged elsewhere
    monkeypatch.setattr(pipeline, "check_person", lambda found: found)
    with pytest.raises(Cancelled, match="nothing was written"):
        enroll_instant([astronaut], progress=lambda stage, _: told.append(stage), cancelled=lambda: len(told) >= last)
    assert len(told) == last
    assert not list(tmp_path.iterdir())


def test_the_most_frontal_photo_leads(several: Enrollment) -> None:
    turns = [turned_away(p.landmarks) for p in several.portraits]
    assert len(turns) == 2 and turns[0] < 10 < 20 < turns[1]
    assert len(several.fit.photos) == 2
    assert several.fit_rms == pytest.approx(several.fit.photos[0].rms * 512 / 768)


def test_unusable_photos_among_good_ones_are_warnings(several: Enrollment) -> None:
    left_out = [w for w in several.warnings if "was left out" in w]
    assert len(left_out) == 2
    assert left_out[0].startswith("photo 2 ") and "letter.txt is none" in left_out[0]
    assert left_out[1].startswith("photo 4 ") and "no face was found" in left_out[1]


def test_without_any_usable_photo_the_first_reason_is_raised(photos: list[Path | Pixels]) -> None:
    with pytest.raises(PhotoError, match="letter"):
        enroll_instant([photos[1], photos[3]])


@pytest.mark.parametrize("count", [0, MAX_PHOTOS + 1])
def test_the_number_of_photos_is_checked(count: int) -> None:
    with pytest.raises(PhotoError, match=f"1 to {MAX_PHOTOS} photos were expected, {count} came"):
        enroll_instant([Path("nobody.jpg")] * count)


def test_provenance_tells_neither_name_nor_path(several: Enrollment, photos: list[Path | Pixels]) -> None:
    record = json.dumps(several.avatar.provenance)
    for secret in ("jane", "doe", "front", "turned", ".jpg", ".png", "/", "\\"):
        assert secret not in record.lower()
    hashes = several.avatar.provenance["photo_sha256"]
    assert len(hashes) == 2 and all(len(h) == 64 for h in hashes)
    assert several.avatar.provenance["synthetic"] is True


def test_consent_is_recorded(enrolled: Enrollment) -> None:
    assert enrolled.avatar.provenance["consent"] == "public domain"
    assert str(enrolled.avatar.provenance["made_by"]).startswith("visavis ")


def test_the_avatar_survives_its_file(enrolled: Enrollment, model: HeadModel, tmp_path: Path) -> None:
    path = tmp_path / "astronaut.avatar"
    avatar_file.save(enrolled.avatar, path)
    loaded = avatar_file.load(path, model)
    before, after = enrolled.avatar.gaussians, loaded.gaussians
    assert np.array_equal(after.face, before.face) and np.array_equal(after.means, before.means)
    assert np.allclose(after.colors, before.colors, atol=1e-3) and np.allclose(after.scales, before.scales, rtol=5e-3)
    assert np.array_equal(loaded.offset, enrolled.avatar.offset) and loaded.provenance == enrolled.avatar.provenance


def test_several_photos_give_a_whole_avatar(several: Enrollment, model: HeadModel) -> None:
    g = several.avatar.gaussians
    assert len(g) >= 20_000 and g.face.max() < len(model.faces)
    assert np.isfinite(g.means).all() and g.colors.min() >= 0 and g.colors.max() <= 1


@pytest.mark.parametrize(("blink", "rest"), [(0.2, True), (0.9, False)])
def test_lids_that_hang_a_little_are_the_persons_own(model: HeadModel, blink: float, rest: bool) -> None:
    truth = known(model, 1)
    still = np.array(arkit.vector(eyeBlinkLeft=blink, eyeSquintRight=blink, mouthSmileLeft=0.2), np.float32)
    photo = PhotoFit(truth.rotation, truth.translation, FOCAL, still, np.zeros((2, 2), np.float32), 0.0)
    fitted = HeadFit(truth.identity.astype(np.float32), (photo,))
    out = _with_lids(fitted, model.person(fitted.identity), [portrait_of(model, truth)]).photos[0].coefficients
    for name in ("eyeBlinkLeft", "eyeSquintRight"):
        assert out[arkit.INDEX[name]] == 0 if rest else out[arkit.INDEX[name]] > 0.8
    assert out[arkit.INDEX["mouthSmileLeft"]] == still[arkit.INDEX["mouthSmileLeft"]]
