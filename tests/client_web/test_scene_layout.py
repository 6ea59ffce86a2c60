"""The page seats people as the server does: the same requests, people and sizes give the same cameras, transforms and cells."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from realtime.room.layout import Layout, ViewRequest
from tests.client_web.conftest import CLIENT

SCRIPT = Path(__file__).with_name("scene_layout.mjs")
SIZES = ((512, 512), (1280, 600), (360, 640))
COMINGS: list[list[tuple[str, int, float]]] = [
    [],
    [("join", 3, 0.0)],
    [("join", 3, 0.0), ("join", 1, 0.5)],  # before the first, who has moved half of the way
    [("join", 3, 0.0), ("join", 5, 1.0), ("leave", 3, 1.3)],
    [("join", n, 0.0) for n in (4, 9, 7)],
    [("join", n, 0.1 * n) for n in range(1, 6)] + [("leave", 2, 0.6)],
    [("join", n, 0.0) for n in range(8)],
]
REQUESTS = [
    ViewRequest(),
    ViewRequest(owner=3),
    ViewRequest(owner=5),
    ViewRequest(owner=3, focus=5),
    ViewRequest(owner=3, focus=99),
    ViewRequest(owner=3, orbit=True, yaw=0.7, pitch=0.4, distance=1.2),
    ViewRequest(owner=-1, orbit=True, focus=7, yaw=-2.0, pitch=-0.3, distance=0.5),
]
TIMES = (0.7, 1.35, 100.0)


def python(changes: list[tuple[str, int, float]], request: ViewRequest, width: int, height: int, now: float) -> dict[str, Any]:
    layout = Layout(width, height)
    for kind, participant, at in changes:
        if kind == "join":
            layout.join(participant, participant, at)
        else:
            layout.leave(participant, at)
    shot = layout.shot(request, now)
    camera, seats = shot.arrangement.camera, layout.seats(now)
    transforms = shot.arrangement.transforms
    placed = [transform @ seats[person].matrix for person, transform in zip(shot.people, transforms, strict=True)]
    return {
        "people": list(shot.people),
        "lens": {name: getattr(camera, name) for name in ("width", "height", "fx", "fy", "cx", "cy")},
        "worldToCamera": camera.world_to_camera[:3].ravel(),
        "transforms": transforms[:, :3].reshape(-1, 12),
        "placed": np.array(placed).reshape(-1, 4, 4)[:, :3].reshape(-1, 12),
        "cells": np.asarray(shot.arrangement.cells).reshape(-1, 4),
    }


def case(changes: list[tuple[str, int, float]], request: ViewRequest, width: int, height: int, now: float) -> dict[str, Any]:
    """The same for the page, which is told who is here after each change."""
    people: set[int] = set()
    told = []
    for kind, participant, at in changes:
        people = people | {participant} if kind == "join" else people - {participant}
        told.append({"people": sorted(people), "at": 1000 * at})
    view = {"yaw": request.yaw, "pitch": request.pitch, "distance": request.distance}
    wish = {"owner": request.owner, "orbit": request.orbit, "focus": request.focus, "view": view}
    return {"changes": told, "request": wish, "width": width, "height": height, "now": 1000 * now}


def test_the_page_seats_people_as_the_server_does(tmp_path: Path) -> None:
    esbuild = CLIENT / "node_modules" / ".bin" / "esbuild"
    if shutil.which("node") is None or not esbuild.exists():
        pytest.skip("Node or client_web/node_modules is missing")
    bundle = tmp_path / "layout.mjs"
    source = CLIENT / "src" / "scene" / "layout.ts"
    subprocess.run([esbuild, source, "--bundle", "--format=esm", f"--outfile={bundle}", "--log-level=error"], check=True)
    cases = [(c, r, *s, t) for c in COMINGS for r in REQUESTS for s in SIZES for t in TIMES]
    words = ["node", str(SCRIPT), str(bundle)]
    told = subprocess.run(words, input=json.dumps([case(*c) for c in cases]), capture_output=True, text=True, check=True)
    found = json.loads(told.stdout)
    assert len(found) == len(cases)
    for which, theirs in zip(cases, found, strict=True):
        ours = python(*which)
        assert theirs["people"] == ours["people"], which
        assert theirs["lens"] == pytest.approx(ours["lens"]), which
        for name in ("worldToCamera", "transforms", "placed", "cells"):
            values = np.array(theirs[name], float).reshape(np.shape(ours[name]))
            np.testing.assert_allclose(values, ours[name], atol=1e-6, err_msg=f"{name} of {which}")
