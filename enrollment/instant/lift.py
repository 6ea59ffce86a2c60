"""Lift the pixels of a photo to 3D Gaussians: one flat Gaussian (surfel) for every few pixels, on the fitted surface."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from enrollment.instant.brows import assign_brows
from enrollment.instant.lashes import assign_lashes
from enrollment.instant.surface import VisibleSurface
from enrollment.instant.texture_completion import twins
from enrollment.portrait.portrait import Portrait
from models import arkit, binding
from models.binding import BoundGaussians, Frames
from models.heads.base import REGION, HeadModel
from models.tracking.face_geometry import face_height
from models.types import Array, Gaussians

STEP_FACE, STEP_HEAD, STEP_BODY = 2, 3, 5
"""Pixels of the working picture between neighbouring Gaussians on face, head and body; no finer than the photo's own pixels."""
MOST_LIFTED = 44_000
"""Gaussians from which head and body, and then the outline, get coarser steps: much hair, raised arms."""
SIGMA = 0.55
"""Standard deviation of a Gaussian in steps: neighbours overlap into a closed surface."""
THICKNESS = 0.12
"""Standard deviation of a Gaussian along the surface normal, relative to the one across."""
LASHES = 0.008
"""Width of the lashes, face heights."""
GRAZING = 0.12
"""Cosine between normal and view direction under which a pixel gets no Gaussian; samples of `enrollment.instant.surface` fill
in."""
STEEPEST = 0.35
"""Cosine between normal and view direction under which a Gaussian is not stretched further along its tilt."""
COLLAR = 0.04
"""Distance from the body within which clothes on the mesh's skin are the body's, picture sides."""
LEAN, MOST_LEAN, TUFT, LOCK, SEED = 0.6, 0.012, 0.007, 0.03, 20
"""How far strands that stand off the mesh lean forwards or backwards, relative to how far they stand off, and at most, metres;
width of a tuft, and of a lock far off the mesh, picture sides; the seed of the lots."""
EVEN, FAR_OFF = 0.04, 0.03
"""Width of the neighbourhood over which the depth of such strands is even, and distance from the mesh from which it is so in
full, picture sides: the nearest of head, shoulder and chest would tear hair that is blown aside."""
BACK, MOST_BACK = 1.0, 0.03
"""How far an ear's rim or a collar that stands off the mesh leans backwards, relative to how far it stands off, and at most,
metres: standing upright on the outline, it would be a spike from the side."""
CHEEK, BEHIND = (0.01, 0.02), (0.04, -0.14, 0.05, -0.035, 0.005)
"""On the template, metres: depth from which a point below this height is on cheek or jaw, beside which hair hangs behind; least
distance to the side, heights and depths of the places where it does.
"""
FAR, MIXED = 0.4, 0.012
"""By how much more square on a vertex's twin is seen, cosines, from which it lies on the far side of a turned face; and how far
from hair skin is mixed with it, picture sides."""
FAINT = 0.06
"""Matte from which a pixel gets a Gaussian."""
OPACITY = 0.97
"""Of a Gaussian where the matte is 1."""
MOUTH = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95)
"""Landmarks along the inner edge of the lips."""
MOVES_WITH_JAW = ("mouth_inside", "tongue", "lower_teeth")
"""Regions of the head model that move with the lower jaw."""
TOOTH_REACH, TOOTH_LIGHT = 0.009, 0.7
"""A pixel between the lips belongs to an upper tooth when it is within so many metres of the centre of one of the tooth's
triangles, and at least so bright, relative to the skin."""
LIP_RED = 1.5
"""Redness, relative to the skin's, from which a pixel between the lips is lip or gum."""
LIP_LINE = 0.009
"""Half the height of the line between shut lips, face heights."""
LIPS = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)
"""Landmarks along the lips' outer edge."""
LINE, LINE_LIGHT = 0.010, 0.8
"""How far around the landmarks of the inner edge the dark line between the lips may lie, face heights, and its greatest
brightness, relative to the lips."""
OPENINGS = (
    (MOUTH, ("mouth_inside", "upper_teeth", "lower_teeth", "tongue")),
    ((33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7), ("right_eye",)),
    ((362, 398, 384, 385, 386, 387, 388, 466, 263, 249, 390, 373, 374, 380, 381, 382), ("left_eye",)),
)  # fmt: skip
"""Landmark outlines of the mouth's opening and of the eyes, and the regions of the head model that lie inside of each."""


