"""What we write, opened by public viewers' own parsers under node, and one of them drawing it in a browser.

`make viewers`, and so `make test`, installs them beside this file (viewers/package.json). Where they are missing, the tests
install them with npm; where that fails the tests are skipped, under CI they fail.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.exchange import gaussian_avatars, lam, ply, spz
from models.heads.anny import AnnyHead
from models.splat.oracle import OracleRasterizer
from models.types import Array, Camera, Gaussians
from tests.client_web.conftest import chromium
from tests.models import makers
from tests.models.exchange import making

__all__ = ["chromium"]
FOLDER = Path(__file__).parent / "viewers"
TOOLS = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
NODE = shutil.which("node", path=TOOLS)
WORLD = making.world(40)
IN_FILE = making.turned(WORLD)


def missing() -> str:
    """Why our files cannot be opened here; empty when they can. Installs the viewers of package-lock.json once."""
    npm = shutil.which("npm", path=TOOLS)
    if NODE is None or npm is None:
        return "node and npm were expected, to open our files with public viewers; `make viewers` installs them"
    if not (FOLDER / "node_modules" / ".package-lock.json").exists():
        options = ["--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
        environment = os.environ | {"PATH": TOOLS}
        done = subprocess.run([npm, "ci", *options], cwd=FOLDER, env=environment, capture_output=True, timeout=240, check=False)
        if done.returncode:
            return "public viewers could not be installed; `make viewers` says why"
    return ""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our files, one of each kind."""
    problem = missing()
    if problem:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(problem)
    at = tmp_path_factory.mktemp("files")
    ply.save(WORLD, at / "a.ply")
    spz.save(WORLD, at / "a3.spz")
    spz.save(WORLD, at / "a2.spz", 2)
    head = AnnyHead()
    avatar = makers.avatar(head, 40)
    for members in (gaussian_avatars.encode(avatar, head)[0], lam.encode(avatar, head)):
        for name, data in members.items():
            (at / name).write_bytes(data)
    return at


