"""Where the people of a room sit, and what one sees from a seat.

The room's axes: x right, y up, z towards the viewer of the plan, metres; the origin is the middle of the table at the height of
the heads. A `Seat` is a rigid transform from avatar space (models/types.py) to the room. Seats are the corners of a regular
polygon that grows with the number of people, so neighbours are never nearer than `models.renderer.DISTANCE`, the distance from
which an avatar looks best. All face the middle.

From a corner of a polygon the others lie up to 180 degrees apart (inscribed angles; no arrangement of seats avoids it, as the
angles of a triangle sum to 180), too wide for one pinhole picture. So a picture from a seat closes the empty angles: each
avatar is rotated *about the eye* into its cell of the picture, and moved along the line of sight until it has the cell's size.
Both keep the side from which the eye sees the avatar: whoever looks at the eye still does, and who looks elsewhere still looks
past. The result is one scene for one pinhole camera, drawn at once. An orbit camera sees the room as it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from models.renderer import DISTANCE, FOV_Y, TARGET
from models.types import Array64, Camera

HEAD_WIDTH, HEAD_HEIGHT = 0.31, 0.42
"""Metres that each avatar has in its cell at least: a head with hair, and air around."""
ALONE = HEAD_HEIGHT / (2 * DISTANCE * math.tan(0.5 * FOV_Y))
"""Part of the picture that the cell of one alone takes: more than all, so that `models.renderer.view_camera` shows it."""
SHOULDER = 0.3
"""Metres from the seats outwards that the picture of the whole table holds."""


@dataclass(frozen=True)
class Seat:
    """position: (3,) of the avatar's origin, metres, room axes. yaw: radians, about y; 0 faces +z."""

    position: Array64
    yaw: float

    @property
    def matrix(self) -> Array64:
        """(4, 4) rigid, avatar space -> room."""
        m = np.eye(4)
        m[:3, :3], m[:3, 3] = about_y(self.yaw), self.position
        return m

    @property
    def forward(self) -> Array64:
        """(3,) unit: where the resting avatar looks."""
        return np.array([math.sin(self.yaw), 0.0, math.cos(self.yaw)])

    @property
    def eye(self) -> Array64:
        """(3,) metres: from where the person sees, and where others look to meet the person's eyes."""
        return self.position + np.asarray(TARGET)


@dataclass(frozen=True)
class Arrangement:
    """A scene as one view sees it. camera: pinhole, in view space. transforms: (K, 4, 4) rigid, room -> view space.
    cells: (K, 4) left, top, width, height of each avatar's part of the picture, in parts of its width and height."""

    camera: Camera
    transforms: Array64
    cells: Array64


def about_y(angle: float) -> Array64:
    """(3, 3) rotation about y, radians; positive takes +z towards +x."""
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])


def radius(count: int) -> float:
    """Metres from the middle to each of `count` seats; 0 for one."""
    return 0.0 if count < 2 else 0.5 * DISTANCE / math.sin(math.pi / count)


def seats(count: int) -> list[Seat]:
    """The seats of `count` people, clockwise as seen from above. A single person faces +z."""
    if count == 1:
        return [Seat(np.zeros(3), 0.0)]
    out = []
    for index in range(count):
        angle = math.pi + 2 * math.pi * index / count
        place = radius(count) * np.array([math.sin(angle), 0.0, math.cos(angle)])
        out.append(Seat(place, angle + math.pi))
    return out


def in_between(start: Seat, end: Seat, share: float) -> Seat:
    """From `start` (0) to `end` (1): the position goes straight, the yaw the shorter way."""
    turn = math.remainder(end.yaw - start.yaw, 2 * math.pi)
    return Seat(start.position + share * (end.position - start.position), start.yaw + share * turn)


def seat_cells(own: Seat, others: list[Seat], width: int, height: int) -> Array64:
    """(K, 4) the cells of `others` on the picture from `own`: from the person's left hand to the right."""
    return _cells(_left_to_right(own, others), width, height)


def spectator_cells(people: list[Seat], width: int, height: int) -> Array64:
    """(K, 4) the cells of `people` on the picture of somebody without a seat, in their order."""
    return _cells(list(range(len(people))), width, height)


def from_seat(own: Seat, others: list[Seat], cells: Array64, width: int, height: int) -> Arrangement:
    """What the person on `own` sees: `others` in `cells`, seen from the seat."""
    return _arranged([own.eye] * len(others), others, cells, width, height)


def for_spectators(people: list[Seat], cells: Array64, width: int, height: int) -> Arrangement:
    """What somebody without a seat sees: everybody, each from before the face. Also what a person alone sees."""
    return _arranged([seat.eye + DISTANCE * seat.forward for seat in people], people, cells, width, height)


def around_table(people: list[Seat], yaw: float, pitch: float, distance: float, width: int, height: int) -> Arrangement:
    """The room as it is, from a camera around its middle. distance: metres from a lone avatar; with more people the camera
    stands as many times further away as the table takes to be in the picture."""
    away = distance * (whole_table(len(people), pitch, width, height) / DISTANCE if len(people) > 1 else 1.0)
    camera = Camera.orbit(yaw, pitch, away, width=width, height=height, fov_y=FOV_Y, target=TARGET)
    cells = np.array([_cell_around(camera, seat) for seat in people]).reshape(-1, 4)
    return Arrangement(camera, np.tile(np.eye(4), (len(people), 1, 1)), cells)


