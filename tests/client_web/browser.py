"""What the tests of the page ask of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from server.call.protocol import Participant

if TYPE_CHECKING:
    from playwright.sync_api import Page

BO, CLEO = Participant(7, "Bo", seated=True), Participant(8, "Cleo", seated=True, muted=True)

PATIENCE = 60.0
"""Seconds that anything may take on a machine that has much else to do."""
MEASURED = """() => ['excellent', 'good', 'poor'].includes(document.querySelector('[data-testid=quality]')?.dataset.quality)"""
"""Pictures have come, and the page has looked at how many."""
FRAMES = """(count) => new Promise((done) => {
  const next = () => (count-- > 0 ? requestAnimationFrame(next) : done());
  next();
})"""
"""Waits for that many animation frames."""
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


def until(page: Page, condition: Callable[[], bool]) -> None:
    """Waits while the page goes on."""
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("the condition did not come true in time")
        page.wait_for_timeout(50)


def holds(page: Page, test_id: str, value: str) -> None:
    """Waits until a field has that value."""
    until(page, lambda: page.input_value(by(test_id)) == value)


def focused(page: Page, test_id: str) -> None:
    """Waits until that element has the focus."""
    page.wait_for_selector(f"{by(test_id)}:focus", state="attached")


def plates(page: Page) -> list[str]:
    """The names that are shown in the picture."""
    return page.locator(".plate:not([hidden])").all_inner_texts()


def announced(page: Page, sentence: str) -> None:
    """Waits until a screen reader is told that."""
    page.wait_for_selector(f'[data-testid=announcer] p:has-text("{sentence}")', state="attached")
