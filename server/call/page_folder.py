"""Where the built page is: in the installed package (setup.py puts it there), or client_web/dist in a checkout."""

from __future__ import annotations

from pathlib import Path

PACKAGED = Path(__file__).resolve().parent / "web_page"
CHECKOUT = Path(__file__).resolve().parents[2] / "client_web" / "dist"


def page_folder() -> Path:
    """The folder with the page's index.html and assets; it may be missing in a checkout whose page is not built."""
    return PACKAGED if (PACKAGED / "index.html").is_file() else CHECKOUT
