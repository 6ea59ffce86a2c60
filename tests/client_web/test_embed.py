"""`<visavis-avatar>` and a room's page inside a page of somebody else, which lies at another origin, in Chromium."""

from __future__ import annotations

import io
import json
import runpy
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

import models
from enrollment.instant.pipeline import Enrollment
from models import arkit
from models.exchange.drive_frames import KnownParts, decode
from models.exchange.web_avatar import WebAvatar, encode
from models.heads.base import HeadModel
from tests.client_web.browser import BO, FRAMES, phase, until
from tests.client_web.conftest import CHROMIUM, CLIENT, FLAGS, launching
from tests.client_web.mock_server import ME
from tests.client_web.rendering import WEBGL
from tests.client_web.sounds import spoken_wav
from tests.client_web.test_page_access import axe
from tests.client_web.test_page_picture import CUT_OUT
from tests.server.call.serving import Running, in_thread, running

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.client_web.mock_server import MockServer

pytestmark = pytest.mark.timeout(240)

AVATAR = 'document.querySelector("visavis-avatar")'
PAGE = """<!doctype html><html lang="en"><title>Somebody's page</title>
<style>body {{ margin: 0; background: #eef }} visavis-avatar {{ width: 120px; height: 120px }}</style>
<main><h1>Our assistant</h1>{body}</main>
<script type="module" src="{server}/embed/visavis-avatar.js"></script>
<script>
  const all = []; window.told = all;
  for (const name of ["ready", "error"])
    document.addEventListener(name, (event) => event.target.drive && all.push([name, event.message]), true);
</script></html>"""


@pytest.fixture(scope="module")
def chromium(foreign: Foreign) -> Iterator[Browser]:
    """One that draws in software, lets pages be heard without a click, and whose microphone hears a voice."""
    sync_api = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not installed")
    with sync_api.sync_playwright() as playwright:
        flags = [*WEBGL, *(flag for flag in FLAGS if flag != "--disable-gpu"), "--autoplay-policy=no-user-gesture-required"]
        flags.append(f"--use-file-for-fake-audio-capture={foreign.folder / 'voice.wav'}")
        browser = playwright.chromium.launch(**launching(flags))
        yield browser
        browser.close()


class Foreign:
    """A web server of somebody else: `origin` may embed us, `stranger` is the same server by another name, and may not."""

    def __init__(self, folder: Path) -> None:
        class Quiet(SimpleHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                """Nothing."""

        self.folder = folder
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
        self.origin, self.stranger = (f"http://{host}:{self.server.server_port}" for host in ("127.0.0.1", "localhost"))
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory, enrolled: Enrollment, model: HeadModel) -> Iterator[Foreign]:
    folder = tmp_path_factory.mktemp("foreign")
    (folder / "me.webavatar").write_bytes(_coarse(encode(WebAvatar.of_avatar(enrolled.avatar, model))))
    (folder / "none.webavatar").write_bytes(b"VWEB")
    (folder / "voice.wav").write_bytes(spoken_wav())
    site = Foreign(folder)
    yield site
    site.server.shutdown()


def _coarse(file: bytes) -> bytes:
    """As much of a web avatar as its first level needs: software draws it in no time."""
    length = int.from_bytes(file[8:12], "little")
    return file[: 12 + length + json.loads(file[12 : 12 + length])["levels"][0]["end"]]


@pytest.fixture(scope="module")
def server(built_page: None, foreign: Foreign) -> Iterator[Running]:
    with in_thread(running(CLIENT / "dist", embed_from=(foreign.origin,))) as found:
        yield found


@pytest.fixture
def embed(chromium: Browser, server: Running, foreign: Foreign) -> Iterator[Callable[..., Page]]:
    """embed(body, stranger=False, **context options): a page of somebody else with the component in it."""
    contexts = []

    def open_(body: str, stranger: bool = False, **options: Any) -> Page:
        (foreign.folder / "index.html").write_text(PAGE.format(body=body, server=server.base))
        context = chromium.new_context(viewport={"width": 400, "height": 400}, **options)
        context.set_default_timeout(60_000)
        contexts.append(context)
        page = context.new_page()
        page.goto(foreign.stranger if stranger else foreign.origin)
        return page

    yield open_
    for context in contexts:
        context.close()


def told(page: Page, name: str) -> str:
    """Waits for an event of the component -> its message."""
    page.wait_for_function("name => window.told.some(([one]) => one === name)", arg=name)
    return str(page.evaluate("name => window.told.find(([one]) => one === name)[1]", name))


def picture(page: Page) -> np.ndarray:
    """(H, W, 4) uint8 of the component, its page transparent."""
    data = page.locator("visavis-avatar").screenshot(omit_background=True)
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"))


def differs(page: Page, before: np.ndarray) -> float:
    """Mean difference of the component's picture to an earlier one."""
    return float(np.abs(picture(page).astype(float) - before).mean())


def still(page: Page) -> np.ndarray:
    """The picture once it changes no more."""
    seen = [picture(page)]

    def is_still() -> bool:
        page.evaluate(FRAMES, 12)
        page.wait_for_timeout(200)
        seen.append(picture(page))
        return bool((seen[-1] == seen[-2]).all())

    until(page, is_still)
    return seen[-1]


