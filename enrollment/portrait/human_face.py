"""The score that a detected face is a human one (also painted, carved or rendered), and not an animal's."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.tracking.face_geometry import around, roll, square
from models.tracking.landmarks import Landmarks, quiet

CROPS, CROP_SIZE = (1.6, 2.0, 2.6, 3.5), 256
"""Sides of the upright crops in which the face is detected again: in face heights, and in pixels."""
LEAST_HUMAN = 0.45
"""Least `human_face_score` of a person. People (also painted and drawn ones) get 0.56 to 0.93, cats at most 0.37."""
NO_PERSON = (
    "a photo of a person's face was expected, what was found looks more like an animal, a part of a face or one that is hard to "
    "make out; use a sharp, evenly lit photo that shows a person's whole face"
)


def human_face_score(photo: NDArray[np.uint8], face: Landmarks) -> float:
    """Mean detection score of MediaPipe's two face detectors (short and full range) over upright crops of several sizes, [0, 1].

    One crop alone takes many a cat for a person; an animal does not fool both detectors in all crops.
    """
    import mediapipe as mp

    detection = mp.solutions.face_detection.FaceDetection
    with quiet(), detection(0.5, 0) as near, detection(0.5, 1) as far:
        views = [square(photo, around(face, side, CROP_SIZE, roll(face)), CROP_SIZE, 128)[0] for side in CROPS]
        return float(np.mean([_score(detector.process(view).detections or []) for view in views for detector in (near, far)]))


def _score(detections: list[Any]) -> float:
    """The best score of a face in the middle half of the crop, 0 for none."""
    best = 0.0
    for hit in detections:
        box = hit.location_data.relative_bounding_box
        if max(abs(box.xmin + box.width / 2 - 0.5), abs(box.ymin + box.height / 2 - 0.5)) < 0.25:
            best = max(best, float(hit.score[0]))
    return best
