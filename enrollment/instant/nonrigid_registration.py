"""Non-rigid registration of the fitted head to the photo: landmarks first, then the silhouette, so that hair and shoulders get a
surface.

Both give static per-vertex offsets in avatar space (GaussianAvatars' `static_offset`). The landmark offset is a radial basis
function interpolation in the picture plane. The outline offset moves vertices along smoothed normals until the silhouette is the
matte's, and is extended to what the photo does not show (the back of the head) by a bi-Laplacian interpolation on the mesh.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.sparse.linalg import spsolve

from enrollment.instant.fit import PhotoFit
from enrollment.instant.texture_completion import twins
from enrollment.portrait.accessories import hatted
from enrollment.portrait.portrait import Portrait
from models.heads.base import HeadModel, PersonHead, Pose
from models.heads.raster import rasterize, vertex_normals
from models.tracking.face_geometry import CHIN, CONTOUR, face_height, turned_away
from models.types import Array, Array64

SCALES = ((0.030, 0.3), (0.009, 0.5))
"""Widths of the radial basis functions, metres, coarse to fine, and the ridge regularisation against landmark noise."""
ROUNDS = 7
"""Iterations of the outline registration."""
FURTHEST_OUT, FURTHEST_IN = 0.8, 0.15
"""Search range for the outline along a normal, outwards and inwards, face heights."""
SURE = 0.85
"""Matte value of the outline: beyond it, the matte's soft edge is left to the lifted Gaussians."""
MARGIN, MOST_CUT = 8, 0.05
"""Distance to the photo's edge, pixels, within which an edge of the matte is not the person's; and how far the mesh grows through
hair and clothes that the photo's edge cuts, up to it, metres: what has no surface is a sheet from the side."""
NECK, MOST_NECK, MOST_BARE_NECK = -0.05, 0.07, 0.03
"""Height on the template under which a vertex may be moved outwards by so much at most, metres: a neck with hair or a scarf
around it, but not as far as to the end of a scarf that hangs beside it; and a bare one, whose root would become a wing of skin
otherwise where a shoulder is turned further than the rig knows."""
THROAT, ASIDE = ((0.0, 0.03), (0.07, 0.015)), 12.0
"""Depths on the template and how far at most what lies there may be moved outwards, metres, where hair hangs around the neck of
a face that is turned by so many degrees: it falls before the shoulder, and the throat would get a hook under the chin."""
TURNED, AROUND_NECK = 25.0, 0.02
"""Degrees from which a face counts as turned: from the front, what is wide there is a collar. Part of what the photo shows of
the person below the chin that is hair from which there is hair around the neck."""
STIFFNESS = 0.5
"""Weight of smoothness of the outline offset (`smooth_field`)."""
REST = 2e-3
"""Weight that draws the smooth field to 0 where nothing is measured."""
SMOOTHED = 12
"""Iterations in which normals are averaged with those of their neighbours."""
NORMAL_WIDTH = 0.35
"""Largest cosine between normal and view direction of a vertex on the outline."""
HIDDEN = 0.06
"""Depth behind what is drawn at the pixel of a vertex of the head, metres, from which it is not on the silhouette but behind it:
the far ear of a turned head."""
LOPSIDED, LIKE_TWIN = 25.0, 0.3
"""Degrees by which a face is turned from which what the outline says of one side is taken for the other too, and the weight of
that."""
BRIM = 0.16
"""Half the width of what a brim or a scarf's tail is at most, face heights."""


def posed(person: PersonHead, photo: PhotoFit, *, neutral: bool = False) -> Array:
    """The head's vertices posed as in the photo, (V, 3) in the photo camera's OpenGL axes."""
    pose = Pose(head=photo.head_pose(), body=photo.body_pose(person.joints), gaze=photo.gaze)
    return person.vertices(np.zeros_like(photo.coefficients) if neutral else photo.coefficients, pose)


