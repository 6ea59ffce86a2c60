"""The conditions of the diffusion prior for one target view of an enrolled person: the instant avatar drawn in that view, the
photo warped into it, and the head's pose map (GeoDiff4D). Training pairs (`enrollment.prior_training.training_pairs`) and
synthesis (`enrollment.high.synthesize`) use the same code.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from enrollment.instant.fit import PhotoFit
from enrollment.instant.nonrigid_registration import posed
from enrollment.instant.pipeline import Enrollment
from enrollment.instant.surface import VisibleSurface
from enrollment.portrait.portrait import Portrait
from models.avatar import AvatarPoser
from models.heads.base import HeadModel, PersonHead, Pose
from models.heads.raster import rasterize, vertex_normals
from models.splat.cpu import CpuRasterizer
from models.synthetic.expressions import gaze_of
from models.types import Array, Camera

SHOWN, MIDDLE, FOV = 0.42, (0.0, -0.015, 0.0), 20.0
"""Of every target view: height of the picture at the middle of the head, metres; the point that the camera looks at, avatar
space; vertical field of view, degrees. A portrait's crop (`enrollment.portrait.portrait.CROP`) shows about as much."""
OVERSAMPLED = 2
"""Pictures are drawn this many times larger in each direction, then averaged."""
GRAZING, SQUARE_ON = 0.2, 0.5
"""Cosines between the surface normal and the direction to the photo's camera at which a pixel's visibility begins to rise from 0,
and at which it reaches 1."""
SURE = (0.8, 0.98)
"""Matte values at which a pixel's visibility begins to rise from 0, and at which it reaches 1."""
OPENGL = np.array([1.0, -1.0, -1.0], np.float32)
"""Factors (3,) that turn OpenCV camera axes into OpenGL camera axes, and back."""


@dataclass(frozen=True)
class ViewConditions:
    """The conditions of one target view, float32; H and W are its camera's height and width.

    color: (H, W, 3) sRGB on white, normals: (H, W, 3) and alpha: (H, W), of the instant avatar. warp: (H, W, 3) sRGB, the photo
    warped into the target view over the fitted surface, 0 where visibility: (H, W) in [0, 1] is 0. pose: (H, W, 3) normals of the
    fitted head without hair, expression zero. Normals are in the camera's OpenGL axes, times alpha.
    """

    color: Array
    normals: Array
    alpha: Array
    warp: Array
    visibility: Array
    pose: Array


def target_camera(yaw: float, pitch: float = 0.0, *, size: int, shown: float = SHOWN) -> Camera:
    """The square camera of a target view; yaw and pitch in degrees, yaw positive towards the person's left."""
    angle = float(np.deg2rad(FOV))
    distance = float(0.5 * shown / np.tan(0.5 * angle))
    return Camera.orbit(np.deg2rad(yaw), np.deg2rad(pitch), distance, width=size, height=size, fov_y=angle, target=MIDDLE)


