"""What the tests of the page ask of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from server.call.protocol import Participant

if TYPE_CHECKING:
    from playwright.sync_api import Page

BO, CLEO = Participant(7, "Bo", seated=True), Participant(8, "Cleo", seated=True, muted=True)

PICTURE_PLAYS = """() => {
  const video = document.querySelector("[data-testid=avatar]");
  return video && video.readyState >= 2 && video.videoWidth === 512 && !video.paused;
}"""


def by(test_id: str, containing: str = "") -> str:
    """A selector."""
    return f'[data-testid={test_id}]:has-text("{containing}")' if containing else f"[data-testid={test_id}]"


def phase(page: Page, name: str) -> None:
    page.wait_for_selector(f"html[data-phase={name}]")


def enter(page: Page, name: str = "Ada") -> None:
    """From the lobby to a live call."""
    page.fill(by("name"), name)
    page.click(by("join"))
    phase(page, "live")


def until(page: Page, condition: Callable[[], bool], milliseconds: int = 5_000) -> None:
    """Waits while the page goes on."""
    for _ in range(milliseconds // 50):
        if condition():
            return
        page.wait_for_timeout(50)
    raise TimeoutError("the condition did not come true in time")


def plates(page: Page) -> list[str]:
    """The names that are shown in the picture."""
    return page.locator(".plate:not([hidden])").all_inner_texts()


def announced(page: Page, sentence: str) -> None:
    """Waits until a screen reader is told that."""
    page.wait_for_selector(f'[data-testid=announcer] p:has-text("{sentence}")', state="attached")
