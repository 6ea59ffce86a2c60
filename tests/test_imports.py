"""Which part may import which (docs/architecture.md), and that importing a part costs nothing."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAY_IMPORT = {
    "models": {"models"},
    "enrollment": {"enrollment", "models"},
    "realtime": {"realtime", "models"},
    "server": {"server", "realtime", "enrollment", "models"},
}
OURS = {*MAY_IMPORT, "tests", "client_web", "docker", "docs"}
HEAVY = ("torch", "mediapipe", "numba", "scipy", "cv2", "onnxruntime", "anny")


def imported(source: str, package: str) -> Iterator[str]:
    """The modules that a file imports, wherever in it; `package`: the dotted package it is in, for relative imports."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            base = ".".join(parts[: len(parts) - node.level + 1]) if node.level else ""
            yield ".".join(p for p in (base, node.module or "") if p)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in ("import_module", "__import__") and isinstance(node.args[0].value, str):
                yield node.args[0].value


def violations(root: Path) -> list[str]:
    """One line for each import that points the wrong way."""
    out = []
    for part, allowed in MAY_IMPORT.items():
        for path in sorted((root / part).rglob("*.py")):
            package = ".".join(path.relative_to(root).parent.parts)
            for module in imported(path.read_text(encoding="utf-8"), package):
                top = module.split(".")[0]
                if top in OURS and top not in allowed:
                    out.append(f"{path.relative_to(root)} imports {module}")
    return out


def test_no_import_points_the_wrong_way() -> None:
    assert violations(ROOT) == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("models/a.py", "import server"),
        ("models/heads/a.py", "from realtime.worker import RenderWorker"),
        ("models/a.py", "def late():\n    from enrollment import fit"),
        ("models/a.py", "if TYPE_CHECKING:\n    import server.call.app as app"),
        ("models/a.py", "import importlib\nimportlib.import_module('server.call.app')"),
        ("models/a.py", "from tests import fakes"),
        ("enrollment/a.py", "import numpy, realtime.worker"),
        ("realtime/a.py", "from enrollment.instant.fit import fit"),
        ("realtime/a.py", "from server import protocol"),
    ],
)
def test_a_wrong_arrow_is_found(tmp_path: Path, path: str, source: str) -> None:
    file = tmp_path / path
    file.parent.mkdir(parents=True)
    file.write_text(source)
    assert len(violations(tmp_path)) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("models/a.py", "import numpy\nfrom models.types import Camera"),
        ("models/heads/a.py", "from . import base\nfrom .. import types\nfrom .server import x"),
        ("enrollment/a.py", "from models import arkit\nfrom enrollment import fit"),
        ("server/a.py", "import realtime, enrollment, models"),
        ("models/a.py", "'import server'"),
    ],
)
def test_a_right_arrow_is_no_violation(tmp_path: Path, path: str, source: str) -> None:
    file = tmp_path / path
    file.parent.mkdir(parents=True)
    file.write_text(source)
    assert violations(tmp_path) == []


@pytest.mark.parametrize("package", ["models", "models.heads", "models.splat", "enrollment", "realtime", "server"])
def test_importing_is_free(package: str) -> None:
    program = f"import sys, {package}; print(*(m for m in {HEAVY} if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
