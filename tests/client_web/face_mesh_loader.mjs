// Reads JSON lines and answers each: {path} of a loader of WebAssembly with its text without `eval`.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { withoutEval } from "../../client_web/build/without_eval.js";

for await (const line of createInterface({ input: process.stdin })) {
  try {
    console.log(JSON.stringify({ text: withoutEval(readFileSync(JSON.parse(line).path, "utf8")) }));
  } catch (error) {
    console.log(JSON.stringify({ error: error.message }));
  }
}
