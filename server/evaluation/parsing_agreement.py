"""The work behind `visavis eval parsing`: ears where the photo shows hair, and skin on the back of the head.

The resting avatar is drawn from eight directions and parsed as the photo was. The parsing must not see skin where the head model
has an ear that hair or a scarf covers in the photo, nor on the back of a scalp that is hairy in the photo.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from enrollment import EnrollmentResult
from enrollment.instant.nonrigid_registration import posed
from enrollment.instant.surface import VisibleSurface
from enrollment.instant.texture_completion import scalp
from enrollment.report import AROUND, PreviewRenderer, PreviewView
from models import arkit, png
from models.heads.base import HeadModel
from models.heads.raster import rasterize
from models.heads.registry import by_name
from models.progress import ProgressCallback, no_progress
from models.synthetic.anatomy import anatomy
from models.tracking.parsing import Parsing, parse
from server.evaluation.sheet import contact_sheet

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]

SIDE = 384
"""Of the drawn pictures, pixels."""
SKIN, COVER = ("face_skin", "body_skin"), ("hair", "clothes", "others")
COVERED, HAIRY = 0.75, 0.5
"""Parts of an ear, and of the scalp, in the photo that must be hair or a scarf for the avatar's to be covered too. The head
model's ear is not exactly where the photo's is."""
FEWEST = 0.0006
"""Part of a picture that a region must fill to be looked at."""
EDGE = 2
"""Pixels around a region's border that are not looked at: the parsing is as coarse."""
MOST_SKIN = 0.2
"""Part of a region that may be parsed as skin before the direction fails: the parsing of a smooth drawing is that unsure."""
BEHIND = -0.02
"""Greatest depth of the back of the head on the template, metres."""
LOOKS = np.array([(255, 255, 255), (110, 70, 30), (250, 150, 120), (255, 215, 175), (70, 100, 190), (60, 170, 90)], np.uint8)
"""Colours of the sheet for the parsing's classes, in their order."""


@dataclass(frozen=True)
class PhotoAgreement:
    """covered: which of the ears the photo covers: both, left, right, none; unknown where it shows neither. ears: largest part of
    a covered ear that is skin, of all directions; None without one. back: the same of the back of the scalp; None where the photo
    shows a bald one, or none. failing: yaws of the directions with more than `MOST_SKIN`, degrees, and of what."""

    photo: str
    covered: str
    ears: float | None
    back: float | None
    failing: tuple[str, ...]


@dataclass(frozen=True)
class ParsingResult:
    """photos: one entry each."""

    photos: tuple[PhotoAgreement, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"photos": [{**vars(photo), "failing": list(photo.failing)} for photo in self.photos], "failing": self.failing}

    def rows(self) -> list[dict[str, Any]]:
        """A row for each photo, for a table."""
        return [{**vars(photo), "failing": ", ".join(photo.failing) or "none"} for photo in self.photos]

    @property
    def failing(self) -> int:
        """Directions that fail, over all photos."""
        return sum(len(photo.failing) for photo in self.photos)

    @property
    def summary(self) -> str:
        """One line."""
        return f"{self.failing} failing, over {len(self.photos)} photos from {len(AROUND)} directions"


def parsing_agreement(
    photos: Sequence[Path],
    *,
    enroll: Callable[[Path], EnrollmentResult],
    out_sheet: Path | None = None,
    progress: ProgressCallback = no_progress,
) -> ParsingResult:
    """Measure an avatar of each photo. enroll: photo -> what enrollment made of it."""
    found, rows = [], {}
    for number, photo in enumerate(photos):
        progress(f"parsing {photo.name} all around", number / len(photos))
        made = enroll(photo)
        renderer = PreviewRenderer(made.avatar, by_name(made.avatar.head))
        drawn = [renderer.picture(view, SIDE) for view in AROUND]
        parsed = [parse_steadily(picture) for picture in drawn]
        found.append(_agreement(photo.name, expected(made), renderer, parsed))
        rows[photo.name], rows[f"{photo.name}, parsed"] = drawn, [LOOKS[one.shares.argmax(axis=-1)] for one in parsed]
    if out_sheet is not None:
        png.write(out_sheet, contact_sheet(rows, len(AROUND)))
    return ParsingResult(tuple(found))