def lift(
    surface: VisibleSurface,
    portrait: Portrait,
    colors: Array,
    face_area: NDArray[np.bool_],
    avoid: NDArray[np.bool_],
    shown: Array,
) -> BoundGaussians:
    """Gaussians for every pixel of the person, bound to the faces under them.

    surface: the posed head. colors: (S, S, 3) `Portrait.colors`. face_area: (F,) which faces deserve the finest step.
    avoid: (F,) faces that get none, but for the lashes along the eyes. shown: (S, S) in [0, 1], confidence in each pixel.
    A pixel of the person that the mesh does not cover (a curl, a collar) takes depth and face of the nearest one it does.
    """
    model = surface.model
    face, depth, covered = _surface(surface, portrait, colors)
    steps = step_map(face, model, face_area, portrait)
    row, column = _grid(steps, portrait)
    step = steps[row, column]
    z = (_even(depth, covered, portrait) + _ruffled(surface, portrait))[row, column]
    c = surface.camera
    points = np.stack([(column + 0.5 - c.cx) * z / c.fx, -(row + 0.5 - c.cy) * z / c.fy, -z], axis=1).astype(np.float32)
    normal = surface.fragments.interpolate(model.faces, surface.normals)[row, column]
    normal[~covered[row, column]] = (0, 0, 1)
    facing = np.sum(normal * -points, axis=1) / np.linalg.norm(points, axis=1)
    keep = (facing > GRAZING) & (shown[row, column] > FAINT) & (~avoid[face[row, column]] | _lashes(portrait)[row, column])
    sigma = SIGMA * step * z / c.fx
    opacity = (OPACITY * (portrait.matte * shown)[row, column]).astype(np.float32)
    return surfels(
        binding.frames(surface.vertices, model.faces), points[keep], normal[keep], sigma[keep], face[row, column][keep],
        local_mean(colors, step, row, column)[keep], opacity[keep], toward=-points[keep],
    )  # fmt: skip


def _surface(surface: VisibleSurface, portrait: Portrait, colors: Array) -> tuple[NDArray[np.int32], Array, NDArray[np.bool_]]:
    """Face index (S, S), depth (S, S) in metres, and whether the mesh covers the pixel (S, S).

    Corrected by the landmarks: a pixel inside the lips' outline gets a face of the mouth, one inside the eyelids' outline a face
    of the eye, and no pixel outside does, where the fitted mesh disagrees.
    """
    fragments, model = surface.fragments, surface.model
    region = np.where(fragments.face >= 0, model.region[np.maximum(fragments.face, 0)], 255)
    face, depth = fragments.face.copy(), fragments.depth.copy()
    covered = fragments.face >= 0
    points = portrait.landmarks.points[:, :2]
    for outline, names in OPENINGS:
        within = opening(outline, portrait) if outline == MOUTH else polygon_of(outline, points, face.shape)
        belongs = np.isin(region, [REGION[n] for n in names])
        for wrong, right in ((within & ~belongs, belongs), (~within & belongs, (region == REGION["skin"]) & ~within)):
            if wrong.any() and right.any():
                near = ndimage.distance_transform_edt(~right, return_distances=False, return_indices=True)
                at = near[0][wrong], near[1][wrong]
                face[wrong], depth[wrong], covered[wrong] = fragments.face[at], fragments.depth[at], False
    _assign_clothes(surface, portrait, face, depth, covered)
    _assign_teeth(surface, colors, opening(MOUTH, portrait), face, depth, covered)
    _assign_lip_line(surface, portrait, colors, face)
    _assign_beside(surface, portrait, face, depth)
    assign_lashes(surface, portrait, colors, face, depth, _eyes_opened(portrait))
    assign_brows(surface, portrait, colors, face)
    near = ndimage.distance_transform_edt(face < 0, return_distances=False, return_indices=True)
    return face[near[0], near[1]], depth[near[0], near[1]], covered