def landmark_offset(
    model: HeadModel, identity: Array, photo: PhotoFit, portrait: Portrait, *, base: Array | None = None
) -> Array:
    """Offsets (V, 3), on top of `base`, that move the landmarks to where the photo has them; they fade out around the face."""
    offset = np.zeros((model.vertex_count, 3))
    under = np.zeros_like(offset) if base is None else base
    camera = photo.camera(portrait)
    trust = np.clip(model.landmark_weight[:468], 1e-3, 1).astype(np.float64)
    trust[list(CONTOUR)] *= 0.25
    rigid = [model.region_vertices(name) for name in ("left_eye", "right_eye")]
    rigid.append(model.region_vertices("upper_teeth", "lower_teeth", "tongue"))
    for width, ridge in SCALES:
        person = model.person(identity, under + offset)
        vertices = posed(person, photo)
        at = person.landmarks(vertices)[:468].astype(np.float64)
        miss = portrait.landmarks.points[:468, :2] - camera.project(at)
        depth = -at[:, 2:]
        target = np.concatenate([miss[:, :1] * depth, -miss[:, 1:] * depth, np.zeros_like(depth)], axis=1) / photo.focal
        target = target @ photo.rotation  # camera axes -> avatar space
        anchor = person.landmarks(person.expressed(photo.coefficients))[:468].astype(np.float64)
        near = person.expressed(photo.coefficients).astype(np.float64)
        kernel = np.exp(-_squared(anchor, anchor) / (2 * width**2))
        amount = np.linalg.solve(kernel + ridge * np.diag(1 / trust), target)
        field = np.exp(-_squared(near, anchor) / (2 * width**2)) @ amount
        for part in rigid:
            field[part] = field[part].mean(axis=0)
        offset += field
    return offset.astype(np.float32)


def outline_offset(
    model: HeadModel, identity: Array, offset: Array, photo: PhotoFit, portrait: Portrait, measured: NDArray[np.bool_]
) -> Array:
    """Offsets (V, 3) along smoothed normals that bring the mesh's silhouette to the matte's outline. measured: (V,) vertices that
    may lie on the silhouette; the others follow their neighbours."""
    laplacian, average = graph(model)
    camera = photo.camera(portrait)
    person = model.person(identity, offset)
    direction = smooth_normals(person.rest, model, average)
    outer = np.zeros(model.vertex_count, bool)
    outer[model.region_vertices("skin", "body")] = True
    outer[model.region_vertices("left_eye", "right_eye", "eye_socket", "mouth_inside", "tongue")] = False
    face, seen = _near_landmarks(model, person), outer & measured
    most = np.where(model.template[:, 1] < NECK, _most_neck(portrait), np.inf)
    if turned_away(portrait.landmarks) > ASIDE and _hair_around_neck(portrait):
        most = np.minimum(most, np.where(model.template[:, 1] < NECK, np.interp(model.template[:, 2], *THROAT), np.inf))
    amount, solid = np.zeros(model.vertex_count), _without_brim(portrait)
    twin, alike = twins(model)
    turned, even = one_sided(portrait), alike & outer & ~face & (model.template[:, 1] > NECK)
    for _ in range(ROUNDS):
        person = model.person(identity, offset + (amount[:, None] * direction))
        vertices = posed(person, photo)
        normals = smooth_normals(vertices, model, average)
        drawn = rasterize(vertices, model.faces, camera, cull=False)
        xy = camera.project(vertices)
        free = seen & ~face & (not_behind(vertices, xy, drawn.depth) | (model.template[:, 1] < NECK))
        distance, weight = _outline_distance(vertices, normals, drawn.face >= 0, free, xy, photo, portrait, solid)
        weight[face] = 1.0
        target = np.where(face, 0.0, np.minimum(amount + distance, most))
        if turned:
            alone = (weight == 0) & (weight[twin] > 0) & even
            target[alone], weight[alone] = target[twin][alone], LIKE_TWIN
        amount = smooth_field(laplacian, weight, target, STIFFNESS)
        amount[~outer & ~face] = np.minimum(amount[~outer & ~face], 0.0)
    return np.asarray(amount[:, None] * direction, np.float32)


