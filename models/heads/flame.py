"""The FLAME head (Li et al. 2017), from the model file that its licence lets the operator fetch; nothing of it is shipped.

    the file: v_template (V, 3), f (F, 3), shapedirs (V, 3, 300 shapes + 100 expressions), posedirs (V, 3, 36),
    J_regressor (5, V), weights (V, 5); joints root, neck, jaw, left eye, right eye; y up, +z out of the face, metres

It becomes a `HeadModel` like any other: ARKit's directions are transferred from the default head (`transfer`), landmarks
are found by looking (`embedding`), teeth are added. That takes some seconds, so the result is kept in the user's cache folder.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from platformdirs import user_data_dir

from models import arkit, caches
from models.errors import HeadModelError, StorageError
from models.heads import asset, teeth
from models.heads.base import HEAD, JAW, JOINTS, LEFT_EYE, NECK, REGION, RIGHT_EYE, TORSO, HeadModel, rotation_vector
from models.heads.pickles import read_arrays
from models.types import Array, Array64

FILES = {"flame2020": "generic_model.pkl", "flame2023": "flame2023.pkl"}
VARIABLE = "VISAVIS_FLAME"
SHAPES, EXPRESSIONS = 300, 100
ROOT, FLAME_NECK, FLAME_JAW, FLAME_LEFT_EYE, FLAME_RIGHT_EYE = range(5)
JAW_OPEN, JAW_SIDE = 0.3, 0.12
"""Radians at which the turn of the jaw is made straight: exact there, 1 % off halfway."""
EARS = 0.02
"""The part of the vertices above the neck that lie furthest out to a side: an ear."""
MAPPING = 1
"""Counted up when a change in the code makes cached heads stale."""
LIPS, MOUTH_CORNERS, CHIN = (13, 14), (61, 291), 152
"""MediaPipe's landmarks in the middle of the inner lips, at the ends of the mouth, and at the tip of the chin."""


@dataclass(frozen=True)
class FlameFile:
    """The arrays of the licensed file, float64, in its own space."""

    template: Array64
    faces: NDArray[np.int32]
    shapes: Array64
    poses: Array64
    regressor: Array64
    weights: Array64


def FlameHead(name: str = "flame2023", path: Path | None = None) -> HeadModel:  # noqa: N802 - stands for a class of head
    """FLAME as `HeadModel`: 300 identity directions, ARKit's 52, teeth, eyes. Read once per process.

    path: the file; default: the one that the environment variable VISAVIS_FLAME names (or the folder it is in), else
    `flame/` in the user's data folder. Raises `HeadModelError` when it is missing or is not such a file. Needs mediapipe
    unless it was loaded before on this machine.
    """
    if name not in FILES:
        raise HeadModelError(f"one of {', '.join(FILES)} was expected, not {name!r}; choose one of them")
    return _head(name, (path or default_path(name)).absolute())


def default_path(name: str) -> Path:
    """Where the operator's FLAME file is looked for."""
    folder = Path(user_data_dir("visavis", appauthor=False)) / "flame"
    given = Path(os.environ.get(VARIABLE) or folder)
    return given / FILES[name] if given.is_dir() or given == folder else given


@cache
def _head(name: str, path: Path) -> HeadModel:
    if not path.is_file():
        raise HeadModelError(
            f"the FLAME model was expected at {path}, which does not exist; accept its licence at flame.is.tue.mpg.de, "
            f"download {FILES[name]}, and put it there or name it in {VARIABLE}"
        )
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:24]
    try:
        kept = caches.folder() / f"{name}-{MAPPING}-{digest}.safetensors"
    except StorageError:  # a cache that cannot be written costs some seconds the next time
        return build(name, read_flame(path))
    if kept.is_file():
        with suppress(HeadModelError):
            return asset.load(kept)
    head = build(name, read_flame(path))
    with suppress(StorageError):
        asset.save(head, kept)
    return head


def read_flame(path: Path) -> FlameFile:
    """The arrays of a FLAME pickle, without running it. Raises `HeadModelError` when they are not FLAME's."""
    found = read_arrays(path)
    missing = {"v_template", "f", "shapedirs", "posedirs", "J_regressor", "weights"} - set(found)
    if missing:
        raise HeadModelError(f"{path.name} lacks {min(missing)}, so it is not a FLAME model; fetch it from flame.is.tue.mpg.de")
    v, f = len(found["v_template"]), len(found["f"])
    shapes = {
        "v_template": (v, 3), "f": (f, 3), "shapedirs": (v, 3, SHAPES + EXPRESSIONS), "posedirs": (v, 3, 36),
        "J_regressor": (5, v), "weights": (v, 5),
    }  # fmt: skip
    for key, shape in shapes.items():
        if found[key].shape != shape or not np.isfinite(found[key]).all():
            raise HeadModelError(
                f"{key} of {path.name} is {found[key].shape} where finite numbers {shape} were expected; "
                "fetch the full model from flame.is.tue.mpg.de"
            )
    if not 100 <= v < 1 << 16 or f > 1 << 17 or found["f"].min() < 0 or found["f"].max() >= v:
        raise HeadModelError(f"{path.name} has {v} vertices and {f} triangles that do not fit; fetch it again")
    numbers = {key: found[key].astype(np.float64) for key in shapes}
    return FlameFile(
        numbers["v_template"], found["f"].astype(np.int32), np.moveaxis(numbers["shapedirs"], 2, 0),
        np.moveaxis(numbers["posedirs"], 2, 0), numbers["J_regressor"], numbers["weights"],
    )  # fmt: skip