@pytest.fixture(scope="module")
def seen(folder: Path) -> dict[str, Any]:
    """What the viewers' parsers found in our files."""
    assert NODE is not None
    program = FOLDER / "open.mjs"
    done = subprocess.run([NODE, program, folder], cwd=FOLDER, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    out: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return out


def same_turns(a: Array, b: Array, limit: float = 1e-6) -> None:
    """Quaternions, (N, 4) each, are the same rotations."""
    np.testing.assert_allclose(np.abs((a * b).sum(axis=1)), 1, atol=limit)


def test_supersplat_shows_our_ply_as_our_spz(seen: dict[str, Any], folder: Path) -> None:
    """Its tool makes an SPZ of the PLY, of which the axes are laid down (right, up, back): that is where avatars are upright."""
    theirs, ours = spz.load(folder / "supersplat.spz"), spz.load(folder / "a3.spz")
    order = [int(np.argmin(np.linalg.norm(theirs.means - mean, axis=1))) for mean in WORLD.means]
    np.testing.assert_allclose(theirs.means[order], WORLD.means, atol=2e-4)
    same_turns(theirs.rotations[order], WORLD.rotations, 1e-4)
    np.testing.assert_allclose(theirs.scales[order], ours.scales, rtol=0.07)
    np.testing.assert_allclose(theirs.colors[order], ours.colors, atol=0.01)
    np.testing.assert_allclose(theirs.opacities[order], ours.opacities, atol=0.01)


def test_mkkelloggs_viewer_opens_our_ply(seen: dict[str, Any]) -> None:
    rows = np.array(seen["mkkellogg a.ply"])
    assert len(seen["mkkellogg point_cloud.ply"]) == 40
    np.testing.assert_allclose(rows[:, :3], IN_FILE.means, atol=1e-6)
    np.testing.assert_allclose(rows[:, 3:6], WORLD.scales, rtol=1e-5)
    same_turns(rows[:, 6:10], IN_FILE.rotations)
    np.testing.assert_allclose(rows[:, 10:13] / 255, WORLD.colors, atol=1.01 / 255)


def test_a_camera_of_training_code_sees_the_face(seen: dict[str, Any]) -> None:
    """3D Gaussian Splatting and gsplat draw with OpenCV cameras: one at (0, 0, -1) that looks along z, with nothing turned, sees
    what our camera sees in front of the avatar."""
    rows = np.array(seen["mkkellogg a.ply"], np.float32)
    read = Gaussians(rows[:, :3], rows[:, 6:10], rows[:, 3:6], WORLD.opacities, WORLD.colors)
    ours = Camera.orbit(0.0, distance=1.0, width=96, height=96)
    ahead = np.eye(4)
    ahead[2, 3] = 1.0
    theirs = replace(ours, world_to_camera=ahead)
    drawn, expected = (OracleRasterizer().render(g, camera).color for g, camera in ((read, theirs), (WORLD, ours)))
    assert np.ptp(expected) > 0.5
    np.testing.assert_allclose(drawn, expected, atol=1e-3)


def test_spark_opens_our_ply(seen: dict[str, Any]) -> None:
    rows = np.array(seen["spark a.ply"])
    np.testing.assert_allclose(rows[:, :3], IN_FILE.means, atol=1e-6)
    np.testing.assert_allclose(rows[:, 3:6], WORLD.scales, rtol=1e-5)
    same_turns(np.roll(rows[:, 6:10], 1, axis=1), IN_FILE.rotations)
    np.testing.assert_allclose(rows[:, 10], WORLD.opacities, atol=1e-5)
    np.testing.assert_allclose(rows[:, 11:14], WORLD.colors, atol=1e-5)


@pytest.mark.parametrize("version", [2, 3])
def test_spark_reads_our_spz_as_we_do(seen: dict[str, Any], version: int) -> None:
    rows, ours = seen[f"spark a{version}.spz"], spz.decode(spz.encode(WORLD, version))
    for name, expected in (("mean", ours.means), ("opacity", ours.opacities), ("scale", ours.scales)):
        np.testing.assert_allclose([row[name] for row in rows], expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(np.clip([row["color"] for row in rows], 0, 1), ours.colors, atol=1e-6)
    q = np.array([row["xyzw"] for row in rows])
    q /= np.linalg.norm(q, axis=1, keepdims=True)
    np.testing.assert_allclose(q, np.roll(ours.rotations, -1, axis=1), atol=1e-5)


def test_khronos_finds_no_fault_with_our_gltf(seen: dict[str, Any]) -> None:
    for name in ("skin.glb", "animation.glb"):
        assert (seen[name]["numErrors"], seen[name]["numWarnings"]) == (0, 0), seen[name]


def test_three_loads_the_skin_that_lams_viewer_asks_for(seen: dict[str, Any]) -> None:
    count, targets, bones = seen["skin"]
    assert 0 < count <= 40
    assert targets == 51
    assert bones == ["hip", "neck", "head", "jaw", "left_eye", "right_eye"]
    assert seen["clips"] == 12


def blobs() -> Gaussians:
    """Red above, blue below, green at the person's left, and in the middle white in front of black."""
    places = [[0, 0.2, 0], [0, -0.2, 0], [0.2, 0, 0], [0, 0, 0.1], [0, 0, -0.1]]
    colors = [[1, 0, 0], [0, 0, 1], [0, 1, 0], [1, 1, 1], [0, 0, 0]]
    turns = np.tile(np.array([1, 0, 0, 0], np.float32), (5, 1))
    return Gaussians(
        np.array(places, np.float32), turns, np.full((5, 3), 0.03, np.float32), np.full(5, 0.99, np.float32),
        np.array(colors, np.float32),
    )  # fmt: skip


@pytest.mark.e2e
@pytest.mark.parametrize("kind", ["ply", "spz"])
def test_spark_draws_it_upright_and_not_mirrored(folder: Path, chromium: Any, kind: str) -> None:
    {"ply": ply, "spz": spz}[kind].save(blobs(), folder / f"blobs.{kind}")

    def answer(route: Any) -> None:
        name = route.request.url.partition("//")[2].partition("/")[2].partition("?")[0]
        path = folder / name.removeprefix("files/") if name.startswith("files/") else FOLDER / name
        kinds = {".html": "text/html", ".js": "text/javascript"}
        route.fulfill(body=path.read_bytes(), content_type=kinds.get(path.suffix, "application/octet-stream"))

    page = chromium.new_page()
    try:
        page.route("http://viewer.test/**", answer)
        page.goto(f"http://viewer.test/draw.html?file=/files/blobs.{kind}")
        page.wait_for_function("window.drawn")
        picture = np.array(page.evaluate("drawn"), np.uint8).reshape(96, 96, 4)[::-1, :, :3]
    finally:
        page.close()
    half = round(0.2 * 48 / np.tan(np.radians(20)))
    for place, color in (((-half, 0), (1, 0, 0)), ((half, 0), (0, 0, 1)), ((0, half), (0, 1, 0)), ((0, 0), (1, 1, 1))):
        np.testing.assert_allclose(picture[48 + place[0], 48 + place[1]] / 255, color, atol=0.15)
    assert picture[48, 48 - half].max() < 30