@dataclass(frozen=True)
class SourceView:
    """A picture whose pixels can be warped into other views. surface: the head in its camera's OpenGL axes. colors: (S, S, 3).
    sure: (S, S) in [0, 1], weight of each pixel as a source. density: pixels a metre at the head."""

    surface: VisibleSurface
    colors: Array
    sure: Array
    density: float

    @staticmethod
    def of_portrait(portrait: Portrait, person: PersonHead, photo: PhotoFit) -> SourceView:
        """The photo of a portrait, with the head as it was fitted to the photo."""
        known = portrait.matte * portrait.inside
        surface = VisibleSurface.of(person.model, posed(person, photo), photo.camera(portrait))
        density = photo.focal / max(-float(photo.translation[2]), 0.1)
        return SourceView(surface, portrait.colors, _sure(known), density)

    @staticmethod
    def of_view(color: Array, matte: Array, camera: Camera, person: PersonHead, vertices: Array) -> SourceView:
        """A picture (S, S, 3) that was made from `camera`, of the head with `vertices` (V, 3), both in avatar space."""
        m = camera.world_to_camera
        seen = ((vertices @ m[:3, :3].T + m[:3, 3]) * OPENGL).astype(np.float32)
        local = replace(camera, world_to_camera=np.diag([1.0, -1.0, -1.0, 1.0]))
        return SourceView(VisibleSurface.of(person.model, seen, local), color, _sure(matte), _density(camera))

    def warp_to(self, camera: Camera, vertices: Array) -> tuple[Array, Array]:
        """The picture warped over the surface into another camera: colour (H, W, 3) and visibility (H, W), 0 where hidden.

        vertices: (V, 3), the head posed as in the target view. For each pixel of the target the surface point under it is
        projected into this picture (backward warping).
        """
        faces = self.surface.model.faces
        fragments = rasterize(vertices, faces, camera)
        hit = fragments.face >= 0
        at, bary = faces[fragments.face[hit]], fragments.barycentric[hit]
        points, normals = (np.einsum("nk,nkc->nc", bary, a[at]) for a in (self.surface.vertices, self.surface.normals))
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-6)
        seen, xy, facing = self.surface.visible(points, normals)
        side = self.colors.shape[0]
        size = int(np.clip(round(side * _density(camera) / self.density), min(16, side), side))
        colors, sure = (cv2.resize(a, (size, size), interpolation=cv2.INTER_AREA) for a in (self.colors, self.sure))
        x, y = np.zeros((2, *hit.shape), np.float32)
        x[hit], y[hit] = (xy * (size / side) - 0.5).T
        sampled = cv2.remap(colors, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        visibility = np.zeros(hit.shape, np.float32)
        visibility[hit] = seen * np.clip((facing - GRAZING) / (SQUARE_ON - GRAZING), 0, 1)
        visibility *= cv2.remap(sure, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        warp = np.where(visibility[..., None] > 0, sampled, 0).astype(np.float32)
        return warp, visibility


def _sure(known: Array) -> Array:
    return np.clip((known - SURE[0]) / (SURE[1] - SURE[0]), 0, 1).astype(np.float32)


def _density(camera: Camera) -> float:
    """Pixels a metre at the origin."""
    return camera.fx / max(float(np.linalg.norm(camera.position)), 0.1)


class Conditioner:
    """Draws the `ViewConditions` of one enrolled person."""

    def __init__(self, enrollment: Enrollment, model: HeadModel, *, threads: int | None = None) -> None:
        """enrollment: an instant one; its leading photo is warped. threads: of the rasterizer; all cores when None."""
        avatar, photo, portrait = enrollment.avatar, enrollment.fit.photos[0], enrollment.portraits[0]
        self.model, self.photo, self.portrait = model, photo, portrait
        self.person, self._bare = avatar.person(model), model.person(avatar.identity)
        self._poser, self._rasterizer = AvatarPoser(avatar, model), CpuRasterizer(threads)
        self._source = SourceView.of_portrait(portrait, self.person, photo)

    def reference(self, size: int) -> tuple[Array, Array]:
        """The photo on white, (size, size, 3), and the pose map (size, size, 3) of the head in the photo's camera."""
        p = self.portrait
        matte = (p.matte * p.inside)[..., None]
        color = cv2.resize(self._source.colors * matte + 1 - matte, (size, size), interpolation=cv2.INTER_AREA)
        camera = self._source.surface.camera.resized(size, size)
        return np.asarray(color, np.float32), pose_map(self._bare, posed(self._bare, self.photo, neutral=True), camera)

    def conditions_for(
        self, camera: Camera, coefficients: NDArray[np.floating], pose: Pose | None = None, *, oversampled: int = OVERSAMPLED
    ) -> ViewConditions:
        """Of the target view from `camera`. coefficients: (52,). pose: `self.pose(coefficients)` when left out."""
        c = np.asarray(coefficients, np.float32)
        pose = pose or self.pose(c)
        fine = camera.resized(camera.width * oversampled, camera.height * oversampled)
        drawn = self._rasterizer.render(self._poser.pose(c, pose), fine, normal=True)
        assert drawn.normal is not None
        alpha = shrunk(drawn.alpha, oversampled)
        normals = in_camera(shrunk(drawn.normal, oversampled), alpha, camera)
        warp, seen = self.warp(self._source, camera, c, pose, oversampled=oversampled)
        neutral = self._bare.vertices(np.zeros_like(c), pose)
        return ViewConditions(shrunk(drawn.color, oversampled), normals, alpha, warp, seen, pose_map(self._bare, neutral, camera))

    def warp(
        self, source: SourceView, camera: Camera, coefficients: Array, pose: Pose, *, oversampled: int = OVERSAMPLED
    ) -> tuple[Array, Array]:
        """`source` warped into a target view: colour (H, W, 3), 0 where nothing is visible, and visibility (H, W)."""
        fine = camera.resized(camera.width * oversampled, camera.height * oversampled)
        warp, visibility = source.warp_to(fine, self.person.vertices(coefficients, pose))
        seen = shrunk(visibility, oversampled)
        color = shrunk(warp * visibility[..., None], oversampled) / np.maximum(seen, 1e-6)[..., None]
        return np.where(seen[..., None] > 0, color, 0).astype(np.float32), seen

    def pose(self, coefficients: Array) -> Pose:
        """The head at the origin, its eyes turned as the coefficients (52,) say."""
        return Pose(gaze=gaze_of(self.model, coefficients))

    def draw(self, camera: Camera, coefficients: Array, background: float = 1.0) -> Array:
        """The instant avatar, (H, W, 3) over grey."""
        c = np.asarray(coefficients, np.float32)
        return self._rasterizer.render(self._poser.pose(c, self.pose(c)), camera, background=(background,) * 3).color


def pose_map(person: PersonHead, vertices: Array, camera: Camera) -> Array:
    """Normals of a posed head (V, 3) in a camera's OpenGL axes, times coverage, (H, W, 3) float32 (GeoDiff4D, head-pose maps)."""
    faces = person.model.faces
    fine = camera.resized(OVERSAMPLED * camera.width, OVERSAMPLED * camera.height)
    fragments = rasterize(vertices, faces, fine)
    normals = shrunk(fragments.interpolate(faces, vertex_normals(vertices, faces)), OVERSAMPLED)
    return in_camera(normals, shrunk((fragments.face >= 0).astype(np.float32), OVERSAMPLED), camera)


def in_camera(normals: Array, alpha: Array, camera: Camera) -> Array:
    """World normals (H, W, 3) of any length, turned into the camera's OpenGL axes and scaled to the length alpha (H, W), as the
    prior takes them."""
    turned = (normals @ camera.world_to_camera[:3, :3].T.astype(np.float32)) * OPENGL
    length = np.linalg.norm(turned, axis=2, keepdims=True)
    return np.asarray(np.divide(turned, length, out=np.zeros_like(turned), where=length > 1e-6) * alpha[..., None], np.float32)


def shrunk(picture: Array, by: int) -> Array:
    """Means over blocks of `by` x `by` pixels of (H, W) or (H, W, C)."""
    h, w = picture.shape[0] // by, picture.shape[1] // by
    return np.asarray(picture.reshape(h, by, w, by, *picture.shape[2:]).mean(axis=(1, 3)), np.float32)
