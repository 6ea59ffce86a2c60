"""Matting: how much of each pixel of a picture is the person."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from models.errors import PhotoError
from models.tracking.face_geometry import well_within
from models.tracking.landmarks import Landmarks, quiet
from models.types import Array

LEAST_MATTED = 0.5
"""Part of the face that the matte must cover; else the segmentation has taken something else for the person."""


def matte(image: NDArray[np.uint8], face: Landmarks | None = None) -> Array:
    """How much of each pixel is the person: (H, W, 3) uint8 -> (H, W) float32 in [0, 1].

    MediaPipe's selfie segmentation, its soft edge drawn onto the picture's own edges by a guided filter (He et al. 2013).
    face: whose face it is, in pixels of `image`; without it the largest person is taken. Raises `PhotoError` when the
    segmentation does not see a person where the face is.
    """
    import mediapipe as mp

    with quiet(), mp.solutions.selfie_segmentation.SelfieSegmentation(model_selection=0) as segmenter:
        coarse = segmenter.process(np.ascontiguousarray(image)).segmentation_mask.astype(np.float32)
    guide = image.astype(np.float32) / 255
    radius = max(4, image.shape[0] // 64)
    fine = np.clip((cv2.ximgproc.guidedFilter(guide, coarse, radius, 1e-3) - 0.4) / 0.2, 0, 1)
    fine = cv2.ximgproc.guidedFilter(guide, fine, max(2, radius // 3), 1e-5)
    alpha = np.clip((fine - 0.2) / 0.6, 0, 1).astype(np.float32)
    head = np.zeros(alpha.shape, np.uint8)
    if face is not None:
        head = well_within(face, alpha.shape)
        if alpha[head > 0].mean() < LEAST_MATTED:
            raise PhotoError("a person before a background was expected, the two cannot be told apart; use a plainer background")
        alpha = np.maximum(alpha, head)
    count, label = cv2.connectedComponents(np.uint8(alpha > 0.1))
    if count > 2:  # a bright spot in the background, or somebody else
        pixels = np.bincount(label[head > 0] if face is not None else label.ravel(), minlength=count)
        alpha[label != 1 + int(np.argmax(pixels[1:]))] = 0.0
    return alpha
