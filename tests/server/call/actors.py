"""A made-up person whose every movement is known: recordings of it, and its avatar."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.arkit import vector
from models.avatar import Avatar
from models.binding import BoundGaussians
from models.heads.anny import AnnyHead
from models.heads.base import PersonHead, quaternion, rotation_vector
from models.heads.embedding import paint, shade
from models.heads.raster import rasterize, vertex_normals
from models.posture import pose_of
from models.renderer import tracked_camera
from models.tracking.synthetic_landmarks import BROWS
from models.types import Array, Camera, DriveFrame
from tests.models.video import clips

SIDE = 288
"""Of the recordings, pixels."""
FOCAL = 2.0 * SIDE
LIGHT = np.array([0.2, 0.3, 0.93], np.float32)


class Actor:
    """One person. seed: whose head."""

    def __init__(self, seed: int = 0, spread: float = 0.8) -> None:
        self.model = AnnyHead()
        self.identity = np.random.default_rng(seed).normal(0, spread, self.model.identity_count).astype(np.float32)
        self.person: PersonHead = self.model.person(self.identity)
        self.color = paint(self.person.rest, self.model.faces, self.model.region, self.person.joints.astype(np.float32))
        brows = self.person.landmarks(self.person.rest)[np.concatenate(BROWS)]
        near = np.linalg.norm(self.person.rest[:, None] - brows, axis=2).min(axis=1) < 0.005
        self.color[near] = (0.3, 0.2, 0.15)
        self.camera: Camera = tracked_camera(SIDE, SIDE, FOCAL)

    def picture(self, moment: DriveFrame) -> NDArray[np.uint8]:
        """(SIDE, SIDE, 3) in front of grey."""
        vertices, normals = self._posed(moment)
        return shade(rasterize(vertices, self.model.faces, self.camera), self.model.faces, self.color, normals, LIGHT)

    def silhouette(self, moment: DriveFrame) -> NDArray[np.bool_]:
        """Where the person is in `picture`."""
        return rasterize(self._posed(moment)[0], self.model.faces, self.camera).face >= 0

    def avatar(self) -> Avatar:
        """One flat Gaussian on each triangle, coloured as in the light from the front."""
        faces = self.model.faces
        shading = 0.45 + 0.6 * np.clip(vertex_normals(self.person.rest, faces) @ LIGHT, 0, 1)
        color = np.clip(self.color * shading[:, None], 0, 1)[faces].mean(axis=1)
        count = len(faces)
        return Avatar(
            head=self.model.name,
            identity=self.identity,
            offset=np.zeros_like(self.model.template),
            gaussians=BoundGaussians(
                face=np.arange(count, dtype=np.int32),
                means=np.zeros((count, 3), np.float32),
                rotations=np.tile(np.float32([1, 0, 0, 0]), (count, 1)),
                scales=np.tile(np.float32([0.4, 0.02, 0.4]), (count, 1)),
                opacities=np.full(count, 0.99, np.float32),
                colors=color.astype(np.float32),
            ),
        )

    def _posed(self, moment: DriveFrame) -> tuple[Array, Array]:
        vertices = self.person.vertices(moment.coefficients, pose_of(moment, self.person.joints))
        return vertices, vertex_normals(vertices, self.model.faces)


def act(count: int) -> list[DriveFrame]:
    """Talking, smiling and turning the head from a resting face, 30 pictures a second."""
    moments = []
    for i in range(count):
        phase = i / 8
        moments.append(
            DriveFrame(
                timestamp=i / 30,
                rotation=quaternion(rotation_vector(np.array([0.06 * np.sin(phase), 0.3 * np.sin(0.6 * phase), 0.0]))),
                translation=np.array([0.02 * np.sin(0.5 * phase), 0.0, -0.75]),
                coefficients=np.asarray(
                    vector(
                        jawOpen=0.5 * np.sin(phase) ** 2,
                        mouthSmileLeft=max(0.0, np.sin(0.7 * phase)),
                        mouthSmileRight=max(0.0, np.sin(0.7 * phase)),
                    ),
                    np.float32,
                ),
            )
        )
    return moments


def record(actor: Actor, moments: list[DriveFrame | None], path: Path) -> Path:
    """A clip with a tone; None is a moment in which nobody is in the picture."""
    nobody = np.full((SIDE, SIDE, 3), 140, np.uint8)
    pictures = [nobody if moment is None else actor.picture(moment) for moment in moments]
    return clips.write(path, pictures, fps=30, tone="aac")
