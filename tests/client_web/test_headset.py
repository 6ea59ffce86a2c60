"""The headset view in an emulated headset (npm package iwer) in a real browser: both eyes against the CPU rasterizer."""

from __future__ import annotations

import base64
import math
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from enrollment.instant.pipeline import Enrollment
from models import arkit
from models.exchange import drive_frames
from models.exchange.drive_frames import KnownParts
from models.exchange.web_avatar import WebAvatar, decode, encode
from models.heads.base import HeadModel
from models.splat.cpu import CpuRasterizer
from models.types import Array, Array64, Camera, Gaussians
from realtime.room.seating import Seat, about_y, seats
from server.call.protocol import Failure
from tests.client_web.browser import BO, announced, by, until
from tests.client_web.browser import enter as join
from tests.client_web.conftest import CHROMIUM, CLIENT, FLAGS, launching
from tests.client_web.rendering import WEBGL, psnr

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.client_web.mock_server import MockServer

EMULATOR = CLIENT / "node_modules" / "iwer" / "build" / "iwer.min.js"
HEADSET = (
    "window.device = new IWER.XRDevice(IWER.metaQuest3, { stereoEnabled: true }); device.installRuntime({ forceInstall: true });"
)
SIDE = 224
"""Pixels of an eye."""
IPD = 0.063
"""Metres: the emulator's."""
LENS = 1 / math.tan(math.pi / 6)
"""Focal length in half an eye's height: the emulator's field of view is 60 degrees."""
SMALL = {"width": 640, "height": 400}
"""Pixels of the window, which the emulator fills: software draws each."""
HOME = np.array([0.3, 1.2, 0.1])
"""Where the emulated person sits at home, metres of WebXR's space; looks along -z."""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One that draws in software."""
    sync_api = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM.exists() or not EMULATOR.exists():
        pytest.skip(f"{CHROMIUM} or a package of client_web/node_modules is missing")
    with sync_api.sync_playwright() as playwright:
        flags = [*WEBGL, *(flag for flag in FLAGS if flag != "--disable-gpu")]
        browser = playwright.chromium.launch(**launching(flags))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def page(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Page:
    """A page with the headset view and the emulator in it; both eyes are side by side in its window."""
    esbuild = CLIENT / "node_modules" / ".bin" / "esbuild"
    bundle = tmp_path_factory.mktemp("headset") / "headset.js"
    words = ["--bundle", "--format=iife", "--global-name=headset", f"--outfile={bundle}", "--log-level=error"]
    subprocess.run([esbuild, CLIENT / "src" / "testing" / "headset.ts", *words], check=True)
    found = chromium.new_page(viewport={"width": 2 * SIDE, "height": SIDE})
    found.set_default_timeout(120_000)
    found.route("**/*", lambda route: route.fulfill(body="<!doctype html><title>test</title>", content_type="text/html"))
    found.goto("http://localhost/")  # answered above: WebXR wants an origin that is secure
    found.add_script_tag(path=str(bundle))
    return found


@pytest.fixture(scope="module")
def web(enrolled: Enrollment, model: HeadModel) -> WebAvatar:
    """One Gaussian of four: software draws each, for both eyes."""
    gaussians = enrolled.avatar.gaussians
    few = replace(enrolled.avatar, gaussians=gaussians.select(np.arange(0, len(gaussians), 4)))
    return decode(encode(WebAvatar.of_avatar(few, model)))


@pytest.fixture(scope="module")
def file(web: WebAvatar) -> str:
    return base64.b64encode(encode(web)).decode()


@pytest.fixture
def enter(page: Page, file: str) -> Iterator[Any]:
    """enter(people, own, mode, skew): a fresh view of the headset, without its greeting."""

    def begin(people: int, own: int = 0, mode: str = "immersive-ar", skew: float = 0.0) -> None:
        page.evaluate(
            """async ([files, own, mode, skew]) => {
                window.stage = new headset.HeadsetStage(files, own, 0);
                await stage.enter(mode, skew);
                await stage.click();
            }""",
            [[file] * people, own, mode, skew],
        )

    yield begin
    page.evaluate("async () => { stage.view.leave(); await stage.pass(1); stage.close(); }")


@pytest.fixture(scope="module")
def resting(web: WebAvatar) -> Gaussians:
    """The coarse level, which a browser without a GPU draws fast enough."""
    posed = web.posed(np.zeros(arkit.COUNT, np.float32), level=0)
    return Gaussians(*(a.copy() for a in (posed.means, posed.rotations, posed.scales, posed.opacities, posed.colors)))


def eyes(page: Page) -> list[Array]:
    """What both eyes are shown, (H, W, 4), premultiplied."""
    shown = page.evaluate("stage.eyes()")
    assert [(eye["width"], eye["height"]) for eye in shown] == [(SIDE, SIDE)] * 2
    pixels = [np.frombuffer(base64.b64decode(eye["pixels"]), np.uint8).reshape(SIDE, SIDE, 4)[::-1] for eye in shown]
    return [np.asarray(p / np.float32(255), np.float32) for p in pixels]


def over_white(rgba: Array) -> Array:
    return np.asarray(rgba[..., :3] + 1 - rgba[..., 3:], np.float32)


def eye_cameras(eye: Array64, yaw: float, pitch: float = 0.0, skew: float = 0.0, scale: float = 1.0) -> list[Camera]:
    """The cameras of both eyes of a head whose middle is at `eye` in the room and that looks by `yaw` and `pitch` (up)."""
    ahead = np.array([math.sin(yaw) * math.cos(pitch), math.sin(pitch), math.cos(yaw) * math.cos(pitch)])
    right = np.array([-math.cos(yaw), 0.0, math.sin(yaw)])
    out = []
    for side in (-1, 1):
        m = np.eye(4)
        m[:3, :3] = right, np.cross(ahead, right), ahead
        m[:3, 3] = -m[:3, :3] @ (eye + side * IPD / 2 / scale * right)
        focal = LENS * SIDE / 2
        # a lens that looks outwards by a part of the width has its axis as much nearer to the nose
        out.append(Camera(SIDE, SIDE, focal, focal, SIDE * (0.5 - side * skew), SIDE * (0.5 + skew / 2), m))
    return out


def expected(people: list[Seat], resting: Gaussians, camera: Camera) -> Array:
    """People at rest in their seats, over white."""
    parts = []
    for seat in people:
        turn = np.array([math.cos(seat.yaw / 2), 0.0, math.sin(seat.yaw / 2), 0.0])
        w, x, y, z = resting.rotations.T.astype(np.float64)
        a, b = turn[0], turn[2]
        rotations = np.stack([a * w - b * y, a * x + b * z, a * y + b * w, a * z - b * x], axis=1)
        means = resting.means @ about_y(seat.yaw).T + seat.position
        parts.append((means, rotations, resting.scales, resting.opacities, resting.colors))
    joined = Gaussians(*(np.concatenate(p).astype(np.float32) for p in zip(*parts, strict=True)))
    return CpuRasterizer().render(joined, camera).color


def shift_between(left: Array, right: Array) -> float:
    """By how many pixels the picture of the right eye lies to the left of the left one's: peak of their cross-correlation."""
    a, b = (np.asarray(over_white(eye).mean(axis=2) - 1, np.float64) for eye in (left, right))
    product = np.fft.rfft2(a) * np.conj(np.fft.rfft2(b))
    along = np.fft.irfft2(product, a.shape)[0]
    peak = int(along.argmax())
    before, at, after = along[peak - 1], along[peak], along[(peak + 1) % SIDE]
    return peak + 0.5 * (before - after) / (before - 2 * at + after)


