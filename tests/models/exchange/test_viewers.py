"""What we write, opened by public viewers' own parsers under node. Nothing is fetched: where they are missing, it is skipped.

To run it: mkdir -p /tmp/visavis-viewers && cd /tmp/visavis-viewers && npm init -y && npm install --legacy-peer-deps
three@0.180 @sparkjsdev/spark@0.1.10 @mkkellogg/gaussian-splats-3d@0.4.7 gltf-validator@2.0.0-dev.3.10
(or name another folder in VISAVIS_VIEWERS).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.exchange import gaussian_avatars, lam, ply, spz
from models.heads.anny import AnnyHead
from tests.models import makers
from tests.models.exchange import making

FOLDER = Path(os.environ.get("VISAVIS_VIEWERS", "/tmp/visavis-viewers"))
PACKAGES = ("three", "@sparkjsdev/spark", "@mkkellogg/gaussian-splats-3d", "gltf-validator")
WORLD = making.world(40)
PROGRAM = """
import fs from 'fs';
globalThis.navigator ??= {userAgent: 'node'}; globalThis.window ??= globalThis; globalThis.document ??= undefined;
const bytes = (name) => new Uint8Array(fs.readFileSync(`${process.argv[2]}/${name}`));
const out = {};
const m = await import('@mkkellogg/gaussian-splats-3d');
for (const name of ['a.ply', 'point_cloud.ply']) {
  out['mkkellogg ' + name] = m.PlyParser.parseToUncompressedSplatArray(bytes(name).buffer, 0).splats;
}
const s = await import('@sparkjsdev/spark');
const p = new s.PlyReader({fileBytes: bytes('a.ply')});
await p.parseHeader();
out['spark a.ply'] = [];
p.parseSplats((i, ...row) => { out['spark a.ply'][i] = row.slice(0, 14); });
for (const name of ['a3.spz', 'a2.spz']) {
  const r = new s.SpzReader({fileBytes: bytes(name)});
  await r.parseHeader();
  const rows = out['spark ' + name] = Array.from({length: r.numSplats}, () => ({}));
  await r.parseSplats((i, ...v) => { rows[i].mean = v; }, (i, v) => { rows[i].opacity = v; }, (i, ...v) => { rows[i].color = v; },
                      (i, ...v) => { rows[i].scale = v; }, (i, ...v) => { rows[i].xyzw = v; });
}
const v = (await import('gltf-validator')).default;
for (const name of ['skin.glb', 'animation.glb']) out[name] = (await v.validateBytes(bytes(name))).issues;
const {GLTFLoader} = await import('three/examples/jsm/loaders/GLTFLoader.js');
(await new GLTFLoader().parseAsync(bytes('skin.glb').buffer, '')).scene.traverse((o) => {
  if (o.isSkinnedMesh) out.skin = [o.geometry.attributes.position.count, o.geometry.morphAttributes.position.length,
                                   o.skeleton.bones.map((b) => b.name)];
});
out.clips = (await new GLTFLoader().parseAsync(bytes('animation.glb').buffer, '')).animations.length;
console.log(JSON.stringify(out));
process.exit(0);
"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the viewers' parsers found in our files."""
    missing = [name for name in PACKAGES if not (FOLDER / "node_modules" / name).is_dir()]
    if shutil.which("node") is None or missing:
        pytest.skip(
            f"no viewers to open our files with: {FOLDER} lacks {', '.join(missing) or 'node'} (see {Path(__file__).name})"
        )
    at = tmp_path_factory.mktemp("files")
    ply.save(WORLD, at / "a.ply")
    spz.save(WORLD, at / "a3.spz")
    spz.save(WORLD, at / "a2.spz", 2)
    head = AnnyHead()
    avatar = makers.avatar(head, 40)
    for members in (gaussian_avatars.encode(avatar, head)[0], lam.encode(avatar, head)):
        for name, data in members.items():
            (at / name).write_bytes(data)
    program = FOLDER / f"visavis-{os.getpid()}.mjs"
    program.write_text(PROGRAM)
    try:
        done = subprocess.run(["node", program, at], cwd=FOLDER, capture_output=True, text=True, timeout=60, check=False)
    finally:
        program.unlink()
    assert done.returncode == 0, done.stderr[-2000:]
    out: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return out


def test_mkkelloggs_viewer_opens_our_ply(seen: dict[str, Any]) -> None:
    rows = np.array(seen["mkkellogg a.ply"])
    assert len(seen["mkkellogg point_cloud.ply"]) == 40
    np.testing.assert_allclose(rows[:, :3], WORLD.means, atol=1e-6)
    np.testing.assert_allclose(rows[:, 3:6], WORLD.scales, rtol=1e-5)
    turns = rows[:, 6:10]
    np.testing.assert_allclose(np.abs((turns * WORLD.rotations).sum(1)), 1, atol=1e-6)
    np.testing.assert_allclose(rows[:, 10:13] / 255, WORLD.colors, atol=1.01 / 255)


def test_spark_opens_our_ply(seen: dict[str, Any]) -> None:
    rows = np.array(seen["spark a.ply"])
    np.testing.assert_allclose(rows[:, :3], WORLD.means, atol=1e-6)
    np.testing.assert_allclose(rows[:, 3:6], WORLD.scales, rtol=1e-5)
    np.testing.assert_allclose(rows[:, 6:10], np.roll(WORLD.rotations, -1, axis=1), atol=1e-5)
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
