"""Parts of the page run by node, without a browser."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

CLIENT = Path(__file__).parents[2] / "client_web"


def answers(script: Path, lines: Sequence[dict[str, object]]) -> list[dict[str, Any]]:
    """What a script answers to lines of JSON; it may import the page's TypeScript."""
    node, esbuild = shutil.which("node"), CLIENT / "node_modules" / ".bin" / "esbuild"
    if node is None or not esbuild.exists():
        pytest.skip("node or client_web/node_modules is missing")
    bundle = [esbuild, script, "--bundle", "--platform=node", "--format=esm", "--log-level=error"]
    program = subprocess.run(bundle, capture_output=True, check=True).stdout
    with tempfile.NamedTemporaryFile(suffix=".mjs") as file:
        file.write(program)
        file.flush()
        told = subprocess.run(
            [node, file.name], input="\n".join(map(json.dumps, lines)), capture_output=True, text=True, check=True
        )
    return [json.loads(line) for line in told.stdout.splitlines()]
