"""How shoulders are turned in a photo, beyond what they follow the head: somebody who looks over a shoulder.

A head says little about its shoulders. Where those of the rig lie far out in what the photo shows as background, they are turned
until body and matte agree best.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from enrollment.instant.fit import PhotoFit
from enrollment.instant.nonrigid_registration import posed
from enrollment.portrait.portrait import Portrait
from models.heads.base import REGION, PersonHead
from models.heads.raster import rasterize
from models.tracking.face_geometry import CHIN, turned_away
from models.types import Array, Camera

TURNS = np.deg2rad(np.arange(-90, 91, 10))
"""Turns that are tried, radians."""
TURNED, BETTER = 20.0, 0.6
"""Degrees from which a face counts as turned: before that, shoulders are wide or narrow. Largest part of the disagreement
without a turn that one may leave."""
SIDE = 256
"""Of the picture in which body and matte are compared, pixels."""


def with_shoulders(person: PersonHead, photo: PhotoFit, portrait: Portrait) -> PhotoFit:
    """The photo with its shoulders turned; as it came where the face is not turned, or no turn is clearly better. person: the
    fitted head."""
    if turned_away(portrait.landmarks) < TURNED:
        return photo
    costs = np.array([_disagreement(person, replace(photo, shoulders=float(turn)), portrait) for turn in TURNS])
    best = int(costs.argmin())
    if costs[best] > BETTER * costs[len(TURNS) // 2]:
        return photo
    return replace(photo, shoulders=float(TURNS[best]))


def _disagreement(person: PersonHead, photo: PhotoFit, portrait: Portrait) -> float:
    """Area below the chin that is the body's in only one of rig and photo, pixels."""
    camera, scale = photo.camera(portrait), SIDE / portrait.matte.shape[0]
    small = Camera(
        SIDE, SIDE, camera.fx * scale, camera.fy * scale, camera.cx * scale, camera.cy * scale,
        world_to_camera=camera.world_to_camera,
    )  # fmt: skip
    face = rasterize(posed(person, photo), person.model.faces, small, cull=False).face
    known, matte = (_reduced(a) for a in (portrait.inside.astype(np.float32), portrait.matte))
    below = (known > 0.99) & (np.arange(SIDE)[:, None] > portrait.landmarks.points[CHIN, 1] * scale)
    head = (person.model.region[np.maximum(face, 0)] != REGION["body"]) & (face >= 0)
    return float((((face >= 0) != (matte > 0.5)) & below & ~head).sum())


def _reduced(picture: Array) -> Array:
    return np.asarray(cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.float32)
