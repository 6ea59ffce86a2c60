"""Colours of the mouth's inside, which a photo of a shut mouth does not show: lips that continue inwards, teeth, gums, tongue,
and light that falls off into the mouth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from enrollment.instant.lift import MOUTH, opening
from enrollment.instant.surface import Samples, VisibleSurface
from enrollment.instant.texture_completion import vertex_colors
from enrollment.portrait.portrait import Portrait
from models.heads.base import REGION, HeadModel, PersonHead
from models.types import Array

INNER = ("mouth_inside", "tongue", "upper_teeth", "lower_teeth")
"""Regions of the head model that lie in the mouth."""
TEETH, CAVITY, TONGUE, GUM = (0.88, 0.81, 0.71), (0.26, 0.10, 0.10), (0.66, 0.37, 0.36), (0.66, 0.36, 0.36)
"""sRGB colours under even light; scaled by the light on the person's face."""
DEPTHS = {"upper_teeth": 0.022, "lower_teeth": 0.014, "mouth_inside": 0.012, "tongue": 0.022}
"""Metres behind the front teeth in which light falls to a half, by region; of the tongue, behind its tip, which comes out."""
SHADE = {"upper_teeth": 1.0, "lower_teeth": 0.66, "mouth_inside": 0.8, "tongue": 1.0}
"""Light on a region's front, relative to the light on the lips: the upper lip and teeth shade the lower teeth."""
WARMTH = (0.0, 0.12, 0.18)
"""Part by which the light loses more of red, green and blue where it falls to a half: lips and gums are red, and so is what they
reflect."""
SKIN_CHROMA = ((1.08, 0.84, 0.58), (1.48, 1.02, 0.97))
"""Least and largest red, green and blue of people's skin, relative to their mean, under even light."""
SKIN_BRIGHTNESS = 0.66
"""`light_on_face` under even light."""
LIT = 80
"""Percentile of the skin's brightness around the mouth that counts as the light that falls into it."""
LIGHTS = (0.30, 0.76)
"""Least and largest brightness of that skin: dark skin is no dark light."""
AROUND = 0.05
"""Metres around the middle of the lips in which the light on the face is measured."""
LIPS = (0.0015, 0.006)
"""Metres from the inner edge of the lips, on the template, between which the lips' colour is read: nearer is the dark line
between shut lips."""
WET, TURN = 0.85, 0.009
"""Brightness of the lips' inner side relative to their outside, and metres in which that turns into the cavity's colour."""
LIP_SPACING, BESIDE_LIPS = 0.0018, 0.012
"""Metres between Gaussians on both sides of the lips, and metres around their inner edge within which that is: coarser ones stick
out of the corners as bristles."""
ROOM = (0.35, 0.0006)
"""Largest standard deviation of a Gaussian inside the mouth, relative to its distance from the face's skin, beyond which it would
shine through; and the least such limit, metres."""
CROWN = (0.0074, 0.0088)
"""Metres below the biting edge between which the lower teeth turn into gum; at the upper row the lip covers the gum."""
TOOTH_WIDTHS = {
    "upper_teeth": (8.5e-3, 6.6e-3, 7.6e-3, 7.0e-3, 6.8e-3, 10.0e-3),
    "lower_teeth": (5.3e-3, 5.9e-3, 6.9e-3, 7.0e-3, 7.1e-3, 11.0e-3),
}
"""Widths of the teeth along the arch, from the middle to the side, metres (means of adults)."""
GAP, GAP_SHADE = 0.7e-3, 0.35
"""Half the width of the shadow between two teeth, metres, and how much the shadow darkens."""
CLEAR_TOOTH, TOOTH_PIXELS = 0.9, 200
"""Least brightness of a tooth's pixel relative to the skin, and number of such pixels from which the photo gives the teeth's
colour."""


def inner_lips(model: HeadModel) -> NDArray[np.bool_]:
    """(F,) faces of the mouth's inside that show as soon as the lips part, and are still lip."""
    centre = model.template[model.faces].mean(axis=1)
    away, _ = cKDTree(model.template[_edge(model)]).query(centre)
    return np.asarray(model.region_faces("mouth_inside") & (away < TURN))