@pytest.mark.parametrize(("people", "own", "skew"), [(2, 0, 0.0), (3, 1, 0.07), (2, -1, 0.0), (1, 0, -0.05)])
def test_both_eyes_see_the_room_from_the_own_seat(
    enter: Any, page: Page, resting: Gaussians, people: int, own: int, skew: float
) -> None:
    """Also with lenses that look to the side, from no seat, and alone."""
    enter(people, own, skew=skew)
    table = seats(people)
    eye, yaw, seen = table[own].eye, table[own].yaw, [seat for i, seat in enumerate(table) if i != own]
    if own < 0:  # between the two who sit opposite to each other, as far from both as they are from each other
        eye, yaw, seen = np.array([0.9 * math.sqrt(0.75), -0.01, 0.0]), 1.5 * math.pi, table
    elif people == 1:  # before the own avatar
        eye, yaw, seen = np.array([0.0, -0.01, 0.9]), math.pi, table
    shown = eyes(page)
    for picture, camera in zip(shown, eye_cameras(eye, yaw, skew=skew), strict=True):
        theirs, ours = over_white(picture), expected(seen, resting, camera)
        assert psnr(theirs, ours) > 42
        assert psnr(ours, np.ones_like(ours)) < 25, "somebody is seen"
    assert psnr(over_white(shown[0]), over_white(shown[1])) < 25, "the eyes see different pictures"


