"""Texture completion: colours for the surface that no photo shows. Skin by symmetry and harmonic interpolation over the mesh,
hair by wrapping the visible hair around the head. Clothes, eyes and the inside of the mouth: `clothes`, `eyes` and `mouth`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.sparse.linalg import spsolve
from scipy.spatial import cKDTree

from enrollment.instant.surface import VisibleSurface
from enrollment.portrait.portrait import Portrait
from models import arkit
from models.heads.base import LEFT_EYE, RIGHT_EYE, HeadModel, PersonHead
from models.types import Array

HAIRLINE = ((0.12, 0.088), (0.085, 0.082), (0.03, 0.045), (0.0, 0.03), (-0.03, -0.01), (-0.10, -0.065))
"""(z, y) metres on the template, front to back: above this line a head is scalp."""
LONG_HAIR = 0.4
"""Part of the sides of the neck that hair must cover for the nape to be covered too."""
SQUARE_ON = 0.3
"""Cosine between normal and view direction under which a photo's pixel is too stretched to be trusted."""
LID = 0.25
"""A vertex is eyelid when a blink moves it by more than this part of the largest displacement."""
GAINS = (0.5, 1.8)
"""Least and largest gain by which another picture's colours are matched to the leading photo's."""
TWIN = 0.004
"""Most distance of a mirrored vertex from its twin, metres."""
RIM = (-0.5, 0.006)
"""Of a face of an eyelid's rim: greatest height of its unit normal, and distance from the eye's socket, metres."""
BESIDE_EYES = 0.009
"""Metres around that edge within which skin belongs to the opening of an eye."""
CHEEKS, JAW = (50, 101, 118, 280, 330, 347), (136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 169, 170, 394, 395)
"""Landmarks of the cheeks, and of the jaw and the chin."""
CHEEKBONES = ((116, 123, 227, 34, 143), (345, 352, 447, 264, 372))
"""Landmarks of cheekbone and temple above a beard, the person's right and left."""
SAME_SIDE, BETWEEN = 0.7, 0.05
"""Weight of their tone beside the cheeks', and distance to either side of the nape over which the tone of one side goes over to
the other's, metres."""
BEARDED, PALER, BEHIND_JAW, GUESSED = 0.6, 0.4, 0.015, 0.15
"""Logarithm of the jaw's brightness relative to the cheeks', and of its blue relative to its red, from which there is a beard;
depth on the template behind which the skin is bare then, metres, and trust in that."""
MIRRORED = 0.03
"""Weight of the colour at the mirrored vertex, relative to a colour seen at the vertex itself."""


def scalp(model: HeadModel) -> NDArray[np.bool_]:
    """(V,) vertices above the hairline of an average head."""
    z, y = np.array(sorted(HAIRLINE)).T
    v = model.template
    head = np.zeros(model.vertex_count, bool)
    head[model.region_vertices("skin")] = True
    ear = (np.abs(v[:, 0]) > 0.068) & (np.abs(v[:, 1]) < 0.04) & (v[:, 2] > -0.03)
    return np.asarray(head & (v[:, 1] > np.interp(v[:, 2], z, y)) & ~ear)


def vertex_colors(surface: VisibleSurface, portrait: Portrait, colors: Array) -> tuple[Array, Array]:
    """Colour (V, 3) of each vertex in the photo, and its trust (V,): 0 where the vertex is hidden or seen at a grazing angle."""
    seen, xy, facing = surface.visible(surface.vertices, surface.normals)
    column, row = np.clip(np.floor(xy).astype(int), 0, portrait.matte.shape[0] - 1).T
    trust = np.where(seen & (facing > SQUARE_ON), facing**2, 0.0) * portrait.matte[row, column] * portrait.inside[row, column]
    soft = ndimage.uniform_filter(colors, (5, 5, 0))
    return soft[row, column], trust.astype(np.float32)


def eyelid_vertices(model: HeadModel) -> NDArray[np.bool_]:
    """(V,) vertices of the upper eyelids. A photo shows their lashes and shadow, not their skin."""
    moved = np.zeros(model.vertex_count)
    for name in ("eyeBlinkLeft", "eyeBlinkRight"):
        moved = np.maximum(moved, -model.expression_basis[arkit.INDEX[name], :, 1])
    return np.asarray(moved > LID * moved.max())