def one_sided(portrait: Portrait) -> bool:
    """Whether the outline shows other parts of the head's two sides, and what it says of one holds for the other: a face that is
    turned, without a hat or a scarf."""
    return turned_away(portrait.landmarks) > LOPSIDED and not hatted(portrait)


def _most_neck(portrait: Portrait) -> float:
    """How far the neck may be moved outwards, metres."""
    if portrait.parsing is None or hatted(portrait) or turned_away(portrait.landmarks) < TURNED:
        return MOST_NECK
    return MOST_NECK if _hair_around_neck(portrait) else MOST_BARE_NECK


def _hair_around_neck(portrait: Portrait) -> bool:
    """Whether the photo shows hair below the chin."""
    if portrait.parsing is None:
        return False
    below = (portrait.matte > SURE) & portrait.inside
    below[: int(portrait.landmarks.points[CHIN, 1])] = False
    hair = portrait.parsing.most("hair")[below]
    return bool(len(hair) and hair.mean() > AROUND_NECK)


def _outline_distance(
    vertices: Array,
    normals: Array,
    hit: NDArray[np.bool_],
    outer: NDArray[np.bool_],
    xy: Array64,
    photo: PhotoFit,
    portrait: Portrait,
    solid: NDArray[np.bool_],
) -> tuple[Array64, Array64]:
    """Distance (V,) of each silhouette vertex from the matte's outline along its normal, metres; and its weight (V,), 0 off the
    silhouette and where the outline is unknown. From hair and clothes that the photo's edge cuts: to that edge."""
    side = portrait.image.shape[0]
    rim = ndimage.distance_transform_edt(hit)
    view = -vertices / np.linalg.norm(vertices, axis=1, keepdims=True)
    facing = np.sum(view * normals, axis=1)
    column, row = np.clip(xy.astype(int), 0, side - 1).T
    within = (xy >= 0).all(axis=1) & (xy < side).all(axis=1)
    chosen = np.flatnonzero(outer & within & (np.abs(facing) < NORMAL_WIDTH) & (rim[row, column] < 0.02 * side))
    distance, weight = np.zeros(len(vertices)), np.zeros(len(vertices))
    height = face_height(portrait.landmarks)
    steps = np.arange(-FURTHEST_IN * height, FURTHEST_OUT * height, 1.0)
    flat = normals[chosen, :2] * np.array([1, -1])
    length = np.linalg.norm(flat, axis=1)
    ray = xy[chosen, None] + steps[None, :, None] * (flat / length[:, None])[:, None]
    inside_picture = (ray >= 0).all(axis=2) & (ray < side - 1).all(axis=2)
    at = np.clip(ray.astype(int), 0, side - 1)
    person = solid[at[..., 1], at[..., 0]] & inside_picture
    shown = ndimage.binary_erosion(portrait.inside, iterations=MARGIN)
    known = inside_picture & shown[at[..., 1], at[..., 0]]
    zero = int(np.argmin(np.abs(steps)))
    mesh = hit[at[..., 1], at[..., 0]] & inside_picture
    worn = _worn(portrait)[at[..., 1], at[..., 0]]
    for i, vertex in enumerate(chosen):
        edge, surface = _exit(person[i], zero), _exit(mesh[i], zero)
        if edge is None or surface is None:
            continue  # the person goes on beyond the picture
        away = (edge - surface) * -vertices[vertex, 2] / photo.focal / length[i]
        if known[i, edge] or (0 < away < MOST_CUT and worn[i, surface:edge].all()):
            distance[vertex], weight[vertex] = away, 1.0
    return distance, weight


def _worn(portrait: Portrait) -> NDArray[np.bool_]:
    """(S, S) hair and clothes, but for those along the photo's lower edge, where a bust ends."""
    if portrait.parsing is None:
        return np.zeros(portrait.matte.shape, bool)
    worn = portrait.parsing.most("hair", "clothes") & portrait.inside
    worn[np.flatnonzero(portrait.inside.any(axis=1))[-1] - MARGIN :] = False
    return np.asarray(worn)


