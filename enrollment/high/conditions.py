"""What the diffusion prior is told about a wanted view of an enrolled person: the instant avatar seen from there, the photo
warped there, and the head's pose map. Training pairs (`enrollment.practice`) and synthesis (`enrollment.high.synthesize`) both
come from here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from enrollment.instant.fit import PhotoFit
from enrollment.instant.lift import clean_colors
from enrollment.instant.nonrigid_registration import posed
from enrollment.instant.surface import View
from enrollment.portrait.portrait import Portrait
from models.avatar import Avatar, AvatarPoser
from models.heads.base import HeadModel, PersonHead, Pose
from models.heads.raster import rasterize, vertex_normals
from models.splat.cpu import CpuRasterizer
from models.synthetic.expressions import gaze_of
from models.types import Array, Camera

SHOWN, MIDDLE, FOV = 0.42, (0.0, -0.015, 0.0), 20.0
"""Every wanted view: metres that a picture is high at the middle of the head, what it looks at in avatar space, degrees. A
portrait's crop (`enrollment.portrait.portrait.CROP`) shows about as much."""
OVERSAMPLED = 2
"""Pictures are drawn this many times larger, then averaged."""
GRAZING, SQUARE_ON = 0.2, 0.5
"""Cosines between surface and photo camera from which, and from which on fully, the photo's pixel is taken for the surface's."""
SURE = (0.8, 0.98)
"""The same for the matte."""
OPENGL = np.array([1.0, -1.0, -1.0], np.float32)
"""Camera axes from OpenCV's to OpenGL's."""


@dataclass(frozen=True)
class Wanted:
    """One wanted view, float32, H and W of its camera.

    color: (H, W, 3) sRGB on white and normals: (H, W, 3) and alpha: (H, W), the instant avatar. warp: (H, W, 3) sRGB, the photo's
    pixels carried there by the surface, 0 where visibility: (H, W) in [0, 1] is 0. pose: (H, W, 3) normals of the fitted head
    without hair, expression zero. Normals are in the camera's OpenGL axes, times alpha.
    """

    color: Array
    normals: Array
    alpha: Array
    warp: Array
    visibility: Array
    pose: Array


def wanted_camera(yaw: float, pitch: float = 0.0, *, size: int, shown: float = SHOWN) -> Camera:
    """The square camera of a wanted view; yaw and pitch in degrees, yaw positive towards the person's left."""
    angle = float(np.deg2rad(FOV))
    distance = float(0.5 * shown / np.tan(0.5 * angle))
    return Camera.orbit(np.deg2rad(yaw), np.deg2rad(pitch), distance, width=size, height=size, fov_y=angle, target=MIDDLE)