def test_a_near_face_is_shifted_between_the_eyes_as_its_depth_says(enter: Any, page: Page) -> None:
    """Moved nearer, more: pixels = focal length x distance of the eyes / depth."""
    enter(2)
    focal = LENS * SIDE / 2
    for nearer in (0.0, 0.4):
        page.evaluate(f"stage.device.position.set({HOME[0]}, {HOME[1]}, {HOME[2] - nearer})")
        depth = 0.9 - nearer
        shift = shift_between(*eyes(page))
        assert focal * IPD / depth < shift < focal * IPD / (depth - 0.13), "between the ears and the nose"


def test_moving_changes_the_view(enter: Any, page: Page, resting: Gaussians) -> None:
    """Head, stick, snap turn, size, and back to the seat."""
    enter(2)
    own, other = seats(2)

    def sees(eye: Array64, yaw: float, scale: float = 1.0) -> float:
        cameras = eye_cameras(eye, yaw, scale=scale)
        pictures = zip(eyes(page), cameras, strict=True)
        return min(psnr(over_white(picture), expected([other], resting, camera)) for picture, camera in pictures)

    right = np.array([-math.cos(own.yaw), 0.0, math.sin(own.yaw)])
    page.evaluate(f"stage.device.position.set({HOME[0] + 0.12}, {HOME[1] + 0.05}, {HOME[2]})")
    leaned = own.eye + 0.12 * right + [0, 0.05, 0]
    assert sees(leaned, own.yaw) > 42
    page.evaluate("async () => { stage.push(0, -1); await stage.pass(3, 0.1); stage.push(0, 0); await stage.pass(1, 0.1); }")
    near = page.evaluate("stage.place()")
    came = (np.array(near) - leaned) @ own.forward
    assert 0.1 < came < 0.4, "forward on the stick is nearer, at less than a metre a second"
    assert sees(leaned + came * own.forward, own.yaw) > 42
    page.evaluate("async () => { stage.push(1, 0); await stage.pass(3); stage.push(0, 0); await stage.pass(1); }")
    assert sees(leaned + came * own.forward, own.yaw - math.pi / 6) > 42, "once to the right, however long it is held"
    page.evaluate("async () => { stage.push(-1, 0); await stage.pass(1); stage.push(0, 0); await stage.pass(1); }")
    page.evaluate("async () => { stage.hold('squeeze', true); stage.push(0, -1); await stage.pass(6, 0.1); }")
    page.evaluate("async () => { stage.push(0, 0); stage.hold('squeeze', false); await stage.pass(1); }")
    scale = page.evaluate("stage.scale()")
    assert 1.2 < scale < 1.6
    assert sees(leaned + came * own.forward, own.yaw, scale) > 42
    page.evaluate("async () => { for (const on of [true, false]) { stage.hold('thumbstick', on); await stage.pass(1); } }")
    assert sees(own.eye, own.yaw) > 42, "the head as it is now is at the seat"


def test_the_own_head_follows_the_headset(enter: Any, page: Page) -> None:
    """Turned to the left by 30 degrees and moved up by 3 cm; 30 drive frames a second; none while the headset shows its menu."""
    enter(2)
    page.evaluate("stage.device.quaternion.set(0, Math.sin(Math.PI / 12), 0, Math.cos(Math.PI / 12))")
    page.evaluate("stage.device.position.y += 0.03")
    page.evaluate("async () => { stage.motions.length = 0; await stage.pass(24); }")
    assert 9 <= page.evaluate("stage.motions.length") <= 11
    motion = page.evaluate("stage.motions.at(-1)")
    np.testing.assert_allclose(motion["rotation"], [math.cos(math.pi / 12), 0, math.sin(math.pi / 12), 0], atol=1e-6)
    np.testing.assert_allclose(motion["translation"][1], 0.03, atol=0.002)
    blurred = page.evaluate("""async () => {
        stage.device.updateVisibilityState("visible-blurred");
        await stage.pass(2);
        stage.motions.length = 0;
        stage.push(0, -1);
        const before = stage.place();
        await stage.pass(4);
        return [stage.motions.length, stage.place()[2] - before[2]];
    }""")
    assert blurred == [0, 0]
    page.evaluate("async () => { stage.push(0, 0); stage.device.updateVisibilityState('visible'); await stage.pass(8); }")
    assert page.evaluate("stage.motions.length") > 1


WAYS_OUT = {
    "hold": "stage.hold('trigger', true); await stage.pass(3, 0.3); if (stage.isOver) throw 'soon'; await stage.pass(5, 0.3);",
    "pinch": "stage.device.primaryInputMode = 'hand'; await stage.pass(2); stage.pinch(); await stage.pass(9, 0.3);",
    "look down": "stage.lookDown(); await stage.pass(8, 0.09); await stage.click();",
    "look alone": "stage.dropAll(); stage.lookDown(); await stage.pass(45, 0.09);",
    "escape": "document.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape' })); await stage.pass(1);",
    "end of the call": "stage.view.leave(); await stage.pass(1);",
}


