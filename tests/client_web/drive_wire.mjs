// Reads JSON lines and answers each: {bytes: base64} with the frames that the page reads there, {frames} or {landmarks} with the bytes that it writes.
import { createInterface } from "node:readline";
import { encodeLandmarks } from "../../client_web/src/drive/landmark_wire.ts";
import { decodeDriveFrames, encodeDriveFrames } from "../../client_web/src/drive/wire.ts";

const plain = (frame) => Object.fromEntries(Object.entries(frame).map(([name, value]) => [name, ArrayBuffer.isView(value) ? [...value] : value]));
for await (const line of createInterface({ input: process.stdin })) {
  const { bytes, frames, landmarks } = JSON.parse(line);
  try {
    if (landmarks) console.log(JSON.stringify({ bytes: Buffer.from(encodeLandmarks(landmarks)).toString("base64") }));
    else if (frames) console.log(JSON.stringify({ bytes: Buffer.from(encodeDriveFrames(frames)).toString("base64") }));
    else console.log(JSON.stringify({ frames: decodeDriveFrames(Uint8Array.from(Buffer.from(bytes, "base64")).buffer).map(plain) }));
  } catch (error) {
    console.log(JSON.stringify({ error: `${error.constructor.name}: ${error.message}` }));
  }
}