def twins(model: HeadModel) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """(V,) the vertex on the other side of the head that mirrors each one, and whether it really does."""
    distance, twin = cKDTree(model.template).query(model.template * np.array([-1, 1, 1], np.float32))
    return twin, distance < TWIN


def eyelid_rims(model: HeadModel) -> NDArray[np.bool_]:
    """(F,) faces of the upper eyelids that look down onto the eye: their rims, on which the lashes stand."""
    a, b, c = (model.template[model.faces[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    down = normal[:, 1] < RIM[0] * np.linalg.norm(normal, axis=1)
    away = _from_eyes(model)
    lids = eyelid_vertices(model)[model.faces].all(axis=1) & model.region_faces("skin")
    return np.asarray(down & lids & (away < RIM[1]))


def around_eyes(model: HeadModel) -> NDArray[np.bool_]:
    """(F,) faces of the skin along the openings of the eyes: all of the upper eyelids, and the edge of the lower ones."""
    lids = eyelid_vertices(model)[model.faces].any(axis=1) | (_from_eyes(model) < BESIDE_EYES)
    return np.asarray(lids & model.region_faces("skin"))


def _from_eyes(model: HeadModel) -> Array:
    """(F,) metres from the edge between eyelids and sockets."""
    edge = np.intersect1d(model.region_vertices("skin"), model.region_vertices("eye_socket"))
    away, _ = cKDTree(model.template[edge]).query(model.template[model.faces].mean(axis=1))
    return np.asarray(away, np.float32)


def interpolate_colors(model: HeadModel, color: Array, trust: Array, part: NDArray[np.bool_]) -> Array:
    """Colours (V, 3) of the vertices of `part` (V,), interpolated smoothly from the trusted ones and from their mirrored twins.

    Minimises the sum of trust (c - color)^2 plus the Dirichlet energy of c over the part's edges (screened Poisson equation).
    """
    trust = np.where(part, trust, 0.0).astype(np.float64)
    if not (trust > 0).any():
        return np.tile(color.mean(axis=0), (len(color), 1))
    twin, alike = twins(model)
    mirrored = np.where(alike, trust[twin] * MIRRORED, 0.0) * (trust < 0.05)
    f = model.faces[part[model.faces].all(axis=1)]
    i = np.concatenate([f[:, 0], f[:, 1], f[:, 2], f[:, 1], f[:, 2], f[:, 0]])
    j = np.concatenate([f[:, 1], f[:, 2], f[:, 0], f[:, 0], f[:, 1], f[:, 2]])
    n = len(color)
    edges = sparse.coo_matrix((np.ones(len(i)), (i, j)), (n, n)).tocsr()
    laplacian = sparse.diags(np.asarray(edges.sum(axis=1)).ravel()) - edges
    weight = 4.0 * (trust + mirrored)
    mean = (trust[:, None] * color).sum(0) / trust.sum()
    right = 4.0 * (trust[:, None] * color + mirrored[:, None] * color[twin]) + 1e-4 * mean
    solved = spsolve((sparse.diags(weight + 1e-4) + 0.2 * laplacian).tocsc(), right)
    return np.asarray(np.clip(solved, 0, 1), np.float32)


def matching_gains(model: HeadModel, lead: tuple[Array, Array], other: tuple[Array, Array]) -> Array:
    """(V, 3) gains that take another picture's colours into the light of the leading one: the light differs between the two, and
    not equally everywhere. lead, other: `vertex_colors` of the same vertices."""
    both = (lead[1] > 0.1) & (other[1] > 0.1)
    if both.sum() <= 50:
        return np.ones((model.vertex_count, 3), np.float32)
    ratio = np.clip(lead[0] / np.maximum(other[0], 0.02), *GAINS) / GAINS[1]
    everywhere = np.ones(model.vertex_count, bool)
    return interpolate_colors(model, ratio, np.where(both, 0.3, 0.0), everywhere) * GAINS[1]


def median_color(color: Array, trust: Array, part: NDArray[np.bool_], default: Array) -> Array:
    """Median colour (3,) of the trusted vertices of `part`; `default` when there are fewer than six."""
    chosen = part & (trust > 0.3)
    return np.asarray(np.median(color[chosen], axis=0) if chosen.sum() > 5 else default, np.float32)


def lid_tones(model: HeadModel, person: PersonHead, color: Array, trust: Array, lids: NDArray[np.bool_]) -> Array:
    """Colour (V, 3) for the eyelid vertices: the median of the brighter skin within a few centimetres of the eye."""
    out = np.zeros((model.vertex_count, 3), np.float32)
    skin = np.zeros(model.vertex_count, bool)
    skin[model.region_vertices("skin")] = True
    side = model.template[:, 0] > 0
    for joint, half in ((LEFT_EYE, side), (RIGHT_EYE, ~side)):
        near = np.linalg.norm(person.rest - person.joints[joint], axis=1) < 0.045
        around = skin & near & ~lids & (trust > 0.2)
        if around.sum() > 10:
            bright = color[around].sum(axis=1)
            out[half] = np.median(color[around][bright >= np.median(bright)], axis=0)
    return out


def bare_behind(model: HeadModel, color: Array, trust: Array) -> tuple[Array, Array]:
    """Colours (V, 3) and trust (V,) with a guess for ears and nape of somebody with a beard: between the tone of the cheeks and
    that of temple and cheekbone on the same side, in whose light they are. A beard, which the parsing takes for skin, would go
    on around the neck otherwise. As they came where the jaw is like the cheeks."""
    cheek, jaw = (_tone(model, color, trust, marks) for marks in (CHEEKS, JAW))
    if cheek is None or jaw is None or _like_beard(jaw, cheek) < 1:
        return color, trust
    behind = np.zeros(model.vertex_count, bool)
    behind[model.region_vertices("skin")] = True
    behind &= (model.template[:, 2] < BEHIND_JAW) & ((trust == 0) | (_like_beard(np.maximum(color, 0.02), cheek) > 0.5))
    bones = (_tone(model, color, trust, marks) for marks in CHEEKBONES)
    right, left = (cheek if bone is None else cheek + SAME_SIDE * (bone - cheek) for bone in bones)
    part = np.clip(0.5 + model.template[:, :1] / (2 * BETWEEN), 0, 1)
    tone = right + part * (left - right)
    return np.where(behind[:, None], tone, color).astype(np.float32), np.where(behind, GUESSED, trust).astype(np.float32)


def _like_beard(color: Array, cheek: Array) -> Array:
    """(...) how far colours (..., 3) are from that of the cheeks (3,), 1 for a beard: darker or brighter, or paler, as a grey one
    is."""
    change = np.log(color / cheek)
    brighter = np.abs(np.log(color.mean(axis=-1) / cheek.mean())) / BEARDED
    return np.asarray(np.maximum(brighter, (change[..., 2] - change[..., 0]) / PALER), np.float32)


def _tone(model: HeadModel, color: Array, trust: Array, marks: tuple[int, ...]) -> Array | None:
    """Median colour (3,) of the trusted vertices at some landmarks."""
    at = model.landmark_corners[list(marks)].ravel()
    at = at[trust[at] > 0.1]
    return np.maximum(np.median(color[at], axis=0), 0.02).astype(np.float32) if len(at) else None


def long_hair(model: HeadModel, hair: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(V,) the nape, when hair stands out on the sides of the neck: then it covers the nape too."""
    v = model.template
    neck = np.zeros(model.vertex_count, bool)
    neck[model.region_vertices("skin")] = True
    neck &= ~scalp(model) & (v[:, 1] < -0.03) & (v[:, 2] < 0.0)
    sides = neck & (np.abs(v[:, 0]) > 0.04)
    return neck if (hair & sides).sum() > LONG_HAIR * sides.sum() else np.zeros_like(neck)


def saturation(skin: Array) -> float:
    """Saturation of the photo by its skin: 0 for black and white, 1 for an ordinary colour photo."""
    return float(np.clip((skin.max() - skin.min()) / 0.12, 0, 1))