def whole_table(count: int, pitch: float, width: int, height: int) -> float:
    """Metres from the middle from which a picture of that size holds everybody at the table, whatever the yaw."""
    half, reach = math.tan(0.5 * FOV_Y), radius(count)
    across = (reach + SHOULDER) / half * height / width
    down = (reach * abs(math.sin(pitch)) + SHOULDER) / half + reach * math.cos(pitch)  # of who sits nearest
    return max(across, down)


def around_person(seat: Seat, yaw: float, pitch: float, distance: float, width: int, height: int) -> Arrangement:
    """One person alone, from a camera around the head."""
    away = distance * max(1.0, HEAD_WIDTH / HEAD_HEIGHT * height / width)  # in a narrow picture, further away
    camera = Camera.orbit(yaw, pitch, away, width=width, height=height, fov_y=FOV_Y, target=TARGET)
    return Arrangement(camera, np.linalg.inv(seat.matrix)[None], alone()[None])


def alone() -> Array64:
    """(4,) the cell of one alone."""
    return np.array([0.5 - ALONE / 2, 0.5 - ALONE / 2, ALONE, ALONE])


def grid(count: int, width: int, height: int) -> tuple[int, int]:
    """(rows, columns) in which `count` avatars are largest on a picture of that size; fewer rows where it makes no difference."""
    best, largest = (1, 1), 0.0
    for rows in range(1, count + 1):
        columns = -(-count // rows)
        size = min(width / columns / HEAD_WIDTH, height / rows / HEAD_HEIGHT)
        if size > 1.02 * largest:
            best, largest = (rows, columns), size
    return best


def pixels_per_metre(cell: Array64, width: int, height: int) -> float:
    """How large an avatar is drawn in its cell."""
    return float(min(cell[2] * width / HEAD_WIDTH, cell[3] * height / HEAD_HEIGHT))


def _cells(order: list[int], width: int, height: int) -> Array64:
    """Avatar `order[n]` comes into the n-th cell, row by row; each row is centred."""
    count = len(order)
    if count == 1:
        return alone()[None]
    rows, columns = grid(count, width, height)
    cells = np.zeros((count, 4))
    for place, index in enumerate(order):
        row, column = divmod(place, columns)
        in_row = min(columns, count - row * columns)
        x = 0.5 + (column - 0.5 * (in_row - 1)) / columns
        cells[index] = x - 0.5 / columns, row / rows, 1 / columns, 1 / rows
    return cells


def _arranged(eyes: list[Array64], shown: list[Seat], cells: Array64, width: int, height: int) -> Arrangement:
    focal = 0.5 * height / math.tan(0.5 * FOV_Y)
    camera = Camera(width, height, focal, focal, 0.5 * width, 0.5 * height, np.diag([1.0, -1.0, -1.0, 1.0]))
    transforms = np.tile(np.eye(4), (len(shown), 1, 1))
    for index, (eye, seat, cell) in enumerate(zip(eyes, shown, cells, strict=True)):
        x, y = cell[0] + cell[2] / 2, cell[1] + cell[3] / 2
        ray = np.array([(x - 0.5) * width / focal, (0.5 - y) * height / focal, -1.0])
        transforms[index] = _about_eye(eye, seat.eye, ray * focal / pixels_per_metre(cell, width, height))
    return Arrangement(camera, transforms, cells)


def _about_eye(eye: Array64, head: Array64, place: Array64) -> Array64:
    """(4, 4) rigid, room -> a space with the eye at the origin that looks along -z: `head` comes to `place`, seen from the side
    from which `eye` sees it. Rotation about y, then about the horizontal axis across the line of sight, so all stay upright."""
    apart = head - eye
    turn = about_y(math.atan2(place[0], place[2]) - math.atan2(apart[0], apart[2]))
    tilt = math.atan2(place[1], math.hypot(place[0], place[2])) - math.atan2(apart[1], math.hypot(apart[0], apart[2]))
    axis = np.cross([place[0], 0.0, place[2]], [0.0, 1.0, 0.0])
    m = np.eye(4)
    m[:3, :3] = _about(axis / np.linalg.norm(axis), tilt) @ turn
    m[:3, 3] = place - m[:3, :3] @ head
    return m


def _about(axis: Array64, angle: float) -> Array64:
    """(3, 3) Rodrigues' rotation about a unit axis."""
    k = np.array([[0.0, -axis[2], axis[1]], [axis[2], 0.0, -axis[0]], [-axis[1], axis[0], 0.0]])
    return np.asarray(np.eye(3) + math.sin(angle) * k + (1 - math.cos(angle)) * k @ k)


def _left_to_right(own: Seat, others: list[Seat]) -> list[int]:
    """Positions in `others`, by angle from the person's left hand to the right."""
    side = np.array([own.forward[2], 0.0, -own.forward[0]])  # the person's left
    angles = [math.atan2(side @ (seat.position - own.position), own.forward @ (seat.position - own.position)) for seat in others]
    return sorted(range(len(others)), key=lambda index: -angles[index])


def _cell_around(camera: Camera, seat: Seat) -> tuple[float, float, float, float]:
    depth = float(camera.world_to_camera[2, :3] @ seat.eye + camera.world_to_camera[2, 3])
    x, y = camera.project(seat.eye) / (camera.width, camera.height)
    wide, tall = HEAD_WIDTH * camera.fx / depth / camera.width, HEAD_HEIGHT * camera.fy / depth / camera.height
    return float(x - wide / 2), float(y - tall / 2), wide, tall
