"""Puts the built page into the wheel; everything else about the package is in pyproject.toml."""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.errors import SetupError

ROOT = Path(__file__).resolve().parent
BUILT_PAGE = ROOT / "client_web" / "dist"


class BuildWithPage(build_py):
    """Copies client_web/dist to server/call/web_page. An editable installation serves client_web/dist itself."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        if not (BUILT_PAGE / "index.html").is_file():
            raise SetupError("client_web/dist/index.html was expected in the wheel, it is missing; run `make web` first")
        target = Path(self.build_lib) / "server" / "call" / "web_page"
        shutil.rmtree(target, ignore_errors=True)  # the names of assets change with each build
        shutil.copytree(BUILT_PAGE, target)


setup(cmdclass={"build_py": BuildWithPage})