@dataclass(frozen=True)
class Source:
    """A picture whose pixels can be carried to other views. view: the head in its camera's OpenGL axes. colors: (S, S, 3).
    sure: (S, S) in [0, 1], how far a pixel may be taken. density: pixels a metre at the head."""

    view: View
    colors: Array
    sure: Array
    density: float

    @staticmethod
    def of_portrait(portrait: Portrait, person: PersonHead, photo: PhotoFit) -> Source:
        known = portrait.matte * portrait.inside
        view = View.of(person.model, posed(person, photo), photo.camera(portrait))
        density = photo.focal / max(-float(photo.translation[2]), 0.1)
        return Source(view, clean_colors(portrait), _sure(known), density)

    @staticmethod
    def of_view(color: Array, matte: Array, camera: Camera, person: PersonHead, vertices: Array) -> Source:
        """A picture (S, S, 3) that was made from `camera`, of the head with `vertices` (V, 3), both in avatar space."""
        m = camera.world_to_camera
        seen = ((vertices @ m[:3, :3].T + m[:3, 3]) * OPENGL).astype(np.float32)
        own = replace(camera, world_to_camera=np.diag([1.0, -1.0, -1.0, 1.0]))
        return Source(View.of(person.model, seen, own), color, _sure(matte), _density(camera))

    def carried(self, camera: Camera, vertices: Array) -> tuple[Array, Array]:
        """Its pixels carried by the surface into another camera, with the head's vertices (V, 3) posed as wanted: for each pixel
        the point of the surface that lies there is looked up here. (H, W, 3) and visibility (H, W), 0 where it is hidden."""
        faces = self.view.model.faces
        fragments = rasterize(vertices, faces, camera)
        hit = fragments.face >= 0
        at, bary = faces[fragments.face[hit]], fragments.barycentric[hit]
        points, normals = (np.einsum("nk,nkc->nc", bary, a[at]) for a in (self.view.vertices, self.view.normals))
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-6)
        seen, xy, facing = self.view.visible(points, normals)
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
    """Makes `Wanted` views of one enrolled person."""

    def __init__(
        self, avatar: Avatar, model: HeadModel, photo: PhotoFit, portrait: Portrait, *, threads: int | None = None
    ) -> None:
        """photo, portrait: the leading ones of the enrollment that `avatar`, an instant one, came from."""
        self.model, self.photo, self.portrait = model, photo, portrait
        self.person, self._bare = avatar.person(model), model.person(avatar.identity)
        self._poser, self._rasterizer = AvatarPoser(avatar, model), CpuRasterizer(threads)
        self._source = Source.of_portrait(portrait, self.person, photo)

    def reference(self, size: int) -> tuple[Array, Array]:
        """The photo on white, (size, size, 3), and its pose map, in its own camera."""
        p = self.portrait
        matte = (p.matte * p.inside)[..., None]
        color = cv2.resize(self._source.colors * matte + 1 - matte, (size, size), interpolation=cv2.INTER_AREA)
        camera = self._source.view.camera.resized(size, size)
        return np.asarray(color, np.float32), pose_map(self._bare, posed(self._bare, self.photo, neutral=True), camera)

    def wanted(
        self, camera: Camera, coefficients: NDArray[np.floating], pose: Pose | None = None, *, oversampled: int = OVERSAMPLED
    ) -> Wanted:
        """One view. coefficients: (52,). pose: head at the origin, eyes turned as the coefficients say, when left out."""
        c = np.asarray(coefficients, np.float32)
        pose = pose or self.pose(c)
        fine = camera.resized(camera.width * oversampled, camera.height * oversampled)
        drawn = self._rasterizer.render(self._poser.pose(c, pose), fine, normal=True)
        assert drawn.normal is not None
        alpha = shrunk(drawn.alpha, oversampled)
        normals = in_camera(shrunk(drawn.normal, oversampled), alpha, camera)
        warp, seen = self.carried(self._source, camera, c, pose, oversampled=oversampled)
        neutral = self._bare.vertices(np.zeros_like(c), pose)
        return Wanted(shrunk(drawn.color, oversampled), normals, alpha, warp, seen, pose_map(self._bare, neutral, camera))

    def carried(
        self, source: Source, camera: Camera, coefficients: Array, pose: Pose, *, oversampled: int = OVERSAMPLED
    ) -> tuple[Array, Array]:
        """The pixels of `source` in a wanted view: colour (H, W, 3), 0 where there is none, and visibility (H, W)."""
        fine = camera.resized(camera.width * oversampled, camera.height * oversampled)
        warp, visibility = source.carried(fine, self.person.vertices(coefficients, pose))
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
    """World normals (H, W, 3) of any length as the prior has them: in the camera's OpenGL axes, as long as alpha (H, W)."""
    turned = (normals @ camera.world_to_camera[:3, :3].T.astype(np.float32)) * OPENGL
    length = np.linalg.norm(turned, axis=2, keepdims=True)
    return np.asarray(np.divide(turned, length, out=np.zeros_like(turned), where=length > 1e-6) * alpha[..., None], np.float32)


def shrunk(picture: Array, by: int) -> Array:
    """Means over blocks of `by` x `by` pixels of (H, W) or (H, W, C)."""
    h, w = picture.shape[0] // by, picture.shape[1] // by
    return np.asarray(picture.reshape(h, by, w, by, *picture.shape[2:]).mean(axis=(1, 3)), np.float32)