def parse_steadily(picture: Pixels) -> Parsing:
    """The mean parsing of a picture (H, W, 3) and of its mirror image."""
    mirrored = parse(np.ascontiguousarray(picture[:, ::-1])).shares[:, ::-1]
    return Parsing(0.5 * (parse(picture).shares + mirrored))


@dataclass(frozen=True)
class Expected:
    """What the photo says. ears: by side, whether hair or a scarf covers it; None where the photo does not show it. back: whether
    the scalp is covered; None where the photo shows none of it."""

    ears: dict[str, bool | None]
    back: bool | None

    @property
    def covered(self) -> str:
        """`PhotoAgreement.covered`."""
        if all(value is None for value in self.ears.values()):
            return "unknown"
        hidden = [side for side, value in self.ears.items() if value]
        return "both" if len(hidden) == len(self.ears) else hidden[0] if hidden else "none"


def expected(made: EnrollmentResult) -> Expected:
    """By the parsing of the leading photo; nothing where it sees no person."""
    portrait, photo = made.instant.portraits[0], made.instant.fit.photos[0]
    if portrait.parsing is None:
        return Expected(dict.fromkeys(("left", "right")), None)
    model = by_name(made.avatar.head)
    fragments = VisibleSurface.of(model, posed(made.instant.avatar.person(model), photo), photo.camera(portrait)).fragments
    cover = portrait.parsing.most(*COVER)

    def covered(faces: Mask, least: float) -> bool | None:
        region = _region(fragments.face, faces) & portrait.inside
        return bool(cover[region].mean() > least) if region.mean() > FEWEST else None

    ears = {side: covered(faces, COVERED) for side, faces in ear_faces(model).items()}
    return Expected(ears, covered(_of_vertices(model, scalp(model)), HAIRY))


def ear_faces(model: HeadModel) -> dict[str, Mask]:
    """(F,) the faces of each ear, by the person's side."""
    ear, left = anatomy(model).ear, model.template[:, 0] > 0
    return {"left": _of_vertices(model, ear & left), "right": _of_vertices(model, ear & ~left)}


def _of_vertices(model: HeadModel, vertices: Mask) -> Mask:
    return np.asarray(vertices[model.faces].all(axis=1))


def _region(face: NDArray[np.int32], faces: Mask) -> Mask:
    """Pixels that show one of `faces` (F,), without their border. face: (H, W), -1 for none."""
    return np.asarray(ndimage.binary_erosion((face >= 0) & faces[np.maximum(face, 0)], iterations=EDGE))


def _agreement(name: str, truth: Expected, renderer: PreviewRenderer, parsed: Sequence[Parsing]) -> PhotoAgreement:
    model = renderer.poser.person.model
    regions = {f"{side} ear": faces for side, faces in ear_faces(model).items() if truth.ears[side]}
    if truth.back:
        regions["back"] = _of_vertices(model, scalp(model) & (model.template[:, 2] < BEHIND))
    worst: dict[str, float] = {}
    failing = []
    for view, parsing in zip(AROUND, parsed, strict=True):
        skin, face = parsing.most(*SKIN), _faces_in(renderer, view)
        for what, faces in regions.items():
            region = _region(face, faces)
            if region.mean() > FEWEST:
                share = float(skin[region].mean())
                worst[what] = max(worst.get(what, 0.0), share)
                if share > MOST_SKIN:
                    failing.append(f"{what} at {view.yaw:.0f}°")
    ears = [share for what, share in worst.items() if what != "back"]
    return PhotoAgreement(name, truth.covered, max(ears, default=None), worst.get("back"), tuple(failing))


def _faces_in(renderer: PreviewRenderer, view: PreviewView) -> NDArray[np.int32]:
    """The head model's face at each pixel of `renderer.picture(view, SIDE)`, (SIDE, SIDE), -1 for none."""
    person = renderer.poser.person
    vertices = person.vertices(np.zeros(arkit.COUNT), view.pose(person))
    return rasterize(vertices, person.model.faces, renderer.camera(view, SIDE)).face