def outer_lips(model: HeadModel) -> NDArray[np.bool_]:
    """(F,) faces of the skin along the opening of the mouth: the lips and their corners."""
    centre = model.template[model.faces].mean(axis=1)
    away, _ = cKDTree(model.template[_edge(model)]).query(centre)
    return np.asarray(model.region_faces("skin") & (away < BESIDE_LIPS))


def room(person: PersonHead, samples: Samples) -> Array:
    """(N,) largest standard deviation of a Gaussian at each sample, metres: those of the cavity and of the tongue stay within the
    face; infinity elsewhere."""
    model, (part, least) = person.model, ROOM
    inner = model.region_faces("mouth_inside", "tongue")[samples.face] & ~inner_lips(model)[samples.face]
    skin = np.setdiff1d(model.region_vertices("skin"), _edge(model))
    out = np.full(len(samples.face), np.inf, np.float32)
    away, _ = cKDTree(person.rest[skin]).query(samples.select(inner).at(model.faces, person.rest))
    out[inner] = np.maximum(part * away, least)
    return out


def without_lip_line(model: HeadModel, samples: Samples, colors: Array) -> Array:
    """The colours (N, 3) of samples, in which the skin along the inner edge of the lips has the lips' colour beside it: the dark
    line between shut lips would be drawn out when they part."""
    points = samples.at(model.faces, model.template)
    away, _ = cKDTree(model.template[_edge(model)]).query(points)
    skin = model.region_faces("skin")[samples.face]
    lip, line = (np.flatnonzero(skin & (low < away) & (away < high)) for low, high in ((LIPS[0], LIPS[1]), (-1.0, LIPS[0])))
    out = colors.copy()
    if len(lip) and len(line):
        _, near = cKDTree(points[lip]).query(points[line], k=min(6, len(lip)))
        out[line] = colors[lip][near.reshape(len(line), -1)].mean(axis=1)
    return out


def teeth_tone(mouth: Array, skin: Array) -> Array | None:
    """Median colour (3,) of the teeth: of the pixels between the lips, (N, 3), those that are bright and paler than the skin
    (3,); None when there are fewer than `TOOTH_PIXELS`."""
    light, width = mouth.mean(axis=1), mouth.max(axis=1) - mouth.min(axis=1)
    bright = (light > CLEAR_TOOTH * skin.mean()) & (width * skin.mean() < 0.9 * (skin.max() - skin.min()) * light + 0.02)
    return np.asarray(np.median(mouth[bright], axis=0), np.float32) if bright.sum() > TOOTH_PIXELS else None


def shown(surface: VisibleSurface, portrait: Portrait, colors: Array) -> tuple[Array, Array]:
    """What `teeth_tone` takes: the photo's pixels between the lips (N, 3), and its skin around the mouth (3,)."""
    color, trust = vertex_colors(surface, portrait, colors)
    near = _around(surface.model) & (trust > 0.1)
    skin = np.median(color[near], axis=0) if near.any() else np.full(3, SKIN_BRIGHTNESS)
    return colors[opening(MOUTH, portrait)], np.asarray(skin, np.float32)


def light_on_face(model: HeadModel, color: Array, trust: Array, default: float) -> float:
    """Brightness of the lit skin around the mouth. color: (V, 3) and trust: (V,) of a photo. default: where it shows none."""
    near = _around(model) & (trust > 0.1)
    return float(np.clip(np.percentile(color[near].mean(axis=1), LIT) if near.any() else default, *LIGHTS))


def cast(skin: Array, saturation: float) -> Array:
    """(3,) the colour cast of a photo by its skin (3,): factors of red, green and blue, 1 where people's skin may have that
    colour. Under yellow varnish teeth are yellow as well; saturation: of the photo, 0 for black and white, which has no cast."""
    chroma = skin / max(float(skin.mean()), 1e-6)
    return np.asarray(1 + saturation * (chroma / np.clip(chroma, *np.array(SKIN_CHROMA)) - 1), np.float32)


