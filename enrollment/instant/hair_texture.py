"""Hair texture: strands for the hair that no photo shows, laid along a flow from the crown downwards.

Where the visible hair lies in strands, they are noise combed along the flow (line integral convolution, Cabral and Leedom 1993),
with the covariance of the visible hair's colours. Curls and cloth are by example, made of patches of the photo,
blended with the variance of the visible hair kept (Heitz and Neyret 2018, "High-performance by-example noise
using a histogram-preserving blending operator"), and laid out as lapped textures are (Praun et al. 2000): each has its own
tangent frame, so strands keep their width, also where the flow spreads at the crown.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from enrollment.instant import hair_tone
from enrollment.instant.hair_flow import flow
from enrollment.instant.hair_hue import in_one_hue
from enrollment.instant.hair_locks import Locks, outline_roughness, tilted
from enrollment.instant.hair_tone import LEAST, SEEN, pixels_per_metre
from enrollment.instant.nonrigid_registration import graph
from enrollment.instant.surface import Samples, VisibleSurface, slopes, triangle_areas
from enrollment.instant.surface_labels import INPUT, SURE, PixelLabels, pixels_of
from enrollment.portrait.portrait import Portrait
from models.splat.workers import available
from models.types import Array, Array64

PATCH = 0.018
"""Distance between the middles of neighbouring patches, metres."""
BLENDED = 4
"""Patches that cover a point."""
COARSE = 0.007
"""Standard deviation of the blur whose result is the base tone, metres: what is finer is texture."""
DEEP = 0.5
"""Quantile of the distance from the hair's edge beyond which a pixel may be the middle of a patch."""
COARSER = 3.0
"""How much larger the patches of cloth are."""
TENSOR = 0.004
"""Width of the window in which the direction of strands is measured, metres."""
MOST_STRETCH = 4.5
"""How many times as long as wide a strand's Gaussian is where all strands lie alike; 1 in curls."""
RELIEF, MOST_RELIEF = 0.002, 0.0035
"""Height of a strand that is one standard deviation brighter than its surroundings, and the most, metres."""
SHEEN, SHINES, NAPE_SHADE = 0.12, (0.7, 0.3), 0.15
"""Brightening of hair that no photo shows where its normal's height is about the first of the two values, by the second's width;
darkening where the surface looks down."""
SEAM = 0.04
"""Distance from the hair that the photo shows over which that sets in, metres: what is beside it has its brightness."""
SEED = 7
HAIRY = (0.35, 0.65)
"""Shares of hair at a sample between which its colour goes from the skin's to the hair's."""
RAGGED, MOST_RAGGED = 0.0025, 0.005
"""How far a strand that is one standard deviation above its surroundings reaches beyond the hairline, and at most, metres: a
hairline is no line."""
SPACING, MOST_GAUSSIANS = 0.0028, 10_500
"""Metres between neighbouring Gaussians on hair that the photo does not show, and about how many there may be."""
HIDDEN = (0.15, 0.4)
"""Cosines between normal and view away from the photo's camera between which strands and locks rise: in its own view the outline
is the photo's."""
STRAIGHT = 0.6
"""How alike strands lie, in [0, 1], from which all of the texture is combed; none in cloth."""
STRANDS, LOCKS = (0.001, 0.006), (0.004, 0.010)
"""Standard deviations across and along the flow of the window in which noise is combed, metres: of strands and of locks."""
COMBED, NEIGHBOURS = 2, 40
"""How often, and the Gaussians in such a window."""
LOCK_PART, MOST_NOISE, MOST_CONTRAST = 0.35, 2.2, 0.35
"""Part of the locks in the variance; the furthest from the mean, in standard deviations; most standard deviation of the
brightness, relative to its mean: darker hair would be cut off at black."""
TEXTURED = 0.004
"""Standard deviation of the blur under which the visible hair's colours vary as strands do, metres."""
TAPS = (-0.008, -0.004, 0.0, 0.004, 0.008)
"""Places along a strand whose mean is its colour, metres; in curls all at one place."""