def test_an_avatar_is_shown_driven_and_speaks(embed: Callable[..., Page]) -> None:
    body = '<visavis-avatar src="me.webavatar" label="Ada" controls></visavis-avatar><audio src="voice.wav" loop></audio>'
    page = embed(body, reduced_motion="reduce")
    told(page, "ready")
    page.add_style_tag(content="html, body { background: transparent !important }")
    axe(page, "a page with an avatar")
    label = page.locator("visavis-avatar").get_by_role("img").get_attribute("aria-label") or ""
    assert label.startswith("Ada: arrow keys turn")
    until(page, lambda: picture(page)[70, 60, 3] > 250)
    rest = still(page)  # less motion: it stands still
    assert rest[2, 2, 3] == 0 and rest[70, 60, 3] > 250, "nothing but the avatar"
    page.evaluate(f"window.driving = setInterval(() => {AVATAR}.drive({{ coefficients: {{ jawOpen: 0.9 }} }}), 30)")
    until(page, lambda: differs(page, rest) > 0.5)
    page.evaluate("clearInterval(window.driving)")
    until(page, lambda: differs(page, rest) < 0.05)  # without frames it rests again
    page.evaluate(f"() => {{ const a = document.querySelector('audio'); {AVATAR}.listen(a); return a.play() }}")
    until(page, lambda: differs(page, rest) > 0.2)  # the mouth moves with the sound
    page.evaluate("document.querySelector('audio').pause()")
    until(page, lambda: differs(page, rest) < 0.05)  # and closes with it


def test_it_lives_is_turned_and_comes_back_after_the_gpu_was_lost(embed: Callable[..., Page]) -> None:
    page = embed('<visavis-avatar src="me.webavatar" controls background="rgb(200 40 40)"></visavis-avatar>')
    told(page, "ready")
    until(page, lambda: differs(page, np.array([200, 40, 40, 255])) > 5)
    first = picture(page)
    assert first[2, 2].tolist() == [200, 40, 40, 255]
    until(page, lambda: differs(page, first) > 0.01)  # it moves by itself
    page.evaluate(f"""() => {{
        const canvas = {AVATAR}.shadowRoot.querySelector("canvas");
        window.lose = canvas.getContext("webgl2").getExtension("WEBGL_lose_context");
        lose.loseContext();
    }}""")
    until(page, lambda: differs(page, first) > 10)
    page.evaluate("lose.restoreContext()")
    until(page, lambda: differs(page, first) < 10)  # the picture is there again
    page.evaluate(f"{AVATAR}.shadowRoot.querySelector('canvas').focus()")
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    until(page, lambda: differs(page, first) > 5)
    page.evaluate(f"() => {{ const one = {AVATAR}; one.remove(); document.querySelector('main').append(one) }}")
    until(page, lambda: differs(page, first) < 5)  # moved to another place of the page, it is there


