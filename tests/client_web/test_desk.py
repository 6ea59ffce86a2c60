"""The admins' desk in Chromium, against the real server: set-up, people, a colleague's avatar, the audit log; and as axe-core
judges each of its pages. Nothing enrolls here: jobs wait."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from server.store.database import Database
from server.store.files import FileStore
from server.store.tables import Job, StoredAvatar
from tests.client_web.browser import by, focused, phase, until
from tests.client_web.conftest import CLIENT
from tests.client_web.test_page_access import AXE, LOOKS, VIOLATIONS
from tests.server.call.serving import Running, in_thread, running
from tests.server.store.rows import add_job, make_database

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

pytestmark = pytest.mark.timeout(240)
PASSWORD = "correct horse battery"
CUT_OFF = """() => document.documentElement.scrollWidth > innerWidth || [...document.querySelectorAll("main, dialog")]
  .some((element) => element.scrollWidth > element.clientWidth)"""
Check = Callable[[str], None]


def picture() -> bytes:
    """A PNG."""
    data = io.BytesIO()
    Image.new("RGB", (96, 96), (200, 170, 150)).save(data, "PNG")
    return data.getvalue()


@pytest.fixture
def server(built_page: None, tmp_path: Path) -> Iterator[Running]:
    with in_thread(running(CLIENT / "dist", state=tmp_path)) as running_server:
        yield running_server


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """Fails on script errors and on breaches of the content security policy."""
    context = chromium.new_context(reduced_motion="reduce")
    context.set_default_timeout(60_000)
    errors: list[str] = []
    page = context.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: errors.append(line.text) if "Content Security Policy" in line.text else None)
    yield page
    context.close()
    assert errors == []


@pytest.fixture
def check(page: Page) -> Check:
    """check(state): axe finds nothing, and nothing is wider than the window."""
    if not AXE.exists():
        pytest.skip("axe-core is not installed: run `npm ci` in client_web")

    def judge(state: str) -> None:
        if not page.evaluate("'axe' in window"):
            page.evaluate(AXE.read_text())
        for width, height, scheme, rules in LOOKS:
            page.set_viewport_size({"width": width, "height": height})
            page.emulate_media(color_scheme=scheme)
            assert page.evaluate(VIOLATIONS, rules) == [], f"{state}, {scheme}"
            assert not page.evaluate(CUT_OFF), f"{state}, {width} pixels wide"

    return judge


def set_up(page: Page, server: Running) -> None:
    page.goto(server.addresses.setup)
    page.fill(by("name"), "Grace")
    page.fill(by("login"), "grace")
    page.fill(by("password"), PASSWORD)
    page.fill(by("password-again"), PASSWORD)
    page.click(by("setup-submit"))
    phase(page, "desk")


def sign_in(page: Page, login: str = "grace", password: str = PASSWORD) -> None:
    page.fill(by("login"), login)
    page.fill(by("password"), password)
    page.click(by("sign-in-submit"))


def add_person(page: Page, name: str, login: str) -> str:
    """Returns the id."""
    page.click(by("add-person"))
    page.fill(by("new-name"), name)
    page.fill(by("new-login"), login)
    page.fill(by("new-password"), PASSWORD)
    page.click(by("add-submit"))
    row = page.wait_for_selector(f'[data-testid=accounts] li:has-text("{name}")')
    assert row is not None
    return str(row.get_attribute("data-testid")).removeprefix("person-")


def test_the_first_admin_and_the_people(page: Page, server: Running, check: Check) -> None:
    page.goto(server.addresses.setup)
    page.wait_for_selector(by("setup"))
    check("set-up")
    page.fill(by("name"), "Grace")
    page.fill(by("login"), "grace")
    page.fill(by("password"), PASSWORD)
    page.fill(by("password-again"), PASSWORD + "?")
    page.click(by("setup-submit"))
    assert "differ" in page.eval_on_selector(by("password-again"), "(input) => input.validationMessage")
    page.fill(by("password-again"), PASSWORD)
    page.keyboard.press("Enter")
    phase(page, "desk")
    page.wait_for_url(server.base + "/admin")  # the key does not stay in the address
    page.wait_for_selector("h1:focus")
    check("people")

    page.goto(server.addresses.setup)
    page.wait_for_selector(by("no-setup-text", "has an admin already"))
    check("used link")
    page.goto(server.base + "/setup/wrong")
    page.wait_for_selector(by("no-setup-text", "not the set-up link"))
    page.click(by("to-sign-in"))
    phase(page, "desk")

    page.click(by("add-person"))
    check("add a person")
    page.fill(by("new-name"), "Bo")
    page.fill(by("new-login"), "grace")
    page.fill(by("new-password"), PASSWORD)
    page.click(by("add-submit"))
    page.wait_for_selector(by("add-trouble", "This login is taken"))
    check("a login that is taken")
    page.fill(by("new-login"), "bo")
    page.click(by("add-submit"))
    page.wait_for_selector('[data-testid=accounts] li:has-text("Bo")')
    cleo = add_person(page, "Cleo", "cleo")

    page.click(by(f"change-{cleo}"))
    page.fill(by("change-name"), "Cleopatra")
    page.select_option(by("change-role"), "admin")
    check("change a person")
    page.click(by("change-submit"))
    page.wait_for_selector(by(f"person-{cleo}", "Cleopatra"))
    assert "Admin" in page.inner_text(by(f"person-{cleo}"))
    page.click(by(f"change-{cleo}"))
    page.click(by("disable"))
    page.wait_for_selector(by(f"person-{cleo}", "Disabled"))
    focused(page, f"change-{cleo}")  # where it was

    page.click(by(f"erase-{cleo}"))
    check("confirmation")
    page.click(by("confirm-yes"))
    page.wait_for_selector(by(f"person-{cleo}"), state="detached")

    page.click(by("to-audit"))
    page.wait_for_selector(by("audit", "made an account for Bo"))
    acts = page.locator("[data-testid=audit] li p:first-child").all_inner_texts()
    assert any(act.startswith("Grace erased no longer here") for act in acts)
    assert acts[-1] == "Grace made an account for themselves"
    check("audit log")

    page.click(by("account"))
    check("account")
    page.click(by("sign-out-everywhere"))
    phase(page, "sign-in")
    check("sign-in")
    sign_in(page, "bo")
    page.wait_for_selector(by("sign-in-trouble", "Only admins"))
    sign_in(page, "grace", "another password")
    page.wait_for_selector(by("sign-in-trouble", "do not fit"))
    check("sign-in refused")
    sign_in(page)
    phase(page, "desk")
    page.wait_for_url("**#audit")  # where it was


def better_and_retried(page: Page, database: Database, files: FileStore, ready: str, check: Check) -> str:
    """A better one of a clip is ordered, has its place in the line, fails, and begins anew; returns the avatar of the job that
    comes first."""
    with database.session() as session:
        avatar = session.get_one(StoredAvatar, ready)
        avatar.file, owner = "avatars/sea.avatar", avatar.owner_id
    files.write("avatars/sea.avatar", b"an avatar")
    other = add_job(database, owner, quality="standard", created=1.0).avatar_id
    page.click(by("to-people"))
    page.click(by("to-avatars"))
    page.click(by(f"better-{ready}"))
    two = [{"name": f"{i}.webm", "mimeType": "video/webm", "buffer": b"a clip"} for i in range(2)]
    page.set_input_files(by("photos"), two)  # type: ignore[arg-type]
    page.wait_for_selector(by("better-trouble", "One clip"))
    page.set_input_files(by("photos"), two[0])  # type: ignore[arg-type]
    page.wait_for_selector(by("clip-name", "0.webm"))
    assert page.is_disabled(by("better-quality")), "high quality is for photos"
    check("make an avatar better")
    page.check(by("keep-photo"))
    page.check(by("agreed"))
    page.click(by("better-submit"))
    page.wait_for_selector(by(f"avatar-{ready}", "Gets better"))
    assert not page.is_visible(by(f"better-{ready}"))
    with database.reading() as session:
        better = session.query(Job).where(Job.avatar_id == ready).one()
    assert (better.quality, files.read(f"{better.folder}/clip")) == ("standard", b"a clip")
    page.click(by("to-jobs"))
    page.wait_for_selector(by(f"job-{better.id}", "one comes first"))
    with database.session() as session:
        session.get_one(Job, better.id).state, session.get_one(Job, better.id).error = "failed", "the disk was full"
    page.wait_for_selector(by(f"job-{better.id}", "The disk was full"))
    check("a job that failed")
    page.click(by(f"again-{better.id}"))
    page.wait_for_selector(by(f"job-{better.id}", "Waiting"))
    page.click(by(f"cancel-{better.id}"))
    page.wait_for_selector(by(f"job-{better.id}", "Cancelled"))
    page.click(by("to-avatars"))
    return other


def test_a_colleagues_avatar(page: Page, server: Running, check: Check, tmp_path: Path) -> None:
    set_up(page, server)
    bo = add_person(page, "Bo", "bo")
    held: list[Route] = []
    page.route("**/api/people*", lambda route: held.append(route))
    page.click(by(f"enroll-{bo}"))
    until(page, lambda: bool(held))
    assert not page.evaluate("document.querySelector('[data-testid=owner]').checkValidity()"), "nobody is known yet"
    page.unroute("**/api/people*")  # which lets the held ones go on
    page.wait_for_function("() => document.querySelector('[data-testid=avatar-name]').value === 'Bo'")
    page.set_input_files(by("photos"), {"name": "bo.svg", "mimeType": "image/svg+xml", "buffer": b"<svg/>"})
    page.wait_for_selector(by("enroll-trouble", "A photo was expected"))
    page.set_input_files(by("photos"), {"name": "bo.png", "mimeType": "image/png", "buffer": picture()})
    page.wait_for_selector(".photo-picture img")
    check("enroll")
    page.click(by("enroll-submit"))
    assert page.evaluate("document.activeElement.dataset.testid") == "agreed", "nothing is made without the consent"
    page.check(by("agreed"))
    page.click(by("enroll-submit"))
    page.wait_for_selector(by("enroll-words", "Starting"))
    check("enrolling")
    database, files = Database(make_database(tmp_path)), FileStore(str(tmp_path / "files"))
    with database.session() as session:
        (job,) = session.query(Job).all()
        avatar = session.get_one(StoredAvatar, job.avatar_id)
        assert avatar.owner_id == bo and avatar.quality == "standard"
        first, second = avatar.id, StoredAvatar(owner_id=bo, name="Bo at sea", state="ready", preview="previews1")
        session.add(second)
        session.flush()
        ready = second.id
    files.write("previews1", picture())
    page.click(by("enroll-another"))  # the server goes on with the first one
    page.wait_for_selector(f"{by('enroll-submit')} >> visible=true")
    assert not page.is_checked(by("agreed")), "each photo is agreed to anew"
    page.reload()  # the page forgets what it follows, the server does not
    page.click(by("to-jobs"))
    page.click(by(f"cancel-{job.id}"))
    page.wait_for_selector(by(f"job-{job.id}", "Cancelled"))
    check("jobs")
    page.click(by(f"again-{job.id}"))  # its photo is erased: another one
    page.wait_for_selector(f"{by('photos')} >> visible=true")
    assert page.url.endswith(f"#enroll/{bo}")
    page.wait_for_function("bo => document.querySelector('[data-testid=owner]').value === bo", arg=bo)

    page.click(by("to-avatars"))
    page.wait_for_selector(f"[data-testid=avatar-{ready}] img")
    check("avatars")
    page.check(by(f"share-{ready}"))
    page.wait_for_selector(by("toast", "Everybody may take Bo at sea"))
    with database.session() as session:
        assert session.get_one(StoredAvatar, ready).shared
        session.get_one(StoredAvatar, ready).name = "Bo ashore"  # by another admin meanwhile
    page.uncheck(by(f"share-{ready}"))
    page.wait_for_selector(by("desk-trouble", "Somebody else has changed"))
    page.wait_for_selector(by(f"avatar-{ready}", "Bo ashore"))
    assert page.is_checked(by(f"share-{ready}"))
    check("a change that came second")
    other = better_and_retried(page, database, files, ready, check)
    for each in (first, ready, other):
        page.click(by(f"erase-{each}"))
        page.click(by("confirm-yes"))
        page.wait_for_selector(by(f"avatar-{each}"), state="detached")
    page.wait_for_selector(by("no-avatars"))
    database.close()