@dataclass(frozen=True)
class HairCover:
    """Hair on N samples of the surface. part: (N,) in [0, 1], how much of each is hair. colors: (N, 3). along: (N, 3) unit,
    direction of the strands. normals: (N, 3) across them, tilted against the surface's. stretch: (N,) at least 1, their length.
    relief: (N,) metres along the surface's normal."""

    part: Array
    colors: Array
    along: Array
    normals: Array
    stretch: Array
    relief: Array

    def select(self, which: NDArray[np.generic]) -> HairCover:
        """Of the samples `which` (N,)."""
        return HairCover(*(getattr(self, f.name)[which] for f in fields(self)))


def spacings(surface: VisibleSurface, share: Array, spacing: Array) -> Array:
    """(F,) the given distances between samples, metres, finer where there is hair that the photo does not show. share: (V,)."""
    model = surface.model
    toward = -surface.vertices / np.linalg.norm(surface.vertices, axis=1, keepdims=True)
    unseen = np.sum(toward * surface.normals, axis=1) < SEEN
    fine = ((share > 0.5) & unseen)[model.faces].sum(axis=1) >= 2
    fine &= model.region_faces("skin", "body")
    area = float(triangle_areas(surface.vertices, model.faces)[fine].sum())
    return np.where(fine, np.minimum(spacing, max(SPACING, np.sqrt(area / MOST_GAUSSIANS))), spacing)