def test_the_example_of_a_voice_agent_speaks(chromium: Browser, built_page: None, foreign: Foreign) -> None:
    example = runpy.run_path(str(CLIENT.parent / "docs" / "examples" / "voice_agent.py"))
    server = example["make_server"](foreign.folder / "me.webavatar", foreign.folder / "voice.wav", port=0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    page = chromium.new_page(viewport={"width": 260, "height": 400}, reduced_motion="reduce")
    page.goto(f"http://127.0.0.1:{server.server_port}")
    page.wait_for_function(f"() => {AVATAR}.shadowRoot?.querySelector('canvas')")
    until(page, lambda: bool((picture(page)[:, :, 3] > 250).mean() > 0.2))  # it is drawn
    rest = still(page)
    page.click("#ask")
    until(page, lambda: differs(page, rest) > 0.2)
    page.close()
    server.shutdown()


@pytest.mark.parametrize(
    ("attributes", "says"),
    [
        ('src="none.webavatar"', "cannot be used because"),
        ('src="nothing.webavatar"', "There is no avatar at this address (404)"),
        ('src="http://127.0.0.1:9/me.webavatar"', "cannot be reached"),
        ('room="http://example.org/admin"', "viewers' link"),
    ],
)
def test_what_cannot_be_shown_is_said(embed: Callable[..., Page], attributes: str, says: str) -> None:
    page = embed(f"<visavis-avatar {attributes}></visavis-avatar>")
    message = told(page, "error")
    assert says in message and message.endswith(".")
    assert page.locator("visavis-avatar").get_by_role("status").inner_text() == message


def test_what_is_no_frame_is_refused_with_a_sentence(embed: Callable[..., Page]) -> None:
    page = embed("<visavis-avatar></visavis-avatar>")
    page.wait_for_function("customElements.get('visavis-avatar') !== undefined")
    for frame in ("{coefficients: {jawopen: 1}}", "{coefficients: [1]}", "{coefficients: {jawOpen: NaN}}",
                  "{rotation: [0,0,0,0]}", "{gaze: [0]}", "{translation: [0, Infinity, 0]}"):  # fmt: skip
        message = page.evaluate(
            f"() => {{ try {{ {AVATAR}.drive({frame}); return '' }} catch (error) {{ return error.message }} }}"
        )
        assert "expected" in message and "came" in message, frame


def test_a_room_is_shown_to_the_pages_that_may(embed: Callable[..., Page], server: Running) -> None:
    room = f'<visavis-avatar room="{server.addresses.viewer}"></visavis-avatar>'
    page = embed(room)
    told(page, "ready")
    frame = next(one for one in page.frames if "/room/" in one.url)
    frame.wait_for_selector("html[data-phase=live][data-bare=embed]")
    assert frame.locator(".stage").is_visible()
    for part in (".header", ".controls"):
        assert frame.locator(part).is_hidden(), part
    assert frame.evaluate("localStorage.length") == 0, "a page inside another one keeps nothing"


@pytest.mark.parametrize(("role", "stranger"), [("person", False), ("viewer", True)])
def test_other_pages_and_other_origins_see_nothing(
    embed: Callable[..., Page], server: Running, foreign: Foreign, role: str, stranger: bool
) -> None:
    page = embed(f'<iframe src="{getattr(server.addresses, role)}?embed"></iframe>', stranger=stranger)
    page.wait_for_timeout(300)
    assert all("/room/" not in frame.url for frame in page.frames[1:]), "the browser shows its own page in the frame"
    if stranger:
        assert page.evaluate("customElements.get('visavis-avatar') === undefined"), "nor may it read the component"


def test_a_stream_shows_people_and_nothing_else(chromium: Browser, mock: MockServer) -> None:
    mock.others = [BO]
    context = chromium.new_context(viewport={"width": 640, "height": 360})
    page = context.new_page()
    page.goto(f"{mock.url}/room/x-viewer?transparent")
    phase(page, "live")
    page.wait_for_function(CUT_OUT)

    def shown() -> np.ndarray:
        return np.asarray(Image.open(io.BytesIO(page.screenshot(omit_background=True))).convert("RGBA"))

    until(page, lambda: bool((shown()[100:300, 150:490, 3] == 255).mean() > 0.1))  # there is somebody
    until(page, lambda: not any(shown()[place][3] for place in ((4, -4), (4, 4), (-4, -4))))
    for part in (".header", ".controls", ".nameplates", ".prompt", ".toast"):
        assert page.locator(part).first.is_hidden(), part
    picture_box = page.locator(".picture").bounding_box()
    assert picture_box is not None and picture_box["height"] == pytest.approx(360, abs=1), "as large as the source"
    context.close()


def test_the_page_of_somebody_who_takes_part_has_all_it_needs(chromium: Browser, mock: MockServer) -> None:
    page = chromium.new_page()
    page.goto(f"{mock.url}/room/x-person?transparent")
    phase(page, "lobby")
    assert page.get_attribute("html", "data-bare") is None
    assert page.locator("[data-testid=join]").is_visible()
    page.close()


DRIVEN = """
  localStorage.setItem("visavis.preferences", JSON.stringify({ name: "Ada", cameraOn: CAMERA, microphoneOn: true }));
  window.driven = [];
  const { send } = RTCDataChannel.prototype;
  RTCDataChannel.prototype.send = function (data) {
    if (this.label === "drive") window.driven.push([...new Uint8Array(data)]);
    return send.call(this, data);
  };
"""


@pytest.mark.parametrize("camera", [False, True])
def test_the_own_voice_moves_the_own_mouth_while_the_camera_is_off(chromium: Browser, mock: MockServer, camera: bool) -> None:
    context = chromium.new_context(permissions=["microphone", "camera"])
    page = context.new_page()
    page.add_init_script(DRIVEN.replace("CAMERA", json.dumps(camera)))
    page.goto(f"{mock.url}/room/x-person?autojoin=1")
    phase(page, "live")
    if camera:
        page.wait_for_timeout(1500)
        assert page.evaluate("window.driven") == []
    else:
        page.wait_for_function("() => window.driven.length > 10")
        frames = [frame for message in page.evaluate("window.driven") for frame in decode(bytes(message))]
        assert {frame.known for frame in frames} == {KnownParts.MOUTH}
        assert {frame.participant for frame in frames} == {ME}
        assert max(frame.drive.coefficients[arkit.INDEX["jawOpen"]] for frame in frames) > 0.2
    context.close()


def test_the_package_can_be_published(built_page: None) -> None:
    folder = CLIENT / "dist" / "embed"
    package = json.loads((folder / "package.json").read_text())
    assert package["version"] == models.__version__
    assert all((folder / name).is_file() for name in package["files"])
    assert (folder / "visavis-avatar.js").stat().st_size < 120_000


def test_the_page_names_coefficients_as_the_server_does() -> None:
    source = (CLIENT / "src" / "arkit.ts").read_text()
    names = [part.strip(' "') for part in source.split("[", 1)[1].split("]", 1)[0].replace("\n", "").split(",")]
    assert tuple(name for name in names if name) == arkit.NAMES
