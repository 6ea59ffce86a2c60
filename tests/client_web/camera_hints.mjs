// Reads JSON lines of pictures of the oval ({cue, oval, around: base64 RGBA}) and answers each with what the page makes of it.
import { createInterface } from "node:readline";
import { CueMeter, CUE_HEIGHT, CUE_WIDTH, isDone } from "../../client_web/src/avatars/cues.ts";
import { hintOf } from "../../client_web/src/avatars/guidance.ts";
import { lightOf, lumaOf, motionOf, sharpnessOf } from "../../client_web/src/avatars/measure.ts";

const luma = (text, width, height) => lumaOf({ data: Buffer.from(text, "base64"), width, height });
const meter = new CueMeter();
for await (const line of createInterface({ input: process.stdin })) {
  const { cue, rests, oval, around } = JSON.parse(line);
  const answer = {};
  if (cue) {
    const seen = luma(cue, CUE_WIDTH, CUE_HEIGHT);
    if (rests) meter.take(seen);
    answer.cues = meter.measure(seen);
    answer.done = ["left", "right", "up", "smile", "open"].filter((ask) => isDone(ask, answer.cues));
  }
  if (oval) {
    const inside = luma(oval, 144, 192);
    const light = lightOf(inside, 144, luma(around, 32, 24), 32);
    const sharpness = sharpnessOf(inside, 144, light.contrast);
    answer.hint = hintOf({ ...light, sharpness, motion: motionOf(null, inside, 144, light.contrast), face: null });
    answer.measured = { ...light, sharpness };
  }
  console.log(JSON.stringify(answer));
}
