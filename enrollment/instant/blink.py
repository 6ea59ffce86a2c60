"""A person's own blink, in which the lids meet: the head model's has one way for everybody, which leaves wide eyes half open, and
takes the lid of narrow ones far down over the lower one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from enrollment.instant import texture_completion
from enrollment.instant.fit import HeadFit
from models import arkit
from models.avatar import Avatar
from models.corrections import Basis, Corrections
from models.heads.base import HeadModel, PersonHead
from models.heads.raster import vertex_normals
from models.types import Array

EYES = (("eyeBlinkLeft", 1.0, (249, 390, 373, 374, 380, 381, 382)), ("eyeBlinkRight", -1.0, (7, 163, 144, 145, 153, 154, 155)))
"""Blink, side, and landmarks along the edge of the lower lid, from the outer corner to the inner one, of each eye."""
BLINKS = [arkit.INDEX[name] for name, *_ in EYES]
OVERLAP = 1.2e-3
"""Metres by which the edge of the upper lid ends below that of the lower one in the middle of an eye."""
FULL = 0.5
"""Part of a lid's largest way from which a vertex of its edge says how far it has to go: in the corners it folds."""
WAYS = (0.5, 1.3)
"""Least and greatest way of a person's lid, relative to the head model's."""
BEFORE, BACK, SKIN_BELOW = 1.0e-3, 1.5e-3, 1e-3
"""Metres that a shut lid's edge stands before the lower lid's skin, by which it is drawn back for that at most (it would be a
shelf), and how far below the edge that skin is looked for."""


def own_blink(person: PersonHead) -> tuple[Corrections, Array]:
    """What is to be added to the blinks of the head model, and the way (2,) of the middle of the left and the right lid, relative
    to its."""
    model = person.model
    change, ways = np.zeros((2, model.vertex_count, 3), np.float32), np.ones(2, np.float32)
    mixing = np.zeros((arkit.COUNT, 2), np.float32)
    for eye, (name, sign, lower) in enumerate(EYES):
        blink = model.expression_basis[arkit.INDEX[name]]
        mixing[arkit.INDEX[name], eye] = 1.0
        edge = front_edge(model, blink, sign)
        if len(edge) < 4:
            continue
        rim = person.landmarks(person.rest + blink)[list(lower)]
        rim, x, y = rim[np.argsort(rim[:, 0])], *person.rest[edge, :2].T
        middle, half = 0.5 * (x.min() + x.max()), 0.5 * float(np.ptp(x))
        gap = y - np.interp(x, rim[:, 0], rim[:, 1]) + OVERLAP * (1 - 0.5 * np.square((x - middle) / half))
        curve = np.polyfit((x - middle) / half, gap / -blink[edge, 1], 2, w=-blink[edge, 1])
        ways[eye] = np.clip(np.polyval(curve, 0.0), *WAYS)
        way = np.clip(np.polyval(curve, np.clip((person.rest[:, 0] - middle) / half, -1, 1)), *WAYS)
        part = np.clip(blink[:, 1] / blink[edge, 1].min(), 0, 1)
        change[eye] = ((way - 1) * (part > 0))[:, None] * blink
        change[eye, :, 2] -= _before(person, blink, edge, float(ways[eye])) * part
    return Corrections(np.zeros(0, np.int32), None, Basis(change, mixing).rounded(), 0.0), ways


def with_own_blink(person: PersonHead, own: Corrections) -> PersonHead:
    """The person with those blinks."""
    assert own.vertices is not None
    basis = person.model.expression_basis + own.vertices.of_coefficients()
    return replace(person, model=replace(person.model, expression_basis=basis))


def as_far_shut(fitted: HeadFit, ways: Array) -> HeadFit:
    """The fit with coefficients with which other blinks shut the eyes of its photos as far. ways: (2,) of these blinks, relative
    to those of the fit, see `own_blink`."""
    photos = []
    for photo in fitted.photos:
        coefficients = photo.coefficients.copy()
        coefficients[BLINKS] = np.clip(coefficients[BLINKS] / ways, 0, 1)
        photos.append(replace(photo, coefficients=coefficients))
    return replace(fitted, photos=tuple(photos))


def only_blinks(corrections: Corrections) -> bool:
    """Whether they change nothing but the person's blinks."""
    vertices = corrections.vertices
    return corrections.gaussians is None and (vertices is None or not np.delete(vertices.mixing, BLINKS, axis=0).any())


def blinking(avatar: Avatar, model: HeadModel) -> Avatar:
    """The avatar with the person's own blinks, unless it has corrections that were learned."""
    return avatar if avatar.corrections is not None else replace(avatar, corrections=own_blink(avatar.person(model))[0])


def front_edge(model: HeadModel, blink: Array, sign: float) -> NDArray[np.int64]:
    """The vertices of an upper lid's edge, on its front, that a blink (V, 3) moves far. sign: 1 for the left eye, -1 for the
    right one."""
    rims = texture_completion.eyelid_rims(model)
    of_rim, of_skin = (np.unique(model.faces[f]) for f in (rims, model.region_faces("skin") & ~rims))
    edge = np.setdiff1d(np.intersect1d(of_rim, of_skin), model.region_vertices("eye_socket"))
    down = -blink[edge, 1] > FULL * -blink[:, 1].min()
    return edge[down & (model.template[edge, 0] * sign > 0)]


def _before(person: PersonHead, blink: Array, edge: NDArray[np.int64], way: float) -> float:
    """Metres by which the shut lid is drawn back to the lower one's skin. edge: its vertices."""
    model, normals = person.model, vertex_normals(person.rest, person.model.faces)
    skin = np.zeros(model.vertex_count, bool)
    skin[model.region_vertices("skin")] = True
    lower = np.flatnonzero(skin & (blink[:, 1] >= 0) & (normals[:, 2] > 0.3))
    if not len(lower):
        return 0.0
    landing = person.rest[edge] + way * blink[edge]
    _, near = cKDTree(person.rest[lower, :2]).query(landing[:, :2] - (0, SKIN_BELOW), k=3)
    apart = landing[:, 2] - person.rest[lower, 2][near].mean(axis=1)
    return float(np.clip(np.median(apart) - BEFORE, 0, BACK))