@pytest.mark.parametrize("way", WAYS_OUT)
def test_there_are_many_ways_out(enter: Any, page: Page, way: str) -> None:
    enter(1, mode="immersive-vr")
    page.evaluate(f"async () => {{ {WAYS_OUT[way]} }}")
    assert page.evaluate("[stage.isOver, stage.endings]") == [True, [""]]


def test_a_lost_session_is_told_and_another_can_begin(enter: Any, page: Page) -> None:
    enter(2, mode="immersive-vr")
    assert all((eye[..., 3] == 1).all() for eye in eyes(page)), "all around"
    page.evaluate("async () => { await stage.device.activeSession.end(); await stage.pass(2); }")
    [told] = page.evaluate("stage.endings")
    assert "call goes on" in told
    page.evaluate("async () => { await stage.enter('immersive-ar'); await stage.click(); }")
    assert all(0.02 < (eye[..., 3] > 0.5).mean() < 0.5 for eye in eyes(page)), (
        "only people, and the person's own room around them"
    )


def test_a_lost_gpu_ends_the_view_with_a_sentence(enter: Any, page: Page) -> None:
    enter(2)
    page.evaluate("stage.loseContext()")
    page.wait_for_function("stage.endings.length > 0 && stage.isOver")
    [told] = page.evaluate("stage.endings")
    assert told.count(".") == 2 and "could not draw" in told


def test_less_is_drawn_when_pictures_come_late(enter: Any, page: Page) -> None:
    enter(1)
    assert not page.evaluate("stage.scene.isCoarse")
    page.evaluate("async () => { for (let i = 0; i < 9 && !stage.scene.isCoarse; i++) await stage.pass(1, 0.4); }")
    assert page.evaluate("stage.scene.isCoarse")
    assert all((eye[..., 3] > 0.5).any() for eye in eyes(page)), "they are still seen"


def test_a_page_without_a_headset_has_no_button(open_page: Callable[..., Page]) -> None:
    page = open_page("/room/key")
    join(page)
    assert page.locator(by("immersive-vr")).is_hidden()
    assert page.locator(by("immersive-ar")).is_hidden()


def known_parts(mock: MockServer) -> set[KnownParts]:
    """What the page's frames since the last call knew."""
    messages, mock.driven = mock.driven, []
    return {KnownParts(sent.known) for message in messages for sent in drive_frames.decode(message)}


def test_the_call_is_entered_and_left_with_a_headset(open_page: Callable[..., Page], mock: MockServer) -> None:
    """Meanwhile the server sends no picture, the camera is off, and head and mouth go up in one frame; then all is as before."""
    mock.others = [BO]
    page = open_page("/room/key", script=EMULATOR.read_text() + HEADSET, viewport=SMALL)
    join(page)
    assert not mock.places()[-1].draws
    for way in ("Escape", "system"):
        page.click(by("immersive-vr"))
        until(page, lambda: mock.places()[-1].draws)
        until(page, lambda: KnownParts.HEAD | KnownParts.IN_ROOM | KnownParts.MOUTH in known_parts(mock))
        page.wait_for_selector(by("camera") + "[aria-label='Turn camera on']")
        assert page.get_attribute(by("immersive-vr"), "aria-label") == "Leave the headset view"
        if way == "Escape":
            page.keyboard.press("Escape")
        else:
            page.evaluate("device.activeSession.end()")
            announced(page, "The headset view has ended")
        until(page, lambda: not mock.places()[-1].draws)
        page.wait_for_selector(by("camera") + "[aria-label='Turn camera off']")
        assert page.get_attribute(by("immersive-vr"), "aria-label") == "Enter with a headset"
    page.click(by("immersive-ar"))
    until(page, lambda: mock.places()[-1].draws)
    mock.tell(Failure("ended", "The host has ended the meeting."))
    until(page, lambda: bool(page.evaluate("device.activeSession === undefined")))


def test_a_headset_that_is_refused_is_told_of(open_page: Callable[..., Page]) -> None:
    refused = "navigator.xr.requestSession = () => Promise.reject(new DOMException('', 'NotAllowedError'));"
    page = open_page("/room/key", script=EMULATOR.read_text() + HEADSET + refused)
    join(page)
    page.click(by("immersive-vr"))
    announced(page, "did not let this page into the headset")
