// Reads cases as JSON from stdin, arranges them with the page's own layout (argv[2], bundled), and prints what it got.
import { readFileSync } from "node:fs";

const { Layout } = await import(process.argv[2]);
const round = (rows) => rows.map((row) => [...row]);
const out = JSON.parse(readFileSync(0, "utf8")).map(({ changes, request, width, height, now }) => {
  const layout = new Layout();
  for (const { people, at } of changes) layout.arrange(people, at);
  const { people, arrangement, placed } = layout.shot(request, width, height, now);
  const { worldToCamera, ...lens } = arrangement.camera;
  return { people, lens, worldToCamera: [...worldToCamera], transforms: round(arrangement.transforms), placed: round(placed), cells: arrangement.cells };
});
process.stdout.write(JSON.stringify(out));
