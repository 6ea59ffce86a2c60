"""Making an avatar in the page, and looking after one's own, in Chromium against the mock server."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from server.api.enrolling import CONSENT
from server.call.protocol import Failure, Join
from tests.client_web.browser import by, holds, phase, until
from tests.client_web.drawing import portrait
from tests.client_web.mock_api import DONE, RUNNING, FakeAvatar

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

    from tests.client_web.mock_server import MockServer

pytestmark = pytest.mark.timeout(240)

LIVE_CAMERAS = "() => window.tracks.filter((t) => t.kind === 'video' && t.readyState === 'live').length"
WATCH_CAMERAS = """window.tracks = [];
const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = async (wish) => {
  const stream = await ask(wish);
  tracks.push(...stream.getTracks());
  return stream;
};"""
DROP = """(text) => {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const carried = new DataTransfer();
  carried.items.add(new File([bytes], "me.png", { type: "image/png" }));
  const drop = new DragEvent("drop", { dataTransfer: carried, bubbles: true, cancelable: true });
  document.querySelector("[data-testid=portrait]").dispatchEvent(drop);
}"""
PLAIN_CAMERA = """navigator.mediaDevices.getUserMedia = async () => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 640, height: 480 });
  const context = canvas.getContext("2d");
  window.colour = "#050505";
  setInterval(() => {
    context.fillStyle = window.colour;
    context.fillRect(0, 0, 640, 480);
  }, 50);
  return canvas.captureStream(30);
};"""
CLIP_CONSENT = (
    CONSENT.replace("in the photo", "in the clip")
    .replace("The photo is", "The clip is")
    .replace("An avatar is made of it", "An avatar learns from it")
)
KNOWN = "localStorage.setItem('visavis.token', 'guest-0')"


def png() -> bytes:
    data = io.BytesIO()
    portrait("Ada").save(data, "png")
    return data.getvalue()


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "me.png"
    path.write_bytes(png())
    return path


@pytest.fixture
def known(mock: MockServer) -> MockServer:
    """A server that knows this browser, which has two avatars there."""
    mock.api.enrolls = True
    mock.api.tokens = ["guest-0"]
    mock.api.avatars = [FakeAvatar("one", "First", "guest-0"), FakeAvatar("two", "Second", "guest-0")]
    return mock


def test_from_the_camera_to_the_call_with_the_own_avatar(open_page: Callable[..., Page], mock: MockServer) -> None:
    mock.api.enrolls = True
    mock.api.notes = ["the hair covers an ear; it was made up"]
    page = open_page("/room/x-person", script=WATCH_CAMERAS)
    page.wait_for_selector("[data-testid=lobby-preview]:not([hidden])")
    page.fill(by("name"), "Zoe")
    assert page.is_hidden(by("manage-avatars")), "there is nothing to manage yet"
    page.click(by("make-avatar-card", "Make your avatar"))
    page.wait_for_selector("[data-testid=take-photo][aria-disabled=false]")
    until(page, lambda: page.evaluate(LIVE_CAMERAS) == 1)  # the lobby has let go of the camera
    box = page.locator(by("portrait")).bounding_box()
    assert box is not None
    seen = box["width"] / box["height"]
    page.click(by("take-photo"))
    page.wait_for_selector(by("countdown", "3"))
    page.wait_for_selector(by("agreed"))
    until(page, lambda: page.evaluate(LIVE_CAMERAS) == 0)
    holds(page, "avatar-name", "Zoe")
    page.click(by("make"))
    assert mock.api.orders == [], "nothing is sent without consent"
    page.check(by("agreed"))
    page.click(by("make"))
    page.wait_for_selector(by("progress-spoken", "Finding the shape of your head"), state="attached")
    page.wait_for_selector(by("made", "Your avatar is ready"))
    page.wait_for_selector(by("notes", "The hair covers an ear"))
    page.wait_for_function("() => document.querySelector('[data-testid=made-picture]')?.naturalWidth > 0")
    page.click(by("use"))
    page.wait_for_selector("[data-testid=avatar-own1]:checked")
    page.wait_for_selector("[data-testid=manage-avatars]:visible")
    page.wait_for_function(LIVE_CAMERAS.replace(".length", ".length === 1"))
    holds(page, "name", "Zoe")
    order = mock.api.orders[0]
    image = Image.open(io.BytesIO(order.photo))
    assert image.format == "JPEG" and image.width / image.height == pytest.approx(seen, abs=0.02)
    expected = {"name": "Zoe", "subject": "Zoe", "consent": CONSENT, "agreed": "true", "quality": "instant"}
    assert order.fields == expected and mock.api.guests == [{"key": "x-person", "name": "Zoe"}]
    page.click(by("join"))
    phase(page, "live")
    assert mock.joins() == [Join("Zoe", "own1", False, -1, False)]
    page.reload()
    page.wait_for_selector("[data-testid=avatar-own1]:checked")
    assert mock.hellos()[-1].token == "guest-1"


def test_the_camera_is_met_with_hints(open_page: Callable[..., Page], mock: MockServer) -> None:
    mock.api.enrolls = True
    page = open_page("/room/x-person", script=PLAIN_CAMERA)
    page.click(by("make-avatar-card"))
    page.wait_for_selector(by("hint-words", "It is too dark"))
    page.wait_for_selector(".make-step [role=status]:has-text('It is too dark')", state="attached")
    page.evaluate("() => { window.colour = '#888888'; }")
    page.wait_for_selector(by("hint-words", "so that your face stands out"))
    page.keyboard.press("Escape")
    page.click(by("lobby-camera"))  # off
    page.click(by("make-avatar-card"))
    page.wait_for_selector(by("portrait", "Your camera is off"))
    page.click(by("use-camera"))
    page.wait_for_selector(by("hint-words", "It is too dark"))


def test_a_photo_is_chosen_dropped_or_refused(open_page: Callable[..., Page], mock: MockServer, photo: Path) -> None:
    mock.api.enrolls = True
    page = open_page("/room/x-person", permissions=[], denied=True)
    page.click(by("make-avatar-card"))
    page.wait_for_selector(by("portrait", "Your camera is blocked"))
    assert page.is_hidden(by("take-photo"))
    text = photo.with_suffix(".txt")
    text.write_text("no photo")
    page.set_input_files(by("photo-file"), text)
    page.wait_for_selector(by("photo-trouble", "A photo was expected"))
    page.set_input_files(by("photo-file"), photo)
    page.click(by("retake", "Choose another"))
    page.evaluate(DROP, base64.b64encode(png()).decode())
    page.check(by("who-other"))
    page.fill(by("subject"), "Bo B")
    page.fill(by("avatar-name"), "Bo, our colleague")
    page.check(by("agreed"))
    mock.api.problem = (422, "no face was found in the photo; use another one")
    page.click(by("make", "Make the avatar"))
    page.wait_for_selector(by("making-failed", "No face was found in the photo; use another one."))
    page.click(by("again"))
    page.set_input_files(by("photo-file"), photo)
    page.check(by("agreed"))
    mock.api.script = [RUNNING, {"state": "failed", "error": "the face is turned away; look into the camera"}]
    page.click(by("make"))
    page.wait_for_selector(by("making-failed", "The face is turned away; look into the camera."))
    until(page, lambda: mock.api.avatars == [])
    assert mock.api.orders[0].photo == photo.read_bytes()
    assert mock.api.orders[0].fields["subject"] == "Bo B"
    assert mock.api.orders[0].key != mock.api.orders[1].key


def test_it_is_made_while_one_goes_on_and_can_be_stopped(open_page: Callable[..., Page], mock: MockServer, photo: Path) -> None:
    mock.api.enrolls = True
    mock.api.script = [RUNNING]
    page = open_page("/room/x-person", permissions=[])

    def begin() -> None:
        page.click(by("make-avatar-card"))
        page.set_input_files(by("photo-file"), photo)
        page.check(by("agreed"))
        page.click(by("make"))
        page.wait_for_selector(by("progress-words", "Finding the shape"))

    begin()
    page.click(by("cancel-making"))
    until(page, lambda: mock.api.avatars == [])
    page.keyboard.press("Escape")
    begin()
    page.keyboard.press("Escape")
    page.wait_for_selector(by("make-avatar-card", "Making… 40 %"))
    mock.drop()  # neither the socket nor the API is there for a while
    mock.api.down = True
    page.click(by("make-avatar-card"))
    page.wait_for_selector(by("progress-words", "The server cannot be reached. Trying again"))
    page.keyboard.press("Escape")
    mock.api.down = False
    mock.api.script = [DONE]
    page.wait_for_selector(by("toast", "Your avatar is ready: My avatar."))
    page.wait_for_selector("[data-testid=avatar-own2]:checked")
    page.click(by("make-avatar-card"))
    page.wait_for_selector(by("made"))
    page.click(by("again"))
    page.wait_for_selector(by("choose-photo"))


def test_the_own_avatars_are_renamed_shared_exported_and_erased(open_page: Callable[..., Page], known: MockServer) -> None:
    page = open_page("/room/x-person", script=KNOWN)
    with page.expect_response("**/api/avatars*"):
        page.click(by("manage-avatars"))
    page.wait_for_function("() => document.querySelectorAll('[data-testid=own-avatars] img').length === 2")
    page.fill(by("own-name-one"), "Best")
    page.keyboard.press("Enter")
    page.wait_for_selector(by("own-outcome", "It is called Best now."))
    assert page.get_by_role("button", name="Erase Best").count() == 1, "the row was not drawn before it was said"
    page.check(by("own-share-one"))
    page.wait_for_selector(by("own-outcome", "Everybody on this server can take Best now."))
    one = known.api.avatars[0]
    assert (one.name, one.shared, one.version) == ("Best", True, 3)
    known.api.problem = (412, "somebody else has changed this avatar meanwhile; read it again")
    page.uncheck(by("own-share-one"))
    page.wait_for_selector(by("own-outcome", "Somebody else has changed this avatar meanwhile; read it again."))
    page.wait_for_selector("[data-testid=own-share-one]:checked")
    with page.expect_download() as download:
        page.click(by("own-save-one"))
    assert download.value.suggested_filename == "Best.avatar"
    page.click(by("own-erase-two"))
    page.click(by("confirm-no"))
    page.click(by("own-erase-two"))
    page.click(by("confirm-yes"))
    page.wait_for_selector(by("own-outcome", "Second is erased."))
    assert page.locator(by("own-name-two")).count() == 0, "the row was there when it was said"
    page.wait_for_selector(by("avatar-two"), state="detached")
    page.wait_for_selector(".avatar-card:has-text('Best')")
    with page.expect_download() as download:
        page.click(by("export-all"))
    assert download.value.suggested_filename == "visavis.zip"
    page.click(by("erase-all"))
    page.click(by("confirm-yes"))
    page.wait_for_selector(by("my-avatars"), state="detached")
    page.wait_for_selector(".avatars.is-new [data-testid=make-avatar-card]")
    assert known.api.avatars == [] and known.api.tokens == []
    assert page.evaluate("localStorage.getItem('visavis.token')") is None


def test_a_token_that_is_not_known_any_more_makes_a_newcomer(
    open_page: Callable[..., Page], mock: MockServer, photo: Path
) -> None:
    mock.api.enrolls = True
    page = open_page("/room/x-person", script=f"if (!window.name) {{ window.name = 'once'; {KNOWN} }}", permissions=[])
    page.wait_for_selector(by("toast", "The server does not know this browser any more"))
    until(page, lambda: [hello.token for hello in mock.hellos()] == ["guest-0", ""])
    page.click(by("make-avatar-card", "Make your avatar"))
    page.set_input_files(by("photo-file"), photo)
    page.check(by("agreed"))
    page.click(by("make"))
    page.wait_for_selector(by("made"))
    until(page, lambda: mock.hellos()[-1].token == "guest-1")


def test_where_nothing_can_be_made_nothing_is_offered(open_page: Callable[..., Page], mock: MockServer) -> None:
    page = open_page("/room/x-person")
    page.wait_for_selector("[data-testid=join]:enabled")
    assert page.is_hidden(by("make-avatar-card")) and page.is_hidden(by("manage-avatars"))
    mock.api.enrolls, mock.avatars = True, []
    page.reload()
    page.wait_for_selector("[data-testid=make-avatar-card]:visible")
    assert page.is_disabled(by("join")) and page.is_hidden(by("no-avatars"))
    page.click(by("make-avatar-card"))
    page.wait_for_selector("[data-testid=take-photo][aria-disabled=false]")
    mock.failure = Failure("not_found", "there is no room at this address; ask for a new link")
    mock.drop()
    page.wait_for_selector(by("failure"))
    page.wait_for_selector(by("make-avatar"), state="detached")


REPORT = [
    {"topic": "sides", "good": False, "sentence": "the sides were made up", "advice": "record the short clip"},
    {"topic": "light", "good": True, "sentence": "the light is even", "advice": ""},
]
BETTER = {"state": "running", "stage": "refining, 38957 Gaussians", "progress": 0.4, "usable": True, "previews": 1}
SKIP = """() => {
  const [words, skip] = ["clip-prompt", "clip-skip"].map((id) => document.querySelector(`[data-testid=${id}]`));
  const before = words.textContent;
  skip.click();
  return [before, words.textContent];
}"""
FAST = """{
  const now = performance.now.bind(performance);
  performance.now = () => 6 * now();
}"""
"""A guided clip in a sixth of the time."""


def test_a_guided_clip_is_used_at_once_and_gets_better(open_page: Callable[..., Page], mock: MockServer) -> None:
    mock.api.enrolls = True
    mock.api.made = {"turntable": True, "report": REPORT, "may_improve": True, "quality": "standard"}
    mock.api.script = [RUNNING, BETTER, BETTER, {**DONE, "usable": True}]
    page = open_page("/room/x-person", script=FAST + WATCH_CAMERAS)
    page.click(by("make-avatar-card"))
    page.click(by("film-instead"))
    page.click("[data-testid=clip-start][aria-disabled=false]")
    page.click(by("clip-start", "Stop"))
    page.wait_for_selector(by("clip-prompt", "Stopped"))
    page.click(by("clip-start", "Start"))
    page.wait_for_selector(by("clip-spoken", "Look straight into the camera."), state="attached")
    before, after = page.evaluate(SKIP)
    assert before != after and len(after) > 5
    page.wait_for_selector(by("agreed"))
    until(page, lambda: page.evaluate(LIVE_CAMERAS) == 0 and page.is_visible(by("clip-film")))
    page.check(by("agreed"))
    assert mock.api.orders == []
    page.click(by("make"))
    page.wait_for_selector(by("bettering", "You can use it now, and it gets better"))
    page.wait_for_selector("[data-testid=avatar-own1]:checked", state="attached")
    page.wait_for_selector(by("made", "Your avatar is better now"))
    page.wait_for_selector(by("notes", "The sides were made up. Record the short clip."))
    page.wait_for_selector(by("notes", "The light is even."))
    page.wait_for_selector("[data-testid=turntable].is-loaded")
    page.focus(by("turn-it"))
    page.keyboard.press("ArrowRight")
    order = mock.api.orders[0]
    assert (
        order.photo == b"" and order.clip[:4] == b"\x1a\x45\xdf\xa3" and order.fields["quality"] == "standard"
    )  # EBML (RFC 8794)
    assert order.fields["consent"] == CLIP_CONSENT and order.fields["agreed"] == "true"


def test_one_that_is_there_gets_better_and_stays_when_that_fails(
    open_page: Callable[..., Page], mock: MockServer, photo: Path
) -> None:
    mock.api.enrolls = True
    mock.api.made = {"report": REPORT, "may_improve": True}
    mock.api.script = [DONE]
    page = open_page("/room/x-person", permissions=[], denied=True)
    page.click(by("make-avatar-card"))
    page.set_input_files(by("photo-file"), photo)
    page.check(by("agreed"))
    page.click(by("make"))
    page.wait_for_selector(by("made", "Your avatar is ready"))
    mock.api.script = [BETTER, {**BETTER, "state": "failed", "error": "the memory would not do; try again later"}]
    page.click(by("make-better"))
    page.wait_for_selector(by("not-better", "It did not get better: The memory would not do; try again later."))
    mock.api.script = [BETTER]
    page.click(by("make-better"))
    page.wait_for_selector(by("bettering"))
    page.click(by("cancel-making", "Keep it as it is"))
    page.wait_for_selector(by("made", "Your avatar is ready"))
    until(page, lambda: mock.api.cancelled == ["job-own1"])
    assert [(order.better, order.photo) for order in mock.api.orders] == [("", photo.read_bytes())] + [
        ("own1", photo.read_bytes())
    ] * 2
    page.click(by("film-better"))
    page.wait_for_selector(by("clip", "Your camera is blocked"))
    page.click(by("clip-photo", "Not now"))
    mock.api.avatars[0].improving = "job-own1"
    page.reload()
    page.wait_for_selector(by("make-avatar-card", "Getting better… 40 %"))