def _even(depth: Array, covered: NDArray[np.bool_], portrait: Portrait) -> Array:
    """(S, S) the depth, evened out where hair stands far off the mesh."""
    side = len(depth)
    strands = ~covered & portrait.hairy & (portrait.matte > FAINT)
    part = np.clip(ndimage.distance_transform_edt(~covered) / (FAR_OFF * side), 0, 1) * strands
    if not part.any():
        return depth
    weight = strands.astype(np.float32)
    share = cv2.GaussianBlur(weight, (0, 0), EVEN * side)
    even = cv2.GaussianBlur(depth * weight, (0, 0), EVEN * side) / np.maximum(share, 1e-6)
    return np.where(strands, depth + part * (even - depth), depth).astype(np.float32)


def _ruffled(surface: VisibleSurface, portrait: Portrait) -> Array:
    """(S, S) metres, depth to be added where something stands off the mesh, the more the further it does: tufts of hair lean
    forwards and backwards, as all in one plane they would be a comb from the side; what is no hair leans backwards."""
    shape = portrait.matte.shape
    off = ndimage.distance_transform_edt(surface.fragments.face < 0)
    lots = np.random.default_rng(SEED).normal(size=shape)
    tufts, locks = (ndimage.gaussian_filter(lots, width * shape[0]) for width in (TUFT, LOCK))
    far = np.clip(off / (FAR_OFF * shape[0]), 0, 1)
    noise = (1 - far) * tufts / tufts.std() + 0.5 * far * locks / locks.std()
    metres = off * float(np.median(surface.fragments.depth[surface.fragments.face >= 0])) / surface.camera.fx
    leaning = np.clip(LEAN * metres, 0, MOST_LEAN) * np.clip(noise, -1.5, 1.5)
    return np.where(portrait.hairy, leaning, np.clip(BACK * metres, 0, MOST_BACK)).astype(np.float32)


def opening(outline: tuple[int, ...], portrait: Portrait) -> NDArray[np.bool_]:
    """(S, S) the pixels within some landmarks, less what is too thin to be an opening: between shut lips lies their dark line."""
    radius = round(LIP_LINE * face_height(portrait.landmarks))
    within = polygon_of(outline, portrait.landmarks.points[:, :2], portrait.matte.shape)
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return np.asarray(cv2.morphologyEx(within.astype(np.uint8), cv2.MORPH_OPEN, disk) > 0)