def build(name: str, flame: FlameFile) -> HeadModel:
    """The head model `name` out of FLAME's arrays: some seconds of work. Needs mediapipe."""
    from models.heads.anny import AnnyHead
    from models.heads.embedding import embed
    from models.heads.transfer import TransferTarget, arkit_basis

    default = AnnyHead()
    joints = flame.regressor @ flame.template
    ears = ear_vertices(flame.template, joints[FLAME_NECK])
    origin = flame.template[ears].mean(axis=0)
    template, joints = flame.template - origin, _our_joints(joints - origin)
    identity, joints_basis = _identity(flame, ears)
    region, weights = _regions(flame), _weights(flame.weights)
    landmarks = embed(template.astype(np.float32), flame.faces, region, joints.astype(np.float32))
    eyes = np.isin(np.arange(len(template)), flame.faces[np.isin(region, (REGION["left_eye"], REGION["right_eye"]))])
    jaw = np.stack([_jaw(flame, JAW_OPEN, 0), _jaw(flame, JAW_SIDE, 1)])
    target = TransferTarget(template, flame.faces, ~eyes, *landmarks, flame.shapes[SHAPES:], jaw)
    uv, face_uv = cylinder(template, flame.faces, region)
    head = HeadModel(
        name, template.astype(np.float32), flame.faces, region, uv, face_uv, identity.astype(np.float32),
        arkit_basis(default, target), joints.astype(np.float32), joints_basis.astype(np.float32), weights, *landmarks,
        default.gaze_range,
    )  # fmt: skip
    return _with_teeth(head, default)


def ear_vertices(template: NDArray[np.floating], neck: NDArray[np.floating]) -> NDArray[np.int64]:
    """Vertices of both ears: above the neck joint (3,), the fiftieth part furthest out on each side.

    Ears are what a head is widest at; the middle between them is where avatar space has its origin.
    """
    above = np.flatnonzero(template[:, 1] > neck[1])
    count = max(int(EARS * len(above)), 1)
    order = above[np.argsort(template[above, 0], kind="stable")]
    return np.concatenate([order[:count], order[-count:]])


def cylinder(
    vertices: NDArray[np.floating], faces: NDArray[np.int32], region: NDArray[np.uint8]
) -> tuple[Array, NDArray[np.int32]]:
    """Texture coordinates for a file that brings none: (3F, 2) float32 and (F, 3) int32, one for each corner of each face.

    The skin around a vertical axis, front in the middle of the picture and the seam at the back; the eyeballs, seen from
    the front, in two squares below. Ears and lips fold over themselves.
    """
    corners = vertices[faces].reshape(-1, 3)
    of = np.repeat(region, 3)
    low, high = vertices[:, 1].min(), vertices[:, 1].max()
    u = 0.5 + np.arctan2(corners[:, 0], corners[:, 2]) / (2 * np.pi)
    around = u.reshape(-1, 3)
    across = np.ptp(around, axis=1) > 0.5  # a face over the seam stays on the side where most of it is
    right = (around > 0.5).sum(axis=1, keepdims=True) > 1
    around[across] = np.where(right, np.where(around < 0.5, 1.0, around), np.where(around > 0.5, 0.0, around))[across]
    uv = np.stack([u, 0.2 + 0.8 * (corners[:, 1] - low) / (high - low)], axis=1)
    for name, left in (("right_eye", 0.1), ("left_eye", 0.6)):
        eye = of == REGION[name]
        if eye.any():
            xy = corners[eye, :2]
            uv[eye] = np.array([left, 0.0]) + 0.19 * (xy - xy.min(axis=0)) / np.ptp(xy, axis=0).max()
    return uv.astype(np.float32), np.arange(len(corners), dtype=np.int32).reshape(-1, 3)


def _our_joints(joints: Array64) -> Array64:
    """(..., 5, 3) -> (..., 6, 3). FLAME turns the skull about its neck joint and the whole about its root."""
    order = {
        TORSO: ROOT,
        NECK: ROOT,
        HEAD: FLAME_NECK,
        JAW: FLAME_JAW,
        LEFT_EYE: FLAME_LEFT_EYE,
        RIGHT_EYE: FLAME_RIGHT_EYE,
    }
    return joints[..., [order[j] for j in range(len(JOINTS))], :]