def not_behind(vertices: Array, xy: Array64, depth: Array) -> NDArray[np.bool_]:
    """(V,) vertices that no nearer surface hides, those on the silhouette's back included. vertices: (V, 3) before the camera, -z
    forwards. xy: (V, 2) their pixels. depth: (S, S) of what is drawn, metres."""
    column, row = np.clip(xy.astype(int), 0, len(depth) - 1).T
    return np.asarray(-vertices[:, 2] < depth[row, column] + HIDDEN)


def _without_brim(portrait: Portrait) -> NDArray[np.bool_]:
    """(S, S) the person, without what stands off a hat or a scarf and is thin: a brim, a tail. The mesh would get horns there."""
    person = portrait.matte > SURE
    if portrait.parsing is None or not hatted(portrait):
        return np.asarray(person)
    radius = round(BRIM * face_height(portrait.landmarks))
    open_ = np.pad(person | ~portrait.inside, radius, mode="edge")
    inner = ndimage.distance_transform_edt(open_) > radius
    opened = (ndimage.distance_transform_edt(~inner) <= radius)[radius:-radius, radius:-radius]
    return np.asarray(person & (opened | ~portrait.parsing.most("clothes", "others")))


def _exit(inside: NDArray[np.bool_], start: int) -> int | None:
    """Index at which a ray leaves a shape: the first step outside from `start` on; None when the ray never does.

    When `start` itself is outside: the step after the last one inside before it.
    """
    if inside[start]:
        out = np.flatnonzero(~inside[start:])
        return start + int(out[0]) if len(out) else None
    before = np.flatnonzero(inside[:start])
    return int(before[-1]) + 1 if len(before) else None


def _near_landmarks(model: HeadModel, person: PersonHead) -> NDArray[np.bool_]:
    """(V,) vertices that the landmarks hold in place: the face without hair and neck."""
    marks = person.landmarks(person.rest)[:468]
    return np.asarray(_squared(person.rest, marks).min(axis=1) < 0.008**2)


def _squared(a: NDArray[np.floating], b: NDArray[np.floating]) -> Array64:
    return np.asarray(np.maximum((a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T, 0), np.float64)


def graph(model: HeadModel) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
    """The mesh's normalised graph Laplacian, and its neighbour-averaging matrix, (V, V)."""
    f = model.faces
    i = np.concatenate([f[:, 0], f[:, 1], f[:, 2]])
    j = np.concatenate([f[:, 1], f[:, 2], f[:, 0]])
    n = model.vertex_count
    adjacency = sparse.coo_matrix((np.ones(len(i) * 2), (np.concatenate([i, j]), np.concatenate([j, i]))), (n, n)).tocsr()
    adjacency.data[:] = 1.0
    average = sparse.diags(1 / np.maximum(np.asarray(adjacency.sum(axis=1)).ravel(), 1)) @ adjacency
    return (sparse.identity(n) - average).tocsr(), average.tocsr()


def smooth_field(laplacian: sparse.csr_matrix, weight: Array64, target: Array64, stiffness: float) -> Array64:
    """(V,) smoothest field near `target` (V,) where `weight` (V,) is set: weighted least squares with a bi-Laplacian regulariser,
    and 0 far from all weights. laplacian: from `graph`."""
    matrix = sparse.diags(weight + REST) + stiffness * (laplacian.T @ laplacian)
    return np.asarray(spsolve(matrix.tocsc(), weight * target))


def smooth_normals(vertices: Array, model: HeadModel, average: sparse.csr_matrix) -> Array:
    """Unit normals (V, 3), averaged over `SMOOTHED` rings of neighbours. average: from `graph`."""
    normals = vertex_normals(vertices, model.faces).astype(np.float64)
    for _ in range(SMOOTHED):
        normals = average @ normals
    return np.asarray(normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9), np.float32)