def polygon_of(outline: tuple[int, ...], points: Array, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """(S, S) the pixels within some landmarks; points: (478, 2) pixels."""
    out = np.zeros(shape, np.uint8)
    cv2.fillPoly(out, [np.round(points[list(outline)] * 16).astype(np.int32)], 1, shift=4)
    return out > 0


def _assign_clothes(
    surface: VisibleSurface, portrait: Portrait, face: NDArray[np.int32], depth: Array, covered: NDArray[np.bool_]
) -> None:
    """Assign pixels that show clothes to the body where the mesh has skin a little too far out: a shoulder seen beside the jaw is
    not on the jaw. A high collar, further from the body, stays on the neck. Changes face, depth and covered in place."""
    if portrait.parsing is None:
        return
    region = np.where(face >= 0, surface.model.region[np.maximum(face, 0)], 255)
    body = region == REGION["body"]
    if not body.any():
        return
    away, near = ndimage.distance_transform_edt(~body, return_indices=True)
    wrong = portrait.parsing.most("clothes") & (region == REGION["skin"]) & (away < COLLAR * len(face))
    at = near[0][wrong], near[1][wrong]
    face[wrong], depth[wrong], covered[wrong] = face[at], depth[at], False


def _assign_teeth(
    surface: VisibleSurface,
    colors: Array,
    mouth: NDArray[np.bool_],
    face: NDArray[np.int32],
    depth: Array,
    covered: NDArray[np.bool_],
) -> None:
    """Assign bright pixels between the lips to the upper teeth near them, also where the mesh has tongue or the mouth's inside:
    otherwise the teeth of a smile would move down with the jaw. Dark pixels on the upper teeth are shadow, and go to the cavity;
    red ones are lip or gum, and go to the nearest skin: teeth would take them along.

    colors: (S, S, 3). mouth: (S, S) pixels between the lips. Changes face, depth and covered in place.
    """
    model = surface.model
    region = np.where(face >= 0, model.region[np.maximum(face, 0)], 255)
    skin = (region == REGION["skin"]) & ~mouth
    teeth = np.flatnonzero(model.region_faces("upper_teeth"))
    corners = surface.vertices[model.faces[teeth]]
    centre = corners.mean(axis=1)
    outwards = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    front = np.sum(outwards * centre, axis=1) < 0
    if not mouth.any() or not skin.any() or not front.any():
        return
    teeth, centre = teeth[front], centre[front]
    around = skin & (ndimage.distance_transform_edt(~mouth) < np.ptp(np.nonzero(mouth)[1]))
    tone = np.median(colors[around if around.any() else skin], axis=0)
    light, red = colors.mean(axis=2), redder(colors, tone)
    bright = light > TOOTH_LIGHT * np.median(light[skin])
    lip = mouth & bright & red & np.isin(region, [REGION["upper_teeth"], REGION["lower_teeth"]])
    near = ndimage.distance_transform_edt(~skin, return_distances=False, return_indices=True)
    at = near[0][lip], near[1][lip]
    face[lip], depth[lip], covered[lip] = face[at], depth[at], False
    shadow = mouth & ~bright & (region == REGION["upper_teeth"])
    face[shadow], covered[shadow] = np.flatnonzero(model.region_faces("mouth_inside"))[0], False
    row, column = np.nonzero(mouth & bright & ~red & np.isin(region, [REGION[n] for n in MOVES_WITH_JAW]))
    if not len(row):
        return
    away, nearest = cKDTree(surface.camera.project(centre)).query(np.stack([column + 0.5, row + 0.5], axis=1))
    there = away * -centre[nearest, 2] / surface.camera.fx < TOOTH_REACH
    tooth = row[there], column[there]
    face[tooth], depth[tooth], covered[tooth] = teeth[nearest[there]], -centre[nearest[there], 2], False


def _assign_lip_line(surface: VisibleSurface, portrait: Portrait, colors: Array, face: NDArray[np.int32]) -> None:
    """Assign the dark line between the lips to the upper lip's inner side: on the lips' own skin it would be drawn out to dots
    where they part. Changes `face` in place."""
    model, points = surface.model, portrait.landmarks.points[:, :2]
    lips, between = (polygon_of(outline, points, face.shape) for outline in (LIPS, MOUTH))
    around = ndimage.distance_transform_edt(~between) < LINE * face_height(portrait.landmarks)
    if not (lips & ~around).any():
        return
    light = colors.mean(axis=2)
    row, column = np.nonzero(around & ~opening(MOUTH, portrait) & (light < LINE_LIGHT * np.median(light[lips & ~around])))
    inner = upper_lip(model)
    _, nearest = cKDTree(surface.camera.project(surface.vertices[model.faces[inner]].mean(axis=1))).query(
        np.stack([column + 0.5, row + 0.5], axis=1)
    )
    face[row, column] = inner[nearest]


def _assign_beside(surface: VisibleSurface, portrait: Portrait, face: NDArray[np.int32], depth: Array) -> None:
    """Assign hair and jewellery beside cheek and jaw, where the mesh covers nothing, and hair on the rim that a turned face has
    on its far side, to the sides of the head behind: on the cheek's rim they would be a comb before the ear, and dark blotches.
    Changes face and depth in place."""
    if portrait.parsing is None:
        return
    model = surface.model
    x, y, z = model.template[model.faces].mean(axis=1).T
    skin = model.region_faces("skin")
    cheek = skin & (z > CHEEK[0]) & (y < CHEEK[1])
    aside, low, high, back, front = BEHIND
    behind = np.flatnonzero(skin & (np.abs(x) > aside) & (low < y) & (y < high) & (back < z) & (z < front))
    near = ndimage.distance_transform_edt(face < 0, return_distances=False, return_indices=True)
    beside = (face < 0) & portrait.parsing.most("hair", "others") & cheek[face[near[0], near[1]]]
    hair = ndimage.binary_dilation(portrait.parsing.most("hair"), iterations=max(1, round(MIXED * len(face))))
    row, column = np.nonzero(beside | (hair & (face >= 0) & (cheek & _far_rim(surface))[face]))
    if not len(row):
        return
    centre = surface.vertices[model.faces[behind]].mean(axis=1)
    _, nearest = cKDTree(surface.camera.project(centre)).query(np.stack([column + 0.5, row + 0.5], axis=1))
    face[row, column], depth[row, column] = behind[nearest], -centre[nearest, 2]


def _far_rim(surface: VisibleSurface) -> NDArray[np.bool_]:
    """(F,) faces on the far side of a turned head that the photo sees far more aslant than their twins."""
    toward = -surface.vertices / np.linalg.norm(surface.vertices, axis=1, keepdims=True)
    facing = np.sum(toward * surface.normals, axis=1)
    return np.asarray((facing[twins(surface.model)[0]] - facing > FAR)[surface.model.faces].any(axis=1))


def upper_lip(model: HeadModel) -> NDArray[np.int64]:
    """Faces of the mouth's inside that touch the upper lip's inner edge, and not the lower lip's."""
    edge = np.intersect1d(model.region_vertices("skin"), model.region_vertices("mouth_inside"))
    falls = model.expression_basis[arkit.INDEX["jawOpen"], :, 1]
    lower = falls < 0.5 * (falls[edge].min() + falls[edge].max())
    of_edge = np.isin(model.faces, edge)
    touching = model.region_faces("mouth_inside") & of_edge.any(axis=1) & ~(of_edge & lower[model.faces]).any(axis=1)
    return np.flatnonzero(touching)


def redder(colors: Array, skin: Array) -> NDArray[np.bool_]:
    """(...) whether colours (..., 3) are clearly redder than skin (3,), as lips and gums are; yellow teeth are not."""
    redness = colors[..., 0] - colors[..., 1]
    return np.asarray(redness * skin.mean() > LIP_RED * (skin[0] - skin[1]) * colors.mean(axis=-1) + 0.01)


def surfels(
    at: Frames, points: Array, normals: Array, sigma: Array, face: NDArray[np.int32], colors: Array,
    opacities: Array, *, toward: Array | None = None, along: Array | None = None, stretch: Array | None = None,
) -> BoundGaussians:  # fmt: skip
    """N flat Gaussians (surfels) on the surface, bound to the triangles `face` (N,) as they are at `at`.

    sigma: (N,) standard deviation across, metres. toward: (N, 3) directions to the viewer; each Gaussian is then stretched along
    its tilt, so that its projection is round. along: (N, 3) directions in which each is `stretch` (N,) times as long as wide, at
    the same area.
    """
    n = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    upwards = np.tile(np.array([0.0, 1.0, 0.0], np.float32), (len(n), 1))
    reference = next((r for r in (toward, along) if r is not None), upwards)
    reference = reference / np.maximum(np.linalg.norm(reference, axis=1, keepdims=True), 1e-9)
    across = np.cross(n, reference)
    length = np.linalg.norm(across, axis=1, keepdims=True)
    spare = np.where(np.abs(n[:, :1]) < 0.9, [[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]])
    across = np.where(length > 1e-3, across / np.maximum(length, 1e-9), np.cross(n, spare))
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    along = np.cross(n, across)
    thickness = THICKNESS * sigma
    if stretch is not None:
        sigma = sigma / np.sqrt(stretch)
    elif toward is not None:
        stretch = 1 / np.maximum(np.abs(np.sum(n * reference, axis=1)), STEEPEST)
    else:
        stretch = np.ones_like(sigma)
    points = points - 1.5 * thickness[:, None] * n  # the surface is the front of the Gaussian, not its centre
    scales = np.stack([sigma, sigma * stretch, thickness], axis=1)
    rotation = _quaternions(np.stack([across, along, n], axis=2))
    world = Gaussians(
        points.astype(np.float32), rotation, scales.astype(np.float32), opacities.astype(np.float32), colors.astype(np.float32)
    )
    return binding.bind(world, face, at)


def step_map(face: NDArray[np.int32], model: HeadModel, face_area: NDArray[np.bool_], portrait: Portrait) -> NDArray[np.int64]:
    """(S, S) pixels between neighbouring Gaussians, by the region under each pixel; never coarse along the matte's soft edge.

    face: (S, S) face index under each pixel. face_area: (F,) faces that get the finest step.
    """
    finest = STEP_FACE if portrait.scale < 1.5 * STEP_FACE / 2 else STEP_HEAD
    rim = ndimage.minimum_filter(portrait.matte, 5) < 0.95
    person = (portrait.matte > FAINT) & portrait.inside
    for coarser, at_rim in ((0, finest), (1, finest), (1, STEP_HEAD), (2, STEP_HEAD)):
        step = np.full(len(model.faces), STEP_HEAD + coarser)
        step[model.region == REGION["body"]] = STEP_BODY + 2 * coarser
        step[face_area] = finest
        steps = np.where(rim, np.minimum(step[face], at_rim), step[face])
        if np.sum(1 / np.square(steps[person])) < MOST_LIFTED:
            break
    return np.asarray(steps)


def _grid(steps: NDArray[np.int64], portrait: Portrait) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pixels (row, column) that get a Gaussian."""
    side = steps.shape[0]
    i, j = np.mgrid[:side, :side]
    chosen = (i % steps == steps // 2) & (j % steps == steps // 2)
    row, column = np.nonzero(chosen & (portrait.matte > FAINT) & portrait.inside)
    return row, column


def _lashes(portrait: Portrait) -> NDArray[np.bool_]:
    """(S, S) the thin band around the eyes in which lashes and the edge of the lid lie."""
    eyes = _eyes_opened(portrait)
    return np.asarray(~eyes & (ndimage.distance_transform_edt(~eyes) < LASHES * face_height(portrait.landmarks)))


def _eyes_opened(portrait: Portrait) -> NDArray[np.bool_]:
    """(S, S) the pixels between the lids."""
    points, shape = portrait.landmarks.points[:, :2], portrait.matte.shape
    return np.any([polygon_of(outline, points, shape) for outline, _ in OPENINGS if outline != MOUTH], axis=0)


def local_mean(picture: Array, size: NDArray[np.integer], row: NDArray[np.int64], column: NDArray[np.int64]) -> Array:
    """The mean of a picture (H, W, 3) over squares of `size` (N,) pixels around N pixels, (N, 3) float32."""
    out = np.empty((len(row), 3), np.float32)
    for s in np.unique(size):
        of_size = size == s
        out[of_size] = ndimage.uniform_filter(picture, (int(s), int(s), 0))[row[of_size], column[of_size]]
    return out


def _quaternions(r: Array) -> Array:
    """(N, 3, 3) rotations -> (N, 4) float32 wxyz."""
    from scipy.spatial.transform import Rotation

    return np.asarray(Rotation.from_matrix(r).as_quat()[:, [3, 0, 1, 2]], np.float32)
