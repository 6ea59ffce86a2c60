"""The dialog in which one looks at an own avatar from all sides, drawn by the page itself, in Chromium."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from enrollment.instant.pipeline import Enrollment
from models.exchange.web_avatar import WebAvatar, encode
from models.heads.base import HeadModel
from tests.client_web.browser import FRAMES, by, until
from tests.client_web.conftest import CHROMIUM, FLAGS, launching
from tests.client_web.mock_api import FakeAvatar
from tests.client_web.rendering import WEBGL
from tests.client_web.test_page_access import axe
from tests.client_web.test_page_make_avatar import KNOWN

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.client_web.mock_server import MockServer

pytestmark = pytest.mark.timeout(240)

COUNTED = """
  window.drawn = 0;
  const draw = WebGL2RenderingContext.prototype.drawElements;
  WebGL2RenderingContext.prototype.drawElements = function (...rest) { window.drawn += 1; return draw.apply(this, rest); };
"""
"""Counts the pictures that the page draws."""
NO_WEBGL = "HTMLCanvasElement.prototype.getContext = () => null;"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One that draws in software."""
    sync_api = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not installed")
    with sync_api.sync_playwright() as playwright:
        flags = [*WEBGL, *(flag for flag in FLAGS if flag != "--disable-gpu")]
        browser = playwright.chromium.launch(**launching(flags))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def file(enrolled: Enrollment, model: HeadModel) -> bytes:
    """The astronaut's avatar, one Gaussian of six: how it looks is seen elsewhere, and software draws each."""
    few = replace(enrolled.avatar, gaussians=enrolled.avatar.gaussians.select(np.arange(0, len(enrolled.avatar.gaussians), 6)))
    return encode(WebAvatar.of_avatar(few, model))


@pytest.fixture
def known(mock: MockServer, file: bytes) -> MockServer:
    mock.api.enrolls = True
    mock.api.tokens, mock.api.web = ["guest-0"], file
    mock.api.avatars = [FakeAvatar("one", "First", "guest-0")]
    return mock


def drawn(page: Page) -> int:
    return int(page.evaluate("window.drawn"))


def settled(page: Page) -> int:
    """Waits until it moves no more -> pictures that were drawn."""
    seen: list[int] = []

    def rests() -> bool:
        before = drawn(page)
        page.evaluate(FRAMES, 12)  # however long the browser takes for one
        page.wait_for_timeout(300)
        seen.append(drawn(page))
        return seen[-1] == before

    until(page, rests)
    return seen[-1]


def picture(page: Page) -> bytes:
    box = page.locator(by("look-canvas")).bounding_box()
    assert box is not None
    return page.screenshot(clip=box)


def look(page: Page) -> None:
    page.click(by("manage-avatars"))
    page.click(by("own-look-one"))


def test_one_turns_it_and_it_makes_faces(open_page: Callable[..., Page], known: MockServer) -> None:
    page = open_page(
        "/room/x-person", script=f"{KNOWN};{COUNTED}", reduced_motion="reduce", viewport={"width": 900, "height": 760}
    )
    look(page)
    page.wait_for_selector(by("face-smile"))
    begin = settled(page)
    assert begin >= 1 and page.is_hidden(by("look-words"))
    axe(page, "looking at an avatar")
    front = picture(page)
    page.focus(by("look-canvas"))
    page.keyboard.press("ArrowRight")
    assert settled(page) > begin
    side = picture(page)
    assert side != front
    page.keyboard.press("0")
    settled(page)
    assert picture(page) == front
    page.click(by("face-open-mouth"))
    assert page.get_attribute(by("face-open-mouth"), "aria-pressed") == "true"
    settled(page)
    assert picture(page) != front
    box = page.locator(by("look-canvas")).bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.wheel(0, 300)
    settled(page)
    page.keyboard.press("Escape")
    page.wait_for_selector(by("look-at-avatar"), state="detached")
    page.wait_for_selector(by("my-avatars"))


def test_it_turns_by_itself_until_a_hand_takes_it(open_page: Callable[..., Page], known: MockServer) -> None:
    page = open_page("/room/x-person", script=f"{KNOWN};{COUNTED}", viewport={"width": 400, "height": 700})
    look(page)
    page.wait_for_selector(by("face-smile"))
    page.wait_for_function("() => window.drawn > 3")
    first = picture(page)
    until(page, lambda: picture(page) != first)
    page.focus(by("look-canvas"))
    page.keyboard.press("ArrowLeft")
    assert settled(page) > 3


@pytest.mark.parametrize(
    ("script", "web", "told"),
    [(NO_WEBGL, None, "has no WebGL 2"), ("", b"VWEB", "cannot be used because"), ("", b"", "cannot be used because")],
)
def test_what_cannot_be_drawn_is_said(
    open_page: Callable[..., Page], known: MockServer, script: str, web: bytes | None, told: str
) -> None:
    known.api.web = known.api.web if web is None else web
    page = open_page("/room/x-person", script=f"{KNOWN};{script}")
    look(page)
    page.wait_for_selector(by("look-words", told))
    assert page.is_hidden(by("look-canvas"))