def _identity(flame: FlameFile, ears: NDArray[np.int64]) -> tuple[Array64, Array64]:
    """Directions (300, V, 3) and what they do to the joints (300, 6, 3); the point between the ears stays."""
    shapes = flame.shapes[:SHAPES]
    middle = shapes[:, ears].mean(axis=1, keepdims=True)
    return shapes - middle, _our_joints(np.einsum("jv,kvc->kjc", flame.regressor, shapes)) - middle


def _regions(flame: FlameFile) -> NDArray[np.uint8]:
    """(F,): eyeballs are what hangs on the eyes' joints, the body what hangs on the root."""
    region = np.full(len(flame.faces), REGION["skin"], np.uint8)
    for joint, name in ((ROOT, "body"), (FLAME_LEFT_EYE, "left_eye"), (FLAME_RIGHT_EYE, "right_eye")):
        region[(flame.weights[flame.faces, joint] > 0.5).all(axis=1)] = REGION[name]
    return region


def _weights(weights: Array64) -> Array:
    """(V, 5) -> (V, 6). Where root and skull share a vertex, the neck's half turn takes the part that both have."""
    out = np.zeros((len(weights), len(JOINTS)))
    both = np.minimum(weights[:, ROOT], weights[:, FLAME_NECK])
    out[:, TORSO], out[:, NECK], out[:, HEAD] = weights[:, ROOT] - both, 2 * both, weights[:, FLAME_NECK] - both
    out[:, [JAW, LEFT_EYE, RIGHT_EYE]] = weights[:, [FLAME_JAW, FLAME_LEFT_EYE, FLAME_RIGHT_EYE]]
    out /= np.maximum(out.sum(axis=1, keepdims=True), 1e-9)
    return out.astype(np.float32)


def _jaw(flame: FlameFile, angle: float, axis: int) -> Array64:
    """(V, 3) what a turn of the jaw by `angle` about x (open) or y (to the left) does, pose correctives included."""
    turn = rotation_vector(angle * np.eye(3)[axis])
    change = turn - np.eye(3)
    first = 9 * (FLAME_JAW - 1)  # the root has no correctives
    corrective = np.tensordot(change.ravel(), flame.poses[first : first + 9], 1)
    arm = flame.template + corrective - (flame.regressor @ flame.template)[FLAME_JAW]
    return np.asarray(corrective + flame.weights[:, [FLAME_JAW]] * (arm @ change.T))


def _with_teeth(head: HeadModel, default: HeadModel) -> HeadModel:
    """The default head's teeth, as far behind the middle of the inner lips as there, grown with the width of the mouth."""
    lips, corner = _landmark(head, *LIPS), _landmark(head, *MOUTH_CORNERS)
    from_lips, from_corner = _landmark(default, *LIPS), _landmark(default, *MOUTH_CORNERS)
    scale = np.linalg.norm(corner[0] - corner[1]) / np.linalg.norm(from_corner[0] - from_corner[1])
    soft = _near(head, lips.mean(axis=0), 0.03)
    chin = _near(head, _landmark(head, CHIN)[0], 0.02)
    jaw = [i for i, n in enumerate(arkit.NAMES) if n.startswith("jaw")]
    for name, joint in (("upper_teeth", HEAD), ("lower_teeth", JAW)):
        used, faces = np.unique(default.faces[default.region_faces(name)], return_inverse=True)
        points = (lips.mean(axis=0) + scale * (default.template[used] - from_lips.mean(axis=0))).astype(np.float32)
        expression = np.zeros((arkit.COUNT, len(used), 3), np.float32)
        if joint == JAW:
            expression[jaw] = teeth.follow_rigidly(points, head.template[chin], head.expression_basis[jaw][:, chin])
        uv_used, face_uv = np.unique(default.face_uv[default.region_faces(name)], return_inverse=True)
        head = replace(
            head,
            template=np.concatenate([head.template, points]),
            faces=np.concatenate([head.faces, head.vertex_count + faces.reshape(-1, 3)]).astype(np.int32),
            region=np.concatenate([head.region, np.full(faces.size // 3, REGION[name], np.uint8)]),
            uv=np.concatenate([head.uv, default.uv[uv_used]]),
            face_uv=np.concatenate([head.face_uv, len(head.uv) + face_uv.reshape(-1, 3)]).astype(np.int32),
            identity_basis=np.concatenate(
                [head.identity_basis, teeth.follow(points, head.template[soft], head.identity_basis[:, soft])], axis=1
            ),
            expression_basis=np.concatenate([head.expression_basis, expression], axis=1),
            weights=np.concatenate([head.weights, np.tile(np.eye(len(JOINTS), dtype=np.float32)[joint], (len(used), 1))]),
        )
    return head


def _landmark(head: HeadModel, *which: int) -> Array64:
    corners = head.template[head.landmark_corners[list(which)]].astype(np.float64)
    return np.asarray(np.einsum("nk,nkc->nc", head.landmark_barycentric[list(which)], corners))


def _near(head: HeadModel, point: Array64, reach: float) -> NDArray[np.int64]:
    return np.flatnonzero(np.linalg.norm(head.template - point, axis=1) < reach)
