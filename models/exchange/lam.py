"""The zip that LAM's browser viewer opens (He et al. 2025, https://github.com/aigc3d/LAM_WebRender): written, not read.

    NAME/                   an entry of its own: the viewer takes the folder's name from it
    NAME/offset.ply         one Gaussian a vertex, columns as in `models.exchange.ply`, but x y z is the way from the vertex to
                            the Gaussian, and f_dc is the colour itself, [0, 1]
    NAME/skin.glb           one skinned mesh: the vertices, 51 morph targets (ARKit's names without tongueOut), and joints,
                            of which one is called "hip" and one "head"
    NAME/animation.glb      twelve clips that move those joints: 2 to greet, 1 idle, 6 to speak, 3 to think, told by their order
    NAME/vertex_order.json  the numbers of the vertices

That is what the viewer does (its npm package gaussian-splat-renderer-for-lam 0.0.8): a Gaussian's centre is vertex + offset +
the sum of weight times morph target, and then all of them turn with the joint "head". LAM itself writes 20,018 Gaussians, one
a vertex of its subdivided FLAME; the viewer counts the vertices of skin.glb and does not ask for that number, but for all its
51 morph targets to fit a texture: at most 161,319 Gaussians. LAM's Python tools do ask for it, and for FLAME: they will not
take this file. Programs that read the zip in another way may not either.

What gets lost: Gaussians move with an expression but neither turn, grow nor change colour, also where the avatar's corrections
would; several coefficients add up straight; shoulders turn with the head; there is no tongueOut. What does not: the eyes follow
the eyeLook coefficients, teeth the jaw. The clips hold still. Triangles of skin.glb join vertices in no order that means
anything; the viewer does not draw them.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models import arkit, binding
from models.atomic import atomic_write
from models.avatar import Avatar, AvatarPoser
from models.errors import AvatarFileError
from models.exchange import ply
from models.exchange.glb import INDICES, VERTICES, Builder, Document, check
from models.exchange.reading import zip_of
from models.heads.base import HEAD, JAW, JOINTS, LEFT_EYE, NECK, RIGHT_EYE, TORSO, HeadModel, Pose
from models.types import Array, Array64

MORPHS = tuple(name for name in arkit.NAMES if name != "tongueOut")
CLIPS = ("greet_1", "greet_2", "idle", *(f"speak_{i}" for i in range(1, 7)), *(f"think_{i}" for i in range(1, 4)))
CLIP_SECONDS = 4.0
MAX_GAUSSIANS = (4096 * 2048) // (len(MORPHS) + 1)
"""The viewer keeps all morph targets and the vertices in one texture of this size."""
MIN_OPACITY = 1 / 255
"""Below this the viewer shows nothing."""
LIFT = 1.63
"""Metres: the viewer's camera is at (0, 1.8, 1) and looks down by 10 degrees, because LAM's skeleton stands on a floor."""
BONES = dict(zip(JOINTS, ("hip", "neck", "head", "jaw", "left_eye", "right_eye"), strict=True))
PARENTS = {TORSO: None, NECK: TORSO, HEAD: NECK, JAW: HEAD, LEFT_EYE: HEAD, RIGHT_EYE: HEAD}
GENERATOR = "Visavis"


def save(avatar: Avatar, model: HeadModel, path: Path) -> int:
    """Write the zip to `path`, whole or not at all. model: the head that the avatar is on.

    Returns how many Gaussians it has; invisible ones are left out. Raises `AvatarFileError`, `StorageError`.
    """
    members = encode(avatar, model)
    data = zip_of(members, "avatar")
    with atomic_write(path) as stream:
        stream.write(data)
    return len(json.loads(members["vertex_order.json"]))


def encode(avatar: Avatar, model: HeadModel) -> dict[str, bytes]:
    """The four files and a README by name. Raises `AvatarFileError` when there are too many Gaussians, or none."""
    shown = avatar.select(avatar.gaussians.opacities >= MIN_OPACITY)
    bound = shown.gaussians
    if not 0 < len(bound) <= MAX_GAUSSIANS:
        raise AvatarFileError(
            f"1 to {MAX_GAUSSIANS} visible Gaussians were expected for LAM's viewer, the avatar has {len(bound)}; "
            "enroll again with another photo"
        )
    poser = AvatarPoser(shown, model)
    rest = poser.pose(np.zeros(arkit.COUNT, np.float32))
    centres = rest.means.copy()
    vertices = binding.frames(poser.person.rest, model.faces).origin[bound.face]
    columns = ply.columns_of(rest)
    columns |= {axis: centres[:, i] - vertices[:, i] for i, axis in enumerate("xyz")}
    # the viewer rounds colours down to whole 255ths
    columns |= {f"f_dc_{i}": np.minimum(rest.colors[:, i] + 0.5 / 255, 1) for i in range(3)}
    offset = ply.write_columns(columns)
    morphs = [_moved(poser, name, model.gaze_range) - centres for name in MORPHS]
    weights = model.weights[model.faces[bound.face]].mean(axis=1)
    members = {
        "offset.ply": offset,
        "skin.glb": skin(vertices, morphs, weights, poser.person.joints),
        "animation.glb": animation(poser.person.joints),
        "vertex_order.json": json.dumps(list(range(len(bound)))).encode(),
        "README.txt": _readme(avatar.head, len(bound)).encode(),
    }
    for name in ("skin.glb", "animation.glb"):
        check(members[name])
    return members


def skin(vertices: Array, morphs: list[Array], weights: Array, joints: Array64) -> bytes:
    """`skin.glb`: vertices (N, 3) metres, 51 morph targets (N, 3), skinning weights (N, 6), rest joints (6, 3)."""
    out = Builder(GENERATOR)
    count = len(vertices)
    order = np.argsort(-weights, axis=1)[:, :4]
    four = np.take_along_axis(weights, order, axis=1)
    four = (four / four.sum(axis=1, keepdims=True)).astype(np.float32)
    corners = (np.arange(-(-count // 3) * 3) % count).astype(np.uint32)
    primitive = {
        "attributes": {
            "POSITION": out.accessor(vertices, "VEC3", VERTICES, bounds=True),
            "JOINTS_0": out.accessor(np.where(four > 0, order, 0).astype(np.uint8), "VEC4", VERTICES),
            "WEIGHTS_0": out.accessor(four, "VEC4", VERTICES),
        },
        "indices": out.accessor(corners, "SCALAR", INDICES),
        "targets": [{"POSITION": out.displacements(morph)} for morph in morphs],
    }
    inverse = np.tile(np.eye(4, dtype=np.float32), (len(JOINTS), 1, 1))
    inverse[:, 3, :3] = -joints  # column by column, as glTF stores matrices
    nodes = _skeleton(joints)
    out.document |= {
        "scene": 0,
        "scenes": [{"nodes": [0, len(nodes)]}],
        "nodes": [*nodes, {"name": "avatar", "mesh": 0, "skin": 0}],
        "meshes": [{"name": "avatar", "primitives": [primitive], "extras": {"targetNames": list(MORPHS)}}],
        "skins": [
            {
                "joints": list(range(len(nodes))), "skeleton": 0,
                "inverseBindMatrices": out.accessor(inverse.reshape(-1, 16), "MAT4"),
            }
        ],
    }  # fmt: skip
    return out.finish()


def animation(joints: Array64) -> bytes:
    """`animation.glb`: the skeleton and as many clips as the viewer asks for, each of which keeps the head still."""
    out = Builder(GENERATOR)
    times = out.accessor(np.array([0, CLIP_SECONDS], np.float32), "SCALAR", bounds=True)
    still = out.accessor(np.tile(np.array([0, 0, 0, 1], np.float32), (2, 1)), "VEC4")
    clip = {
        "samplers": [{"input": times, "output": still, "interpolation": "LINEAR"}],
        "channels": [{"sampler": 0, "target": {"node": HEAD, "path": "rotation"}}],
    }
    out.document |= {
        "scene": 0, "scenes": [{"nodes": [0]}], "nodes": _skeleton(joints),
        "animations": [{"name": name, **clip} for name in CLIPS],
    }  # fmt: skip
    return out.finish()


def _skeleton(joints: Array64) -> list[Document]:
    """Six nodes in the order of `JOINTS`; the root is lifted to where the viewer looks."""
    nodes: list[Document] = []
    for number, name in enumerate(JOINTS):
        parent = PARENTS[number]
        place = joints[number] - joints[parent] if parent is not None else joints[number] + np.array([0, LIFT, 0])
        nodes.append({"name": BONES[name], "translation": [float(np.float32(v)) for v in place]})
        children = [child for child, of in PARENTS.items() if of == number]
        if children:
            nodes[-1]["children"] = children
    return nodes


def _moved(poser: AvatarPoser, name: str, gaze_range: NDArray[np.floating]) -> Array:
    """Centres (N, 3) of the Gaussians with one coefficient at 1, eyeballs included."""
    coefficients = np.asarray(arkit.vector(**{name: 1.0}), np.float32)
    gaze = np.zeros((2, 2), np.float32)
    if arkit.INDEX[name] in arkit.GAZE:
        inwards, outwards, up, down = gaze_range
        row, left = (0, 1) if name.endswith("Left") else (1, -1)
        direction = name.removesuffix("Left").removesuffix("Right").removeprefix("eyeLook")
        gaze[row] = {"In": (-left * inwards, 0), "Out": (left * outwards, 0), "Up": (0, up), "Down": (0, -down)}[direction]
    return poser.pose(coefficients, Pose(gaze=gaze)).means.copy()


def _readme(head: str, count: int) -> str:
    return (
        f"{count} Gaussians of an avatar on the head model {head!r}, written by Visavis for LAM's browser viewer\n"
        "(npm gaussian-splat-renderer-for-lam). Its mesh is not LAM's FLAME of 20,018 vertices, so LAM's Python tools cannot\n"
        "open it.\n"
    )
