"""Whether a face that was found is a person's: also a painted, carved or rendered one, but no animal's."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.tracking.face_geometry import around, roll, square
from models.tracking.landmarks import Landmarks, quiet

LOOKS, LOOK_SIZE = (1.6, 2.0, 2.6, 3.5), 256
"""Sides, in face heights, of the upright views in which a face is judged once more; and in pixels."""
LEAST_HUMAN = 0.45
"""Mean score of the face detectors over those views. People (also painted and drawn ones) get 0.56 to 0.93, cats at most 0.37."""
NO_PERSON = (
    "a photo of a person's face was expected, what was found looks more like an animal, a part of a face or one that is hard to "
    "make out; use a sharp, evenly lit photo that shows a person's whole face"
)


def humanity(photo: NDArray[np.uint8], face: Landmarks) -> float:
    """How sure MediaPipe's two face detectors are, [0, 1], the mean over upright views of the face in several widths.

    One look alone takes many a cat for a person; an animal does not fool both detectors at all widths.
    """
    import mediapipe as mp

    detection = mp.solutions.face_detection.FaceDetection
    with quiet(), detection(0.5, 0) as near, detection(0.5, 1) as far:
        views = [square(photo, around(face, side, LOOK_SIZE, roll(face)), LOOK_SIZE, 128)[0] for side in LOOKS]
        return float(np.mean([_score(detector.process(view).detections or []) for view in views for detector in (near, far)]))


def _score(detections: list[Any]) -> float:
    """The best score of a face in the middle half of the view, 0 for none."""
    best = 0.0
    for hit in detections:
        box = hit.location_data.relative_bounding_box
        if max(abs(box.xmin + box.width / 2 - 0.5), abs(box.ymin + box.height / 2 - 0.5)) < 0.25:
            best = max(best, float(hit.score[0]))
    return best