@dataclass(frozen=True)
class ShownHair:
    """What a photo shows of hair or of what covers it, before it is asked for samples. surface: the one visible in the photo.
    shown: (S, S) pixels that show hair. woven: part that is cloth, which has folds and no strands. tone: (V, 3) by `hair_tone`.
    strands: example of its strands; None where too little is shown. rough: metres, `outline_roughness`."""

    surface: VisibleSurface
    shown: NDArray[np.bool_]
    woven: float
    tone: Array
    strands: StrandExample | None
    rough: float

    @staticmethod
    def of(surface: VisibleSurface, portrait: Portrait, colors: Array, share: Array) -> ShownHair | None:
        """None where the photo shows no hair. colors: (S, S, 3) `Portrait.colors`. share: (V,) how much of a vertex is hair."""
        corner = surface.model.faces[np.maximum(surface.fragments.face, 0)]
        shown = PixelLabels.of(portrait).hair & (share[corner] > 0.5).all(axis=-1) & (surface.fragments.face >= 0)
        if not shown.any():
            return None
        woven = _woven(portrait, shown)
        if portrait.parsing is not None and woven > 0.5:  # hair beside a scarf does not go on over it
            cloth = portrait.parsing.share("clothes", "others") > SURE
            shown &= ndimage.binary_erosion(cloth, iterations=max(1, len(cloth) // INPUT))
        thin = hair_tone.thin_hair(surface, portrait, shown)
        shown = hair_tone.within_rim(surface, portrait, shown)
        tone = hair_tone.base_tone(surface, portrait, colors, share, shown, COARSE * (1 + COARSER * woven))
        tone += hair_tone.turning(surface, colors, shown, woven, tone, thin)
        rough = outline_roughness(portrait, pixels_per_metre(surface))
        return ShownHair(surface, shown, woven, tone, StrandExample.of(surface, shown, colors, woven), rough)


def cover(hair: ShownHair | None, share: Array, samples: Samples, points: Array, normals: Array, down: Array) -> HairCover:
    """Hair for the samples, at points (N, 3) with normals (N, 3) in the surface's space. share: (V,) how much of each vertex is
    hair. down: (3,) the head's own."""
    upwards = np.array([0.0, 1.0, 0.0], np.float32)
    none = np.zeros(len(points), np.float32)
    out = HairCover(
        none, np.zeros_like(points), np.tile(upwards, (len(none), 1)), normals.copy(), np.ones_like(none), none.copy()
    )
    if hair is None:
        return out
    model = hair.surface.model
    _, average = graph(model)
    smooth = np.asarray(average @ (average @ share), np.float32)
    here = samples.at(model.faces, smooth[:, None])[:, 0]
    slope = (1 - hair.woven) * slopes(smooth, hair.surface.vertices, model.faces)[samples.face]
    on = here > HAIRY[0] - MOST_RAGGED * slope
    if not on.any():
        return out
    part = np.zeros(len(points), np.float32)
    shade = 1 + (1 - hair.woven) * (_shading(hair.surface, hair.shown, points[on], normals[on], down) - 1)
    found = strands(hair, points[on], normals[on], down)
    order = 0.0 if hair.strands is None else hair.strands.order
    locks = Locks.of(points[on], found.along, order, hair.rough) if hair.woven < 0.5 else Locks.none(int(on.sum()))
    uneven = 0.5 * found.relief / RELIEF + 0.5 * locks.height / max(float(locks.height.std()), 1e-6)
    further = slope[on] * np.clip(RAGGED * uneven, -MOST_RAGGED, MOST_RAGGED)
    part[on] = np.clip((here[on] + further - HAIRY[0]) / (HAIRY[1] - HAIRY[0]), 0, 1)
    away = np.sum(points[on] * normals[on], axis=1) / np.linalg.norm(points[on], axis=1)
    hidden = (np.clip((away - HIDDEN[0]) / (HIDDEN[1] - HIDDEN[0]), 0, 1) * part[on] * (1 - hair.woven)).astype(np.float32)
    shade = shade * (1 + hidden * (locks.shade - 1))
    out.colors[on] = np.clip(shade[:, None] * (samples.select(on).at(model.faces, hair.tone) + found.detail), 0, 1)
    out.along[on], out.normals[on] = tilted(found.along, normals[on], hidden * locks.slope)
    out.relief[on] = (found.relief + locks.height) * hidden
    out.stretch[on] = 1 + (found.stretch - 1) * part[on]
    return replace(out, part=part)


def _woven(portrait: Portrait, shown: NDArray[np.bool_]) -> float:
    """Part in [0, 1] of what covers the head that is no hair but a hat or a scarf: that has no strands."""
    if portrait.parsing is None:
        return 0.0
    hair, other = (float(portrait.parsing.share(*names)[shown].mean()) for names in (("hair",), ("clothes", "others")))
    return float(np.clip(2 * other / max(hair + other, 1e-6) - 0.5, 0, 1))


def _shading(surface: VisibleSurface, shown: NDArray[np.bool_], points: Array, normals: Array, down: Array) -> Array:
    """(N,) brightness of hair by the head's form, 1 beside the hair that the photo shows, on average 1: a band of sheen
    around the crown, shade under the back of the head."""
    height = -(normals @ down)
    light = SHEEN * np.exp(-np.square((height - SHINES[0]) / SHINES[1])) - NAPE_SHADE * np.clip(-2 * height, 0, 1)
    row, column = pixels_of(surface)
    seen, _, facing = surface.visible(surface.vertices, surface.normals)
    near = seen & (facing > SEEN) & shown[row, column]
    away = cKDTree(surface.vertices[near]).query(points)[0] if near.any() else np.full(len(points), np.inf)
    return np.asarray(1 + np.clip(away / SEAM, 0, 1) * (light - light.mean()), np.float32)


@dataclass(frozen=True)
class StrandTexture:
    """Texture at N points. detail: (N, 3), to be added to the base tone. along: (N, 3) unit, direction of the flow. stretch: how
    many times as long as wide a strand's Gaussian is, at least 1. relief: (N,) metres along the normal."""

    detail: Array
    along: Array
    stretch: float
    relief: Array


@dataclass(frozen=True)
class StrandExample:
    """The visible hair's texture. detail: (S, S, 3), averaged along the strands. angle: (S, S) of the strands, radians. order:
    how alike they lie, in [0, 1]. middles: (M, 2) pixels around which patches are taken. scale: pixels in a metre. covariance:
    (3, 3) `_covariance`, None where nothing is combed."""

    detail: Array
    angle: Array
    order: float
    middles: NDArray[np.int64]
    scale: float
    covariance: Array | None

    @staticmethod
    def of(surface: VisibleSurface, shown: NDArray[np.bool_], colors: Array, woven: float) -> StrandExample | None:
        """None where fewer than `LEAST` pixels are shown. As in `ShownHair`."""
        if shown.sum() < LEAST:
            return None
        scale = pixels_per_metre(surface)
        detail = in_one_hue(_detail(colors, shown, COARSE * (1 + COARSER * woven) * scale), shown, 1 - woven)
        angle, order = _directions(detail.mean(axis=2), shown, TENSOR * scale)
        inwards = ndimage.distance_transform_edt(shown)
        middles = np.argwhere(inwards >= max(np.quantile(inwards[shown], DEEP), 1.0))
        order *= 1 - woven
        covariance = _covariance(colors, shown, TEXTURED * scale) if order > 0 else None
        return StrandExample(_drawn_out(detail, angle, order * scale), angle, order, middles, scale, covariance)


def strands(hair: ShownHair, points: Array, normals: Array, down: Array) -> StrandTexture:
    """Texture for hair at points (N, 3) with normals (N, 3), in the surface's space, down (3,): the head's own."""
    along = flow(hair.surface.model, hair.surface.vertices, points, normals, down)
    example = hair.strands
    if example is None or not len(points):
        return StrandTexture(np.zeros((len(points), 3), np.float32), along, 1.0, np.zeros(len(points), np.float32))
    larger = 1 + COARSER * hair.woven
    scale = example.scale * larger
    found = _laid(example.detail, example.middles, example.angle, points / larger, normals, along, scale)
    combed = min(example.order / STRAIGHT, 1.0)
    if example.covariance is not None:
        found = np.sqrt(1 - combed) * found + np.sqrt(combed) * _combed(points, along) @ example.covariance
    light = found.mean(axis=1)
    relief = np.clip(RELIEF * light / max(float(light.std()), 1e-3), -MOST_RELIEF, MOST_RELIEF)
    return StrandTexture(found, along, 1 + (MOST_STRETCH - 1) * example.order, ((1 - hair.woven) * relief).astype(np.float32))


def _detail(colors: Array, shown: NDArray[np.bool_], blur: float) -> Array:
    """(S, S, 3) what is finer in the hair than `blur` pixels; the nearest hair's where there is none."""
    weight = shown.astype(np.float32)
    share = cv2.GaussianBlur(weight, (0, 0), blur)
    base = cv2.GaussianBlur(colors * weight[..., None], (0, 0), blur) / np.maximum(share, 1e-4)[..., None]
    near = ndimage.distance_transform_edt(~shown, return_distances=False, return_indices=True)
    fine = (colors - base)[near[0], near[1]]
    return np.asarray(fine - fine[shown].mean(axis=0), np.float32)


def _directions(light: Array, shown: NDArray[np.bool_], width: float) -> tuple[Array, float]:
    """(S, S) angle of the strands in the picture, radians, by the structure tensor; and how alike they lie, in [0, 1]."""
    x, y = cv2.Sobel(light, cv2.CV_32F, 1, 0), cv2.Sobel(light, cv2.CV_32F, 0, 1)
    xx, yy, xy = (cv2.GaussianBlur(a * shown, (0, 0), width) for a in (x * x, y * y, x * y))
    strength = np.hypot(xx - yy, 2 * xy)
    order = float(strength[shown].sum() / max(float((xx + yy)[shown].sum()), 1e-9))
    return 0.5 * np.arctan2(2 * xy, xx - yy) + np.pi / 2, min(1.5 * order, 1.0)


def _drawn_out(detail: Array, angle: Array, scale: float) -> Array:
    """The detail (S, S, 3), averaged along the strands: what is left are strands. scale: pixels in a metre of `TAPS`."""
    rows, columns = np.indices(angle.shape, np.float32)
    x, y = np.cos(angle).astype(np.float32) * scale, np.sin(angle).astype(np.float32) * scale
    taps = [cv2.remap(detail, columns + t * x, rows + t * y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT) for t in TAPS]
    return np.asarray(np.mean(taps, axis=0), np.float32)


def _laid(
    detail: Array, middles: NDArray[np.int64], angle: Array, points: Array, normals: Array, along: Array, scale: float
) -> Array:  # fmt: skip
    """Detail (N, 3) at points: of the patches around each, blended."""
    rng = np.random.default_rng(SEED)
    _, first = np.unique(np.floor(points / PATCH).astype(np.int64), axis=0, return_index=True)
    source = middles[rng.integers(0, len(middles), len(first))]
    count = min(BLENDED, len(first))
    away, which = cKDTree(points[first]).query(points, k=count)
    away, which = away.reshape(-1, count), which.reshape(-1, count)
    weight = np.maximum(1 - away / (2 * PATCH), 1e-3) ** 3
    weight /= np.sqrt((weight**2).sum(axis=1, keepdims=True))
    across = np.cross(normals, along)
    out = np.zeros((len(points), 3), np.float32)
    for k in range(count):
        patch = which[:, k]
        from_middle = points - points[first[patch]]
        s = np.sum(from_middle * along[first[patch]], axis=1) * scale
        t = np.sum(from_middle * across[first[patch]], axis=1) * scale
        row, column = source[patch].T
        turn = angle[row, column]
        x = column + s * np.cos(turn) - t * np.sin(turn)
        y = row + s * np.sin(turn) + t * np.cos(turn)
        out += weight[:, k, None].astype(np.float32) * _at(detail, x, y)
    return out


def _covariance(colors: Array, shown: NDArray[np.bool_], blur: float) -> Array:
    """(3, 3) factor that gives white noise (N, 3) the covariance of what is finer than `blur` pixels in the hair `shown`
    (S, S)."""
    values = in_one_hue(_detail(colors, shown, blur), shown, 1.0)[shown]
    contrast = float(values.mean(axis=1).std()) / max(float(colors[shown].mean()), 1e-3)
    part = min(1.0, MOST_CONTRAST / max(contrast, 1e-6))
    return np.asarray(part * np.linalg.cholesky(np.cov(values.T) + 1e-8 * np.eye(3)).T, np.float32)


def _combed(points: Array, along: Array) -> Array:
    """(N, 3) noise of variance 1 that hardly changes along the directions (N, 3) at points (N, 3), and quickly across them."""
    rng = np.random.default_rng(SEED)
    count = min(NEIGHBOURS, len(points))
    _, near = cKDTree(points).query(points, k=count, workers=available())
    near = near.reshape(-1, count)
    between = points[near] - points[:, None]
    s = np.einsum("nkc,nc->nk", between, along)
    t = np.maximum(np.sum(between**2, axis=2) - s**2, 0)
    total = np.zeros((len(points), 3), np.float32)
    for (wide, long), part in ((STRANDS, 1 - LOCK_PART), (LOCKS, LOCK_PART)):
        weight = np.exp(-0.5 * (s**2 / long**2 + t / wide**2)).astype(np.float32)
        weight /= weight.sum(axis=1, keepdims=True)
        noise = rng.normal(size=(len(points), 3)).astype(np.float32)
        for _ in range(COMBED):
            noise = np.einsum("nk,nkc->nc", weight, noise[near])
        total += np.sqrt(part) * (noise - noise.mean(axis=0)) / np.maximum(noise.std(axis=0), 1e-6)
    return np.clip(total, -MOST_NOISE, MOST_NOISE)


def _at(picture: Array, x: Array64, y: Array64) -> Array:
    """The picture (S, S, 3) at N places, (N, 3); its mirror image beyond its edge."""
    across, down = (np.asarray(a, np.float32).reshape(1, -1) for a in (x, y))
    return np.asarray(cv2.remap(picture, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)[0], np.float32)
