// Opens exported files as public viewers do and prints what they found there as one line of JSON. One argument: the folder.
import {execFileSync} from 'node:child_process';
import fs from 'node:fs';
import {fileURLToPath} from 'node:url';

globalThis.navigator ??= {userAgent: 'node'};
globalThis.window ??= globalThis;
const folder = process.argv[2];
const bytes = (name) => new Uint8Array(fs.readFileSync(`${folder}/${name}`));
const out = {};

// SuperSplat's own tool, from PLY to SPZ
const cli = fileURLToPath(import.meta.resolve('@playcanvas/splat-transform').replace(/dist\/index\.mjs$/, 'bin/cli.mjs'));
const tool = (...words) => execFileSync(process.execPath, [cli, '-q', '-w', ...words], {cwd: folder, stdio: ['ignore', 'ignore', 'inherit']});
tool('--spz-version', '3', 'a.ply', 'supersplat.spz');

const mkkellogg = await import('@mkkellogg/gaussian-splats-3d');
for (const name of ['a.ply', 'point_cloud.ply']) {
  out[`mkkellogg ${name}`] = mkkellogg.PlyParser.parseToUncompressedSplatArray(bytes(name).buffer, 0).splats;
}

const spark = await import('@sparkjsdev/spark');
const plyReader = new spark.PlyReader({fileBytes: bytes('a.ply')});
await plyReader.parseHeader();
out['spark a.ply'] = [];
plyReader.parseSplats((i, ...row) => { out['spark a.ply'][i] = row.slice(0, 14); });
for (const name of ['a3.spz', 'a2.spz']) {
  const reader = new spark.SpzReader({fileBytes: bytes(name)});
  await reader.parseHeader();
  const rows = out[`spark ${name}`] = Array.from({length: reader.numSplats}, () => ({}));
  await reader.parseSplats((i, ...v) => { rows[i].mean = v; }, (i, v) => { rows[i].opacity = v; }, (i, ...v) => { rows[i].color = v; },
                           (i, ...v) => { rows[i].scale = v; }, (i, ...v) => { rows[i].xyzw = v; });
}

const validator = (await import('gltf-validator')).default;
for (const name of ['skin.glb', 'animation.glb']) out[name] = (await validator.validateBytes(bytes(name))).issues;
const {GLTFLoader} = await import('three/examples/jsm/loaders/GLTFLoader.js');
(await new GLTFLoader().parseAsync(bytes('skin.glb').buffer, '')).scene.traverse((o) => {
  if (o.isSkinnedMesh) out.skin = [o.geometry.attributes.position.count, o.geometry.morphAttributes.position.length,
                                   o.skeleton.bones.map((b) => b.name)];
});
out.clips = (await new GLTFLoader().parseAsync(bytes('animation.glb').buffer, '')).animations.length;
console.log(JSON.stringify(out));
process.exit(0);
