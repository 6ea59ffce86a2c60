"""docs/licences.md names every data file that ships, as it is."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DATA = (
    ".safetensors",
    ".npz",
    ".npy",
    ".onnx",
    ".pt",
    ".bin",
    ".tflite",
    ".task",
    ".wasm",
    ".jpg",
    ".png",
    ".mp4",
    ".wav",
    ".ttf",
    ".woff2",
)


def test_the_table_has_every_data_file_and_its_hash() -> None:
    text = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    found = tracked or [str(p.relative_to(ROOT)) for p in ROOT.rglob("*") if "node_modules" not in p.parts]
    for name in (name for name in found if name.endswith(DATA) and not name.startswith("tests/")):
        assert f"`{name}`" in text, f"{name} is not in docs/licences.md"
    rows = re.findall(r"^\| `([^`]+)` \|.*\| (\S+) \| `([0-9a-f]{64})` \|$", text, re.MULTILINE)
    assert len(rows) >= 4
    for name, commercial, digest in rows:
        assert commercial == "yes" and hashlib.sha256((ROOT / name).read_bytes()).hexdigest() == digest, name


def test_the_files_of_the_pages_tracker_are_those_that_are_named() -> None:
    text = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(face_mesh[^`]+)`[^|]*\| `([0-9a-f]{64})` \|$", text, re.MULTILINE)
    lock = json.loads((ROOT / "client_web" / "package-lock.json").read_text(encoding="utf-8"))
    entry = lock["packages"]["node_modules/@mediapipe/face_mesh"]
    assert f"`@mediapipe/face_mesh` {entry['version']} (npm)" in text and entry["license"] == "Apache-2.0"
    used = (ROOT / "client_web" / "src" / "private_camera" / "files.ts").read_text(encoding="utf-8")
    assert sorted(name for name, _ in rows) == sorted(re.findall(r'^  "([^"]+)":', used, re.MULTILINE))
    package = ROOT / "client_web" / "node_modules" / "@mediapipe" / "face_mesh"
    if not package.is_dir():
        pytest.skip("client_web/node_modules is missing: run `npm ci` in client_web")
    for name, digest in rows:
        assert hashlib.sha256((package / name).read_bytes()).hexdigest() == digest, name
