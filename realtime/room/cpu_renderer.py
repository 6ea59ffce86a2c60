"""The pictures of a room, drawn by the processor, or by any other rasterizer that draws from and into the host's memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from models.avatar import Avatar
from models.heads.base import HeadModel
from models.renderer import view_camera
from models.splat.base import LiveRasterizer
from models.types import Camera, Gaussians
from realtime.room.framing import add_mask
from realtime.room.renderer import Pixels, RoomPicture, Timings, timed
from realtime.room.scene import Composer, Placed, SceneAvatar


class CpuRoomRenderer:
    """See `RoomRenderer`: one picture after the other."""

    at_once = 1

    def __init__(self, rasterizer: LiveRasterizer) -> None:
        self._rasterizer = rasterizer
        self._compose = Composer()
        self._rooms: dict[tuple[str, int], Pixels] = {}

    def warm(self, width: int, height: int) -> None:
        """Compile what is compiled at the first picture."""
        nothing = Gaussians(*(np.zeros(shape, np.float32) for shape in ((1, 3), (1, 4), (1, 3), 1, (1, 3))))
        out = self._room("canvas", 0, (height, width, 3))
        self._rasterizer.render_into(nothing, view_camera(width=width, height=height), out)

    def avatar(self, avatar: Avatar, model: HeadModel) -> SceneAvatar:
        """See `RoomRenderer`."""
        return SceneAvatar(avatar, model)

    def draw(self, pictures: Sequence[RoomPicture], timings: Timings) -> list[Pixels]:
        """See `RoomRenderer`."""
        return [self._draw(number, picture, timings) for number, picture in enumerate(pictures)]

    def _draw(self, number: int, picture: RoomPicture, timings: Timings) -> Pixels:
        camera, channels = picture.camera, 4 if picture.mask else 3
        canvas = self._room("canvas", number, (camera.height, camera.width, channels))
        if not picture.shown:
            canvas[..., :3], canvas[..., 3:] = picture.background, 0
        else:
            with timed(timings, "pose"):
                placed = [
                    Placed(s.avatar.gaussians(s.drive, picture.scale * s.pixels_per_metre), s.transform) for s in picture.shown
                ]
            with timed(timings, "splat"):
                self._splat(*self._compose(placed, camera), picture, canvas)
        if not picture.mask:
            return canvas
        out = self._room("masked", number, (picture.height, camera.width, 3))
        add_mask(canvas, out)
        return out

    def _splat(self, gaussians: Gaussians, camera: Camera, picture: RoomPicture, canvas: Pixels) -> None:
        draw: Callable[..., None] = self._with_alpha if picture.mask else self._rasterizer.render_into
        if picture.scale == 1.0:
            draw(gaussians, camera, canvas, picture.behind)
            return
        width, height = picture.drawn_size
        small = self._room("small", 0, (height, width, canvas.shape[2]))
        draw(gaussians, camera.resized(width, height), small, picture.behind)
        cv2.resize(small, (camera.width, camera.height), dst=canvas, interpolation=cv2.INTER_CUBIC)

    def _with_alpha(self, gaussians: Gaussians, camera: Camera, out: Pixels, behind: tuple[float, float, float]) -> None:
        picture = self._rasterizer.render(gaussians, camera, background=behind)
        rgba = cv2.merge((*cv2.split(picture.color), picture.alpha))
        cv2.convertScaleAbs(rgba, dst=out, alpha=255.0)

    def _room(self, kind: str, number: int, shape: tuple[int, int, int]) -> Pixels:
        """An array of that shape, whatever is in it, in memory that is kept."""
        size = shape[0] * shape[1] * shape[2]
        kept = self._rooms.get((kind, number))
        if kept is None or len(kept) < size:
            kept = self._rooms[kind, number] = np.zeros(size, np.uint8)
        return kept[:size].reshape(shape)
