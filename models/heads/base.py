"""The interface of every head model: arrays, linear in identity and expression, skinned by six joints.

A vertex in the world is  sum_j w_j T_j (template + identity . B_id + offset + coefficients . B_expr)  with T_j from
`skinning_transforms`. There is one class for all models; `models.heads.anny` and `models.heads.flame` fill it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from models import arkit
from models.types import Array, Array64

JOINTS = ("torso", "neck", "head", "jaw", "left_eye", "right_eye")
TORSO, NECK, HEAD, JAW, LEFT_EYE, RIGHT_EYE = range(6)

REGIONS = ("skin", "left_eye", "right_eye", "eye_socket", "mouth_inside", "tongue", "upper_teeth", "lower_teeth", "body")
"""What a face belongs to; `HeadModel.region` holds positions in this tuple. `body` is everything below the neck."""
REGION = {name: i for i, name in enumerate(REGIONS)}

LANDMARKS = 478
"""MediaPipe's face mesh with irises; 468-472 is the iris on the person's right, 473-477 the one on the left."""


@dataclass(frozen=True)
class HeadModel:
    """A morphable head in avatar space (metres; origin between the ears, +x to the person's left, +y up, +z out of the face).

    template: (V, 3) float32. faces: (F, 3) int32, counter-clockwise from outside. region: (F,) uint8, see `REGIONS`.
    uv: (T, 2) float32 in [0, 1], face_uv: (F, 3) int32 into `uv`.
    identity_basis: (K, V, 3) float32; one unit is one standard deviation of the population, prior N(0, 1).
    expression_basis: (52, V, 3) float32, ARKit order. Eyeballs do not move in it; they turn about their joints.
    joints: (6, 3) float32 rest positions (see `JOINTS`), joints_basis: (K, 6, 3) float32 their change with identity.
    weights: (V, 6) float32 skinning weights, rows sum to 1.
    landmark_face: (478,) int32 and landmark_barycentric: (478, 3) float32: where MediaPipe's landmarks lie on the mesh;
    landmark_weight: (478,) float32 in [0, 1], how far each is to be trusted (0: not on this mesh).
    gaze_range: (4,) float32 radians: how far the eye turns at coefficient 1: inwards, outwards, up, down.
    """

    name: str
    template: Array
    faces: NDArray[np.int32]
    region: NDArray[np.uint8]
    uv: Array
    face_uv: NDArray[np.int32]
    identity_basis: Array
    expression_basis: Array
    joints: Array
    joints_basis: Array
    weights: Array
    landmark_face: NDArray[np.int32]
    landmark_barycentric: Array
    landmark_weight: Array
    gaze_range: Array

    @property
    def vertex_count(self) -> int:
        return int(self.template.shape[0])

    @property
    def identity_count(self) -> int:
        return int(self.identity_basis.shape[0])

    def person(self, identity: NDArray[np.floating], offset: NDArray[np.floating] | None = None) -> PersonHead:
        """This model with one person's identity (K,) and static per-vertex offset (V, 3) metres baked in."""
        beta = np.asarray(identity, np.float32)
        rest = self.template + np.tensordot(beta, self.identity_basis, 1)
        if offset is not None:
            rest = rest + np.asarray(offset, np.float32)
        joints = self.joints + np.tensordot(beta, self.joints_basis, 1)
        return PersonHead(self, rest.astype(np.float32), joints.astype(np.float64))

    def region_faces(self, *names: str) -> NDArray[np.bool_]:
        """(F,) mask of the faces in the named regions."""
        return np.isin(self.region, [REGION[n] for n in names])

    def region_vertices(self, *names: str) -> NDArray[np.int64]:
        """Indices of the vertices that faces of the named regions use."""
        return np.unique(self.faces[self.region_faces(*names)])

    @cached_property
    def landmark_corners(self) -> NDArray[np.int32]:
        """(478, 3) int32 vertex indices of the faces that carry the landmarks."""
        return self.faces[self.landmark_face]


@dataclass(frozen=True)
class Pose:
    """Where the parts of one person are. head, body: (4, 4) float64 rigid, avatar space -> world.

    gaze: (2, 2) radians as in `DriveFrame.gaze`. jaw: radians of extra opening about the ears' axis (0 where the
    expression basis opens the jaw, as in the default model).
    """

    head: Array64 = field(default_factory=lambda: np.eye(4))
    body: Array64 = field(default_factory=lambda: np.eye(4))
    gaze: Array = field(default_factory=lambda: np.zeros((2, 2), np.float32))
    jaw: float = 0.0


@dataclass(frozen=True)
class PersonHead:
    """One person's head: rest vertices (V, 3) float32 and joints (6, 3) float64 in avatar space."""

    model: HeadModel
    rest: Array
    joints: Array64

    @cached_property
    def _expression(self) -> Array:
        return np.ascontiguousarray(self.model.expression_basis.reshape(arkit.COUNT, -1))

    def expressed(self, coefficients: NDArray[np.floating]) -> Array:
        """Rest vertices with an expression, not yet posed, (V, 3) float32. coefficients: (52,)."""
        moved = np.asarray(coefficients, np.float32) @ self._expression
        return self.rest + moved.reshape(-1, 3)

    def vertices(self, coefficients: NDArray[np.floating], pose: Pose | None = None) -> Array:
        """Vertices in the world, (V, 3) float32."""
        v = self.expressed(coefficients)
        return skin(v, self.model.weights, skinning_transforms(self.joints, pose or Pose()))

    def landmarks(self, vertices: Array) -> Array:
        """The 478 landmarks on posed vertices, (478, 3) float32."""
        m = self.model
        return np.einsum("nk,nkc->nc", m.landmark_barycentric, vertices[m.landmark_corners])


def skin(vertices: Array, weights: Array, transforms: Array64) -> Array:
    """Linear blend skinning: (V, 3), (V, J), (J, 4, 4) -> (V, 3) float32."""
    blended = (weights @ transforms[:, :3, :].reshape(len(transforms), 12).astype(np.float32)).reshape(-1, 3, 4)
    out = np.einsum("vij,vj->vi", blended[:, :, :3], vertices) + blended[:, :, 3]
    return out.astype(np.float32)


def skinning_transforms(joints: Array64, pose: Pose) -> Array64:
    """(6, 4, 4) float64: for each joint, rest avatar space -> world.

    The neck turns by half of the way from body to head and sits so that the head joint stays on the head.
    """
    out = np.empty((len(JOINTS), 4, 4))
    out[TORSO] = pose.body
    out[HEAD] = pose.head
    neck = np.eye(4)
    neck[:3, :3] = halfway(pose.body[:3, :3], pose.head[:3, :3])
    neck[:3, 3] = pose.head[:3, :3] @ joints[HEAD] + pose.head[:3, 3] - neck[:3, :3] @ joints[HEAD]
    out[NECK] = neck
    out[JAW] = pose.head @ _about(joints[JAW], rotation_vector(np.array([pose.jaw, 0.0, 0.0])))
    for joint, (yaw, pitch) in zip((LEFT_EYE, RIGHT_EYE), pose.gaze, strict=True):
        turn = rotation_vector(np.array([0.0, yaw, 0.0])) @ rotation_vector(np.array([-pitch, 0.0, 0.0]))
        out[joint] = pose.head @ _about(joints[joint], turn)
    return out


def _about(centre: Array64, rotation: Array64) -> Array64:
    m = np.eye(4)
    m[:3, :3] = rotation
    m[:3, 3] = centre - rotation @ centre
    return m


# Rotations. The live path computes about twenty of these for each frame; scipy's Rotation takes 5 to 8 times as long for the
# logarithm and the quaternion of one matrix. Elsewhere, scipy's is the one to use.


def rotation_vector(v: NDArray[np.floating]) -> Array64:
    """Axis times angle (3,) radians -> (3, 3) rotation (Rodrigues)."""
    angle = float(np.linalg.norm(v))
    if angle < 1e-12:
        return np.eye(3)
    x, y, z = np.asarray(v, np.float64) / angle
    k = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * k + (1 - np.cos(angle)) * (k @ k)


def rotation_log(r: Array64) -> Array64:
    """(3, 3) rotation -> axis times angle (3,) radians, angle in [0, pi]."""
    w, x, y, z = quaternion(r)
    sine = float(np.sqrt(x * x + y * y + z * z))
    if sine < 1e-12:
        return np.zeros(3)
    return np.array([x, y, z]) * (2.0 * np.arctan2(sine, w) / sine)


def quaternion(r: NDArray[np.floating]) -> Array64:
    """(3, 3) rotation -> unit quaternion wxyz with w >= 0."""
    m = np.asarray(r, np.float64)
    k = np.array(
        [
            [m[0, 0] + m[1, 1] + m[2, 2], m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]],
            [m[2, 1] - m[1, 2], m[0, 0] - m[1, 1] - m[2, 2], m[0, 1] + m[1, 0], m[0, 2] + m[2, 0]],
            [m[0, 2] - m[2, 0], m[0, 1] + m[1, 0], m[1, 1] - m[0, 0] - m[2, 2], m[1, 2] + m[2, 1]],
            [m[1, 0] - m[0, 1], m[0, 2] + m[2, 0], m[1, 2] + m[2, 1], m[2, 2] - m[0, 0] - m[1, 1]],
        ]
    )
    q: Array64 = np.linalg.eigh(k)[1][:, -1]
    return q if q[0] >= 0 else -q


def rotation_matrix(q: NDArray[np.floating]) -> Array64:
    """Quaternion wxyz (any length above 0) -> (3, 3) rotation."""
    w, x, y, z = np.asarray(q, np.float64) / np.linalg.norm(q)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def halfway(a: Array64, b: Array64) -> Array64:
    """The rotation half of the way from `a` to `b`."""
    return a @ rotation_vector(0.5 * rotation_log(a.T @ b))