def mouth_colors(
    person: PersonHead, samples: Samples, skin_color: Array, light: Array, saturation: float, teeth: Array | None = None
) -> Array:
    """Colours (N, 3) of samples in the regions `INNER`, in [0, 1]; 0 elsewhere. They are darker further back.

    skin_color: (V, 3), completed. light: (3,) `light_on_face` times `cast`. saturation: of the photo, 0 for black and white.
    teeth: (3,) as a photo shows them.
    """
    model = person.model
    region = model.region[samples.face]
    points, rest = samples.at(model.faces, person.rest), samples.at(model.faces, model.template)
    gain = light / SKIN_BRIGHTNESS
    front = float(person.rest[model.region_vertices("upper_teeth"), 2].max())
    base = {"mouth_inside": CAVITY, "tongue": TONGUE, "upper_teeth": TEETH, "lower_teeth": TEETH}
    out = np.zeros((len(points), 3), np.float32)
    for name in INNER:
        of_region = region == REGION[name]
        color = np.tile(_toned(np.array(base[name]), saturation) * gain, (int(of_region.sum()), 1))
        if name in TOOTH_WIDTHS:
            color = color if teeth is None else np.tile(teeth, (len(color), 1))
            color = color * (1 - GAP_SHADE * between_teeth(rest[of_region], np.array(TOOTH_WIDTHS[name]))[:, None])
        if name == "lower_teeth":
            edge = float(model.template[model.region_vertices(name), 1].max())
            gum = _smooth((edge - rest[of_region, 1] - CROWN[0]) / (CROWN[1] - CROWN[0]))[:, None]
            color = color + gum * (_toned(np.array(GUM), saturation) * gain - color)
        tip = float(person.rest[model.region_vertices(name), 2].max()) if name == "tongue" else front
        halves = np.maximum(tip - points[of_region, 2], 0) / DEPTHS[name] - np.log2(SHADE[name])
        out[of_region] = color * np.exp2(-halves[:, None] * (1 + saturation * np.array(WARMTH)))
    inside = region == REGION["mouth_inside"]
    out[inside] = _lips(model, rest[inside], skin_color, out[inside])
    return np.clip(out, 0, 1)


def _lips(model: HeadModel, points: Array, skin_color: Array, cavity: Array) -> Array:
    """The colours (N, 3) of `cavity`, turning into the lips' own near their inner edge. points: (N, 3) on the template."""
    v, edge = model.template, model.template[_edge(model)]
    skin = model.region_vertices("skin")
    away, nearest = cKDTree(edge).query(v[skin])
    lip = skin[(away > LIPS[0]) & (away < LIPS[1])]
    if not len(lip) or not len(points):
        return cavity
    red = cKDTree(v[lip]).query(edge, k=min(6, len(lip)))[1].reshape(len(edge), -1)
    tones = WET * skin_color[lip][red].mean(axis=1)
    away, nearest = cKDTree(edge).query(points)
    share = _smooth(away / TURN)[:, None]
    return np.asarray(tones[nearest] + share * (cavity - tones[nearest]), np.float32)


def _edge(model: HeadModel) -> NDArray[np.int64]:
    """Vertices along the inner edge of the lips."""
    return np.intersect1d(model.region_vertices("skin"), model.region_vertices("mouth_inside"))


def _around(model: HeadModel) -> NDArray[np.bool_]:
    """(V,) the skin around the mouth."""
    out = np.zeros(model.vertex_count, bool)
    out[model.region_vertices("skin")] = True
    return out & (np.linalg.norm(model.template - model.template[_edge(model)].mean(axis=0), axis=1) < AROUND)


def _toned(color: Array, saturation: float) -> Array:
    return np.asarray(color.mean() + saturation * (color - color.mean()))


def _smooth(t: Array) -> Array:
    t = np.clip(t, 0, 1)
    return t * t * (3 - 2 * t)


def between_teeth(points: Array, widths: Array) -> Array:
    """(N,) how much points (N, 3) of a row of teeth on the average head lie between two of them, in [0, 1]."""
    order = np.argsort(np.abs(points[:, 0]))
    side = np.stack([np.abs(points[order, 0]), points[order, 2]], axis=1)
    if not len(side):
        return np.zeros(0, np.float32)
    x = np.linspace(0.0, float(side[-1, 0]), 64)
    z = np.polyval(np.polyfit(side[:, 0], side[:, 1], 4), x)
    along = np.interp(np.abs(points[:, 0]), x, np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(z)))]))
    edges = np.concatenate([[0.0], np.cumsum(widths)])
    away = np.abs(along[:, None] - edges).min(axis=1)
    return np.asarray(np.exp(-np.square(away / GAP)), np.float32)
