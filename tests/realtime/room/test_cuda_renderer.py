"""A room drawn the way of a GPU, in torch on the processor with gsplat played: the same pictures, in one call for each size."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
import torch

from models import arkit, avatar_file
from models.avatar import Avatar
from models.heads.anny import AnnyHead
from models.heads.base import HeadModel
from models.renderer import view_camera
from models.splat.cpu import CpuRasterizer
from models.types import Array64, DriveFrame
from realtime.room import cuda_renderer, scene, seating
from realtime.room.cpu_renderer import CpuRoomRenderer
from realtime.room.cuda_renderer import CudaRoomRenderer
from realtime.room.layout import ViewRequest
from realtime.room.renderer import Appearance, Pixels, RoomPicture, RoomRenderer
from tests.gpu import fake_gsplat, nowhere
from tests.gpu.scenes import PosedHead
from tests.models import makers
from tests.realtime.room.rooms import room, until

WIDTH, HEIGHT = 96, 64
MODEL: HeadModel = AnnyHead()
PEOPLE = [PosedHead(count, seed=count).avatar() for count in (900, 700, 500)]
DRIVES = [DriveFrame.expression(jawOpen=0.5 * k, mouthSmileLeft=1 - 0.5 * k, eyeBlinkLeft=0.3) for k in range(3)]


@pytest.fixture(autouse=True)
def _gsplat(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_gsplat.install(monkeypatch)


@pytest.fixture
def both() -> tuple[RoomRenderer, RoomRenderer]:
    return CudaRoomRenderer("cpu"), CpuRoomRenderer(CpuRasterizer(threads=1))


def seat(index: int, width: int = WIDTH, height: int = HEIGHT) -> tuple[seating.Arrangement, list[int], list[Array64]]:
    """What person `index` of three sees: the arrangement, who is in it, and where they sit."""
    seats = seating.seats(3)
    others = [k for k in range(3) if k != index]
    shown = [seats[k] for k in others]
    cells = seating.seat_cells(seats[index], shown, width, height)
    return seating.from_seat(seats[index], shown, cells, width, height), others, [s.matrix for s in shown]


def view(avatars: list, index: int, drives: Sequence[DriveFrame] = DRIVES, **more: object) -> RoomPicture:
    arrangement, others, places = seat(index)
    shown = [
        Appearance(avatars[k], drives[k], transform @ place, seating.pixels_per_metre(cell, WIDTH, HEIGHT))
        for k, transform, place, cell in zip(others, arrangement.transforms, places, arrangement.cells, strict=True)
    ]
    return replace(RoomPicture(shown, arrangement.camera), **more)  # type: ignore[arg-type]


def luma(picture: Pixels) -> np.ndarray:
    if picture.ndim == 3:
        picture = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p").to_ndarray()
    return picture.astype(int)


def drawn(renderer: RoomRenderer, pictures: list[RoomPicture]) -> list[np.ndarray]:
    return [luma(picture.copy()) for picture in renderer.draw(pictures, {})]


def pair(
    both: tuple[RoomRenderer, RoomRenderer], make: object, people: Sequence[Avatar] = PEOPLE
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """What each of them draws of the pictures that `make` (avatars of the renderer) asks for."""
    ours, theirs = (drawn(r, make([r.avatar(a, MODEL) for a in people])) for r in both)  # type: ignore[operator]
    return ours, theirs


def close(ours: list[np.ndarray], theirs: list[np.ndarray], most: int = 5, mean: float = 0.3) -> None:
    for a, b in zip(ours, theirs, strict=True):
        assert a.shape == b.shape
        apart, height = np.abs(a - b), 2 * len(a) // 3
        assert apart[:height].max() <= most and apart.mean() < mean, (apart[:height].max(), apart.mean())


def test_each_sees_the_others_as_on_the_processor_and_all_views_are_one_call(both: tuple[RoomRenderer, RoomRenderer]) -> None:
    ours, theirs = pair(both, lambda people: [view(people, k) for k in range(3)])
    close(ours, theirs)
    assert fake_gsplat.calls == [(3, 1, 1600)], "two people each, the shorter pictures filled up"
    assert all(picture[:HEIGHT].std() > 10 for picture in ours) and np.abs(ours[0] - ours[1]).max() > 50


def test_masks_backgrounds_smaller_pictures_and_pictures_of_nobody(both: tuple[RoomRenderer, RoomRenderer]) -> None:
    def pictures(people: list) -> list[RoomPicture]:
        nobody = RoomPicture((), view_camera(width=WIDTH, height=HEIGHT), background=(40, 90, 200))
        return [
            view(people, 0, mask=True, background=(17, 20, 19)),
            nobody,
            view(people, 1, scale=0.64),
            replace(nobody, mask=True),
            view(people, 2),
        ]

    ours, theirs = pair(both, pictures)
    close([ours[k] for k in (0, 1, 3, 4)], [theirs[k] for k in (0, 1, 3, 4)])
    close([ours[2]], [theirs[2]], most=12, mean=0.6)  # scaled up from whole bytes on the processor
    assert ours[0].shape == (3 * HEIGHT * 3 // 4, WIDTH) and ours[1].shape == (3 * HEIGHT // 2, WIDTH)
    assert len(fake_gsplat.calls) == 3, "a call for each size, with masks or without"


def test_a_drive_frame_moves_all_who_show_it_and_the_same_frame_is_posed_once(
    both: tuple[RoomRenderer, RoomRenderer], monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu = both[0]
    people = [gpu.avatar(avatar, MODEL) for avatar in PEOPLE]
    posed: list[int] = []
    pose = cuda_renderer.TorchPoser.pose
    monkeypatch.setattr(cuda_renderer.TorchPoser, "pose", lambda self, numbers: posed.append(1) or pose(self, numbers))
    first = drawn(gpu, [view(people, 0), view(people, 1)])
    assert len(posed) == 3
    again = drawn(gpu, [view(people, 0), view(people, 1)])
    assert len(posed) == 3 and all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    other = [DRIVES[0], DriveFrame.expression(jawOpen=1.0, browInnerUp=1.0), DRIVES[2]]
    moved = drawn(gpu, [view(people, 0, other), view(people, 1, other)])
    assert len(posed) == 4 and np.abs(moved[0] - first[0]).max() > 20 and np.array_equal(moved[1], first[1])


def test_one_avatar_in_two_drive_frames_at_once(both: tuple[RoomRenderer, RoomRenderer]) -> None:
    def pictures(people: list) -> list[RoomPicture]:
        camera = view_camera(width=WIDTH, height=HEIGHT)
        faces = [DriveFrame.expression(jawOpen=v, browInnerUp=v) for v in (0.0, 0.5, 1.0)]
        return [RoomPicture([Appearance(people[0], face, np.eye(4), 150.0)], camera) for face in faces]

    ours, theirs = pair(both, pictures)
    close(ours, theirs)
    assert np.abs(ours[0] - ours[2]).max() > 20


def test_small_people_are_drawn_from_fewer_gaussians_and_corrected_ones_are_corrected(
    both: tuple[RoomRenderer, RoomRenderer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scene, "CELLS", ((0.012, 9.0),))
    corrected = replace(PEOPLE[1], corrections=makers.corrections(MODEL, len(PEOPLE[1].gaussians), 300))

    def pictures(people: list) -> list[RoomPicture]:
        for person in people:
            for _ in range(scene.PAYS_AFTER):
                levels = getattr(person, "levels", None) or person._levels
                levels.choose(100.0)
            while person.refine():
                pass
        drive = DriveFrame(coefficients=np.full(arkit.COUNT, 0.4, np.float32))
        return [view(people, k, [drive] * 3) for k in range(3)]

    ours, theirs = pair(both, pictures, [PEOPLE[0], corrected, PEOPLE[2]])
    close(ours, theirs)
    (call,) = fake_gsplat.calls
    assert call[2] < 1600


def test_too_many_gaussians_for_one_call_are_drawn_in_several(
    both: tuple[RoomRenderer, RoomRenderer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cuda_renderer, "MOST_ROWS", 3300)
    ours, theirs = pair(both, lambda people: [view(people, k) for k in (0, 1, 2)])
    close(ours, theirs)
    assert [call[0] for call in fake_gsplat.calls] == [2, 1]


def test_compositions_do_not_pile_up(both: tuple[RoomRenderer, RoomRenderer]) -> None:
    gpu = both[0]
    for rows in range(1, 3 * cuda_renderer.KEPT):
        made = gpu._composition([[(0, rows)]], 100)  # type: ignore[attr-defined]
        assert gpu._composition([[(0, rows)]], 100) is made  # type: ignore[attr-defined]
    assert len(gpu._compositions) == cuda_renderer.KEPT  # type: ignore[attr-defined]


def test_all_is_done_on_the_device_and_asks_it_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a device without numbers: anything of the host among it, a count that it is asked for, or float64 fails."""
    gpu, seen = CudaRoomRenderer("cpu"), list[tuple[int, ...]]()
    gpu._device = nowhere.NOWHERE
    monkeypatch.setattr(sys.modules["gsplat"], "rasterization", nowhere.rasterization)
    monkeypatch.setattr(gpu, "_numbers", SimpleNamespace(room=nowhere.Host))
    monkeypatch.setattr(gpu, "_rooms", lambda _, counts: [nowhere.Host(count, seen.append) for count in counts])
    corrections = makers.corrections(MODEL, len(PEOPLE[2].gaussians), 300)
    corrected = replace(PEOPLE[2], corrections=replace(corrections, networks=makers.networks(MODEL, corrections, 0.1)))
    with nowhere.OneDevice():
        people = [gpu.avatar(avatar, MODEL) for avatar in (*PEOPLE[:2], corrected)]
        nobody = RoomPicture((), view_camera(width=WIDTH, height=HEIGHT))
        for drives in (DRIVES, DRIVES[::-1]):
            made = gpu.draw([view(people, 0, drives), nobody, view(people, 1, drives, scale=0.64, mask=True)], {})
            assert len(made) == 3
    assert seen == [(2, 3 * HEIGHT // 2, WIDTH), (1, 3 * (HEIGHT + HEIGHT // 2) // 2, WIDTH)] * 2
    with nowhere.OneDevice(), pytest.raises(AssertionError, match="two devices"):
        torch.zeros(2, 3) @ torch.zeros(3, 4, device=nowhere.NOWHERE)


@pytest.mark.timeout(240)
async def test_a_whole_room_process_delivers_what_it_draws_to_each_page(tmp_path: Path) -> None:
    """Avatars by their files, views together, planes through the shared memory, to frames for encoders."""
    avatar_file.save(PEOPLE[2], tmp_path / "a.avatar")
    data = (tmp_path / "a.avatar").read_bytes()
    async with room(factory="tests.realtime.room.played_gpu:pipeline", people=2, views=2) as here:
        await here.seat(1, data)
        await here.seat(2, data)
        (first, _), (second, _) = here.watch(ViewRequest(1)), here.watch(ViewRequest(orbit=True, yaw=0.5))
        await until(lambda: first.frame is not None and second.frame is not None)
        for screen in (first, second):
            assert screen.frame is not None and screen.frame.format.name == "yuv420p"
            assert (screen.frame.width, screen.frame.height) == (64, 48)
            assert screen.frame.to_ndarray()[:48].std() > 5, "somebody is seen"
        stages = here.worker.times.medians()
        assert {"pose", "splat"} <= set(stages)
