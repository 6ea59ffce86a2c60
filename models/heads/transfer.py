"""Expression transfer: the ARKit expressions of one head model on another whose expression space has other directions.

The surfaces are registered through the landmarks that both have; then, for each ARKit direction, the mixture of the other
model's directions is found that moves corresponding points alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator
from scipy.spatial import cKDTree

from models import arkit
from models.heads.base import HeadModel
from models.heads.embedding import closest_on_triangles
from models.heads.raster import vertex_normals
from models.similarity import similarity
from models.types import Array, Array64

STIFFNESS = 1e-6
"""Smoothing of the warp between the landmarks (square metres a landmark): neighbours that disagree by a millimetre average."""
NORMAL = 0.01
"""Metres that a right angle between normals counts for in the search: lips that touch face opposite ways."""
CANDIDATES = 8
REACH = 0.004
"""Metres between the registered surfaces at which the weight of a match is 1/e."""
RESIDUAL = 0.001
"""Metres by which a vertex is allowed to move otherwise, one standard deviation; coefficients have the prior N(0, 1)."""
DIRECT = ("eyeBlinkLeft", "eyeBlinkRight", "jawForward", "jawLeft", "jawRight")
"""Copied from the source, as the target's directions cannot express them: lids that close fully, a jaw that slides."""
LIDS = {"eyeBlinkLeft": (386, 374), "eyeBlinkRight": (159, 145)}
"""MediaPipe's landmarks in the middle of the upper and the lower lid."""


@dataclass(frozen=True)
class TransferTarget:
    """The head that expressions are transferred to.

    vertices: (V, 3) metres, avatar space. faces: (F, 3). skin: (V,) mask of the vertices that may move (not eyeballs).
    landmark_face (478,), landmark_barycentric (478, 3), landmark_weight (478,): as in `HeadModel`.
    expressions: (E, V, 3) its own expression directions, one standard deviation each; jaw: (J, V, 3) directions of its jaw.
    """

    vertices: Array64
    faces: NDArray[np.int32]
    skin: NDArray[np.bool_]
    landmark_face: NDArray[np.int32]
    landmark_barycentric: Array
    landmark_weight: Array
    expressions: Array64
    jaw: Array64

    @property
    def landmarks(self) -> Array64:
        """(478, 3) metres."""
        corners = self.vertices[self.faces[self.landmark_face]]
        return np.asarray(np.einsum("nk,nkc->nc", self.landmark_barycentric, corners))


def arkit_basis(source: HeadModel, target: TransferTarget) -> Array:
    """The 52 ARKit directions on the target, (52, V, 3) float32 metres.

    They lie in the span of the target's own directions (the jaw only takes part in jaw... and mouthClose), except for those
    in `DIRECT`. The blinks are made as long as it takes for the lids to meet.
    """
    displacement, trust = displacements(source, target)
    out = np.zeros_like(displacement)
    uses_jaw = np.array([name.startswith("jaw") or name == "mouthClose" for name in arkit.NAMES])
    out[~uses_jaw] = _project(displacement[~uses_jaw], trust, target.expressions, target.expressions[:0])
    out[uses_jaw] = _project(displacement[uses_jaw], trust, target.expressions, target.jaw)
    direct = [arkit.INDEX[name] for name in DIRECT]
    out[direct] += trust[:, None] * (displacement[direct] - out[direct])
    for name, lids in LIDS.items():
        row = arkit.INDEX[name]
        out[row] *= _until_lids_meet(target, out[row], lids)
    out[:, ~target.skin] = 0.0
    return out.astype(np.float32)


def displacements(source: HeadModel, target: TransferTarget) -> tuple[Array64, Array64]:
    """How each target vertex would move if it were the source's skin: (52, V, 3) metres, and how sure that is, (V,) in [0, 1]."""
    scale, rotation, shift = similarity(_landmarks(source), target.landmarks, source.landmark_weight * target.landmark_weight)
    aligned = scale * source.template @ rotation.T + shift
    anchors = scale * _landmarks(source) @ rotation.T + shift
    good = source.landmark_weight * target.landmark_weight > 0.05
    warp = RBFInterpolator(anchors[good], (target.landmarks - anchors)[good], smoothing=STIFFNESS)
    faces = source.faces[source.region_faces("skin", "body", "mouth_inside")]
    face, barycentric, distance = _match(target.vertices, target.faces, aligned + warp(aligned), faces)
    moved = np.einsum("vk,dvkc->dvc", barycentric, source.expression_basis[:, face])
    trust = np.exp(-((distance / REACH) ** 2)) * target.skin
    return scale * moved @ rotation.T, trust


def _landmarks(head: HeadModel) -> Array64:
    corners = head.template[head.landmark_corners].astype(np.float64)
    return np.asarray(np.einsum("nk,nkc->nc", head.landmark_barycentric, corners))


def _match(
    points: Array64, point_faces: NDArray[np.int32], vertices: Array64, faces: NDArray[np.int32]
) -> tuple[NDArray[np.int32], Array64, Array64]:
    """For each point the nearest place on a surface that faces the same way.

    Returns its triangle's corners (V, 3), where it lies in that, barycentric (V, 3), and how far it is (V,).
    """
    normals = vertex_normals(points, point_faces)
    corners = vertices[faces]
    face_normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    face_normals /= np.maximum(np.linalg.norm(face_normals, axis=1, keepdims=True), 1e-15)
    tree = cKDTree(np.hstack([corners.mean(axis=1), NORMAL * face_normals]))
    _, near = tree.query(np.hstack([points, NORMAL * normals]), k=CANDIDATES)
    chosen = np.empty((len(points), 3), np.int32)
    barycentric, distance = np.empty((len(points), 3)), np.empty(len(points))
    for i, candidates in enumerate(near):
        bary, d = closest_on_triangles(points[i], corners[candidates])
        best = int(np.argmin(d))
        chosen[i], barycentric[i], distance[i] = faces[candidates[best]], bary[best], d[best]
    return chosen, barycentric, distance


def _project(displacement: Array64, trust: Array64, soft: Array64, free: Array64) -> Array64:
    """The nearest mixtures of directions: `soft` (E, V, 3) with prior N(0, 1), `free` (J, V, 3) without; (D, V, 3)."""
    directions = np.concatenate([soft, free]).reshape(len(soft) + len(free), -1)
    weight = np.repeat(trust, 3) / RESIDUAL**2
    normal = (directions * weight) @ directions.T
    normal[np.diag_indices(len(soft))] += 1.0
    normal[np.diag_indices(len(directions))] += 1e-9 * np.trace(normal) / len(directions)
    flat = displacement.reshape(len(displacement), -1)
    coefficients = np.linalg.solve(normal, (directions * weight) @ flat.T).T
    return np.asarray((coefficients @ directions).reshape(displacement.shape))


def _until_lids_meet(target: TransferTarget, blink: Array64, lids: tuple[int, int]) -> float:
    """How many times `blink` (V, 3) closes the eye, between a half and twice."""
    at = list(lids)
    upper, lower = target.landmarks[at]
    corners = blink[target.faces[target.landmark_face[at]]]
    moved = np.einsum("nk,nkc->nc", target.landmark_barycentric[at], corners)
    gap = upper - lower
    closing = float(gap @ (moved[1] - moved[0])) / max(float(np.linalg.norm(gap)), 1e-9)
    return float(np.clip(np.linalg.norm(gap) / max(closing, 1e-9), 0.5, 2.0))
