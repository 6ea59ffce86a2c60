"""Where the cloth begins around the neck: behind, a collar goes on as high as at the sides of the neck in the photo. Above it the
nape is skin, and so are what the jaw or a turn hides of the neck and the rim of the jaw before a collar; a high collar or a
scarf covers the neck all around. A neckline that the photo's lower edge cuts ends there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

from enrollment.instant.collar import around_neck, collar_line
from enrollment.instant.surface import VisibleSurface
from enrollment.instant.surface_labels import SOLID, pixels_of
from enrollment.instant.texture_completion import interpolate_colors, twins
from enrollment.portrait.portrait import Portrait
from models.heads.base import HeadModel
from models.types import Array

BELOW_JAW = -0.03
"""Sum of a point's height and depth on the template, metres, under which it lies below the jaw or behind it."""
SOFT, BEHIND = 0.012, 0.0
"""Half the height over which skin turns into cloth, about the mesh's edges there, and depth behind which a collar goes on as at
the sides, metres."""
GUESS = 1.0
"""Trust in that, beside that in a vertex that is seen."""
AT_SIDES, SQUARE_ON = 45.0, 0.6
"""Degrees around the neck from the front, and cosine between normal and view direction up to which the collar's line counts more
than what a single vertex shows: there jaw, collar and shoulder lie over each other."""
ASLANT = 0.1
"""Cosine between normal and view direction under which a vertex takes no label from its pixel."""
TURNED = 0.6
"""By how much more square on a vertex's twin is seen, cosines, from which the neck there is the far side of a turned one: along
its outline the photo shows the shirt behind it."""
BELOW, DRESSED = 0.03, 0.5
"""Trust in cloth under the photo's lower edge; share of cloth on the body from which a person is dressed."""


def cloth_share(surface: VisibleSurface, portrait: Portrait) -> Array:
    """(V,) in [0, 1]: how much each vertex of body and neck is cloth; 0 on the head. The photo's label where it shows the vertex,
    continued over the mesh. All of the body, and nothing else, where the parsing sees no person."""
    model = surface.model
    body = np.zeros(model.vertex_count, bool)
    body[model.region_vertices("body")] = True
    if portrait.parsing is None:
        return body.astype(np.float32)
    part, y, z = body | _neck(model), model.template[:, 1], model.template[:, 2]
    seen, _, facing = surface.visible(surface.vertices, surface.normals)
    row, column = pixels_of(surface)
    cloth, skin = (portrait.parsing.share(*names)[row, column] for names in (("clothes", "others"), ("face_skin", "body_skin")))
    shown = part & seen & (facing > ASLANT) & portrait.inside[row, column] & (portrait.matte[row, column] > SOLID)
    trust = np.where(shown, facing * np.clip(cloth + skin, 0, 1) ** 2, 0.0)
    label = cloth / np.maximum(cloth + skin, 1e-3)
    trust = np.where(_islands(model, part & (label > 0.5) & (trust > 0), body | (part & (trust == 0) & (z < BEHIND))), 0.0, trust)
    collar = collar_line(model, label, trust)
    guess = np.clip(0.5 + 0.5 * (collar - y) / SOFT, 0, 1)
    far = ~body & (facing[twins(model)[0]] - facing > TURNED)
    aside = (np.abs(around_neck(model.template)) > AT_SIDES) & (facing < SQUARE_ON) & ((label > 0.5) != (y < collar))
    trust = np.where(far | aside, 0.0, trust)
    guessed = part & (trust == 0) & ((z < BEHIND) | (y > collar + SOFT))
    value = np.where(guessed, guess, label).astype(np.float32)
    weight = np.where(guessed, GUESS, trust)
    below = body & (trust == 0) & ~guessed & (row >= np.flatnonzero(portrait.inside.any(axis=1))[-1])
    if (trust * body).any() and float(np.average(label, weights=trust * body)) > DRESSED:
        value[below], weight[below] = 1.0, BELOW
    return np.where(part, interpolate_colors(model, np.tile(value[:, None], (1, 3)), weight, part)[:, 0], 0.0).astype(np.float32)


def _neck(model: HeadModel) -> NDArray[np.bool_]:
    """(V,) vertices of the neck and the nape above the body."""
    neck = np.zeros(model.vertex_count, bool)
    neck[model.region_vertices("skin")] = True
    return np.asarray(neck & (model.template @ np.array([0, 1, 1], np.float32) < BELOW_JAW))


def _islands(model: HeadModel, cloth: NDArray[np.bool_], held: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(V,) vertices of `cloth` (V,) from which no cloth leads over the mesh to what may hold it, `held` (V,): along the rim of
    the jaw the photo shows the collar behind it."""
    edges = np.concatenate([model.faces[:, [0, 1]], model.faces[:, [1, 2]], model.faces[:, [2, 0]]])
    i, j = edges[(cloth | held)[edges].all(axis=1)].T
    count = model.vertex_count
    links = sparse.coo_matrix((np.ones(len(i), np.float32), (i, j)), (count, count))
    _, piece = csgraph.connected_components(links, directed=False)
    return np.asarray(cloth & ~np.isin(piece, piece[held]))
