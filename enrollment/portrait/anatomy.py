"""Whether what was found has a person's face, once it is cropped: the second look, after `enrollment.portrait.humanity`.

A face detector takes some monkeys and dogs for people. But on them the landmark network finds its marks in other places in each
view, and the marks fit no person's head. Drawn, carved and rendered people are as steady and as human in shape as real ones.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from enrollment.instant.fit import MARKS, fit
from enrollment.portrait.humanity import NO_PERSON, humanity
from enrollment.portrait.portrait import Portrait
from models.errors import PhotoError
from models.heads.anny import AnnyHead
from models.heads.base import HeadModel
from models.tracking.face_geometry import around, face_height, roll, square
from models.tracking.landmarks import FaceMesh
from models.types import Array64

VIEWS = ((1.8, 0.0), (2.2, 0.0), (2.6, 0.0), (2.0, 12.0), (2.0, -12.0))
"""Sides in face heights and turns in degrees of the views in which landmarks are found again."""
VIEW_SIZE = 256
FEWEST = 3
"""Views in which they must be found."""
DETECTION = 0.1
STEADY, MISFIT, UNLIKE = (0.005, 0.07), (0.007, 17.0), (10.5, 0.033)
"""What is usual, and what more of it costs of the humanity: how far the landmarks disagree among the views, face heights, for
each doubling; their distance from those of the fitted head, face heights, for each one; its identity's norm, for each unit."""
LEAST_PERSON = 0.4
"""Of `personhood`. 62 faces, photographed, painted, drawn and rendered, have 0.50 to 0.95; animals on which landmarks are found
0.12 and less, and would have 0.4 if the detectors were as sure of them as of the least human of these people."""


def checked(portrait: Portrait) -> Portrait:
    """The portrait; raises `PhotoError` when it is rather an animal's."""
    if personhood(portrait) < LEAST_PERSON:
        raise PhotoError(NO_PERSON)
    return portrait


def personhood(portrait: Portrait) -> float:
    """The humanity of the face, less what its landmarks are unsteady and unlike a person's; below 1."""
    fitted = fit([portrait], _head())
    miss, unlike = fitted.photos[0].rms / face_height(portrait.landmarks), float(np.linalg.norm(fitted.identity))
    doubt = STEADY[1] * np.log2(max(unsteadiness(portrait), 1e-3) / STEADY[0])
    doubt += MISFIT[1] * (miss - MISFIT[0]) + UNLIKE[1] * (unlike - UNLIKE[0])
    return float(humanity(portrait.image, portrait.landmarks) - doubt)


def unsteadiness(portrait: Portrait) -> float:
    """How far the landmarks of several views of the face are from their mean, root mean square, face heights; 1 when hardly any
    view shows a face to the network."""
    found: list[Array64] = []
    with FaceMesh(static=True, detection=DETECTION) as mesh:
        for heights, turn in VIEWS:
            matrix = around(portrait.landmarks, heights, VIEW_SIZE, roll(portrait.landmarks) + turn)
            faces = mesh(square(portrait.image, matrix, VIEW_SIZE, 128)[0])
            if faces:
                found.append(np.asarray((faces[0][:MARKS, :2] - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T, np.float64))
    if len(found) < FEWEST:
        return 1.0
    away = np.stack(found) - np.mean(found, axis=0)
    return float(np.sqrt(np.mean(np.sum(away**2, axis=2))) / face_height(portrait.landmarks))


@cache
def _head() -> HeadModel:
    """The head model that ships: what is usual was measured on it."""
    return AnnyHead()
