"""Pictures of the head model with known pose, expression and gaze, to learn and to measure the tracker's bias."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from models import arkit
from models.heads.base import HeadModel, PersonHead, Pose
from models.heads.embedding import SKIN, paint
from models.heads.raster import rasterize, vertex_normals
from models.renderer import tracked_camera
from models.tracking.landmarks import FaceMesh
from models.types import Array, Array64

BROWS = ((70, 63, 105, 66, 107, 55, 65, 52, 53, 46), (300, 293, 334, 296, 336, 285, 295, 282, 283, 276))
LIPS = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)
FOREHEAD = 10
PASSES = 3
"""Runs of the tracker on a picture; its window settles in the first two."""


class SyntheticPerson:
    """One person with skin, brows, lips, hair, in one light and before one background, all drawn from `rng`.

    person: the head. Pictures are square, `size` pixels, taken with a focal length of `focal` pixels at about `distance` metres.
    """

    def __init__(self, person: PersonHead, rng: np.random.Generator, *, size: int = 512) -> None:
        self.person = person
        self.size = size
        self.distance = float(rng.uniform(0.45, 0.85))
        self.focal = self.distance * float(rng.uniform(1.75, 2.6)) * size
        self._color = _painted(self.person, rng)
        light = np.array([rng.uniform(-0.6, 0.6), rng.uniform(0.0, 0.6), 1.0])
        self._light = (light / np.linalg.norm(light)).astype(np.float32)
        self._ambient, self._background = float(rng.uniform(0.35, 0.65)), rng.random(3)

    def draw(self, coefficients: NDArray[np.floating], head: Array64, gaze: Array | None = None) -> NDArray[np.uint8]:
        """(size, size, 3) uint8 RGB. head: (4, 4), avatar space -> camera (OpenGL axes). gaze: as `DriveFrame.gaze`."""
        faces = self.person.model.faces
        pose = Pose(head=head, body=head, gaze=np.zeros((2, 2), np.float32) if gaze is None else gaze)
        vertices = self.person.vertices(coefficients, pose)
        fragments = rasterize(vertices, faces, tracked_camera(self.size, self.size, self.focal))
        normal = fragments.interpolate(faces, vertex_normals(vertices, faces))
        shading = self._ambient + (1.05 - self._ambient) * np.clip(normal @ self._light, 0, 1)
        picture = fragments.interpolate(faces, self._color) * shading[..., None]
        picture[fragments.face < 0] = self._background
        return np.asarray(np.clip(picture, 0, 1) * 255, np.uint8)


def random_person(model: HeadModel, rng: np.random.Generator, spread: float = 0.7) -> PersonHead:
    """A person with a random identity; spread: standard deviations of the population."""
    return model.person(rng.normal(0.0, spread, model.identity_count))


def head_pose(yaw: float, pitch: float, roll: float, translation: tuple[float, float, float]) -> Array64:
    """(4, 4) from radians (positive: to the person's left, down, the crown to the person's right) and metres."""
    m = np.eye(4)
    m[:3, :3] = Rotation.from_euler("YXZ", [yaw, pitch, roll]).as_matrix()
    m[:3, 3] = translation
    return m


def gaze_coefficients(model: HeadModel, gaze: NDArray[np.floating]) -> dict[str, float]:
    """The eyeLook coefficients that turn the eyes by `gaze` (2, 2) radians (rows left, right; columns yaw, pitch)."""
    inwards, outwards, up, down = (float(g) for g in model.gaze_range)
    out = {}
    for row, side in enumerate(("Left", "Right")):
        out_turn = float(gaze[row, 0]) * (1 if side == "Left" else -1)
        pitch = float(gaze[row, 1])
        out[f"eyeLookOut{side}"], out[f"eyeLookIn{side}"] = max(out_turn, 0) / outwards, max(-out_turn, 0) / inwards
        out[f"eyeLookUp{side}"], out[f"eyeLookDown{side}"] = max(pitch, 0) / up, max(-pitch, 0) / down
    return {name: min(value, 1.0) for name, value in out.items()}


def look(mesh: FaceMesh, picture: NDArray[np.uint8]) -> Array | None:
    """The first face's points (478, 3), or None, after the tracker has settled on the picture."""
    found: list[Array] = []
    for _ in range(PASSES):
        found = mesh(picture)
    return found[0] if found else None


def random_expression(rng: np.random.Generator, likely: tuple[str, ...], often: float, seldom: float) -> dict[str, float]:
    """Coefficients in [0, 1]: the `likely` ones are there with chance `often`, the others `seldom`; mostly symmetric."""
    named: dict[str, float] = {}
    for i, name in enumerate(arkit.NAMES):
        if i not in arkit.GAZE and name != "tongueOut" and rng.random() < (often if name in likely else seldom):
            named[name] = float(rng.uniform(0.1, 1.0))
    for name in list(named):
        if rng.random() < 0.6:
            named[arkit.mirror(name)] = named[name]
    if "mouthClose" in named:
        named["mouthClose"] = min(named["mouthClose"], named.get("jawOpen", 0.0))
    return named


def _painted(person: PersonHead, rng: np.random.Generator) -> Array:
    model, rest = person.model, person.rest
    color = paint(rest, model.faces, model.region, person.joints.astype(np.float32))
    skin = np.all(np.abs(color - SKIN) < 1e-6, axis=1)
    tone = np.clip(SKIN * rng.uniform(0.35, 1.1) + rng.normal(0, 0.03, 3), 0.05, 1)
    hair = rng.uniform(0.05, 0.5) * np.array([1.0, 0.8, 0.6])
    color[skin] = tone
    marks = person.landmarks(rest)
    front = np.flatnonzero(skin & (rest[:, 2] > 0.03))
    for outline, paint_color, edge, least, most in (
        (BROWS[0], hair, 3.0, 0.5, 1.0), (BROWS[1], hair, 3.0, 0.5, 1.0), (LIPS, tone * (0.85, 0.6, 0.6), 2.0, 0.3, 0.9),
    ):  # fmt: skip
        polygon = (marks[list(outline), :2] * 1000).astype(np.float32).reshape(-1, 1, 2)
        inside = [cv2.pointPolygonTest(polygon, (float(x) * 1000, float(y) * 1000), True) for x, y in rest[front, :2]]
        amount = (np.clip(0.5 + np.array(inside) / edge, 0, 1) * rng.uniform(least, most))[:, None]
        color[front] = color[front] * (1 - amount) + paint_color * amount
    if rng.random() < 0.8:
        line = float(marks[FOREHEAD, 1]) + rng.uniform(-0.002, 0.02)
        x, y, z = rest.T
        forehead = (np.abs(x) < 0.06) & (y < line) & (z > 0.02)
        scalp = (y > line - 0.8 * np.clip(0.09 - z, 0, 1)) & (y > -0.06) & (z < 0.115) & ~forehead
        color[skin & scalp] = hair
    return color.astype(np.float32)
