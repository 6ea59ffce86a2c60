"""Reject animals: the second check of a cropped face, after the face detectors' score (`enrollment.portrait.human_face`).

Face detectors take some monkeys and dogs for people. On these the landmark network is inconsistent (test-time augmentation: it
finds the landmarks in other places in each of several crops), and the landmarks fit no human head model. Drawn, carved and
rendered people are as consistent as photographed ones.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from enrollment.instant.fit import MARKS, fit
from enrollment.portrait.human_face import NO_PERSON, human_face_score
from enrollment.portrait.portrait import Portrait
from models.errors import PhotoError
from models.heads.anny import AnnyHead
from models.heads.base import HeadModel
from models.tracking.face_geometry import around, face_height, roll, square
from models.tracking.landmarks import FaceMesh
from models.types import Array64

VIEWS = ((1.8, 0.0), (2.2, 0.0), (2.6, 0.0), (2.0, 12.0), (2.0, -12.0))
"""Crops in which the landmarks are detected again: side in face heights, rotation in degrees."""
VIEW_SIZE = 256
"""Side of these crops, pixels."""
FEWEST = 3
"""Crops in which landmarks must be found for their spread to be measured."""
DETECTION = 0.1
"""Detection threshold of the landmark network in these crops: low, so that it says something in most of them."""
STEADY, MISFIT, UNLIKE = (0.005, 0.07), (0.007, 17.0), (10.5, 0.033)
"""Usual value of a measure and the penalty for exceeding it. STEADY: spread of the landmarks over the crops in face heights,
penalty for each doubling. MISFIT: distance of the landmarks from those of the fitted head in face heights, penalty for each face
height. UNLIKE: norm of the fitted identity, penalty for each unit."""
LEAST_PERSON = 0.4
"""Least `person_score` of a person. 62 faces, photographed, painted, drawn and rendered, have 0.50 to 0.95; animals on which
landmarks are found 0.12 and less, and would have 0.4 if the detectors were as sure of them as of the least human of these
people."""


def check_person(portrait: Portrait) -> Portrait:
    """Return the portrait; raise `PhotoError` when its face is more likely an animal's."""
    if person_score(portrait) < LEAST_PERSON:
        raise PhotoError(NO_PERSON)
    return portrait


def person_score(portrait: Portrait) -> float:
    """The detectors' score (`human_face_score`) less the penalties `STEADY`, `MISFIT` and `UNLIKE`; below 1."""
    fitted = fit([portrait], _head())
    miss, unlike = fitted.photos[0].rms / face_height(portrait.landmarks), float(np.linalg.norm(fitted.identity))
    doubt = STEADY[1] * np.log2(max(landmark_instability(portrait), 1e-3) / STEADY[0])
    doubt += MISFIT[1] * (miss - MISFIT[0]) + UNLIKE[1] * (unlike - UNLIKE[0])
    return float(human_face_score(portrait.image, portrait.landmarks) - doubt)


def landmark_instability(portrait: Portrait) -> float:
    """Root mean square distance of the landmarks in several crops of the face from their mean, face heights; 1 when fewer than
    `FEWEST` crops have landmarks."""
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
    """The head model that ships: the usual values above were measured with it."""
    return AnnyHead()
