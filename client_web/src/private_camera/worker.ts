/** Finds the person's face in pictures of the camera and says where its landmarks are. Pictures come in; none goes out. */
import { encodeLandmarks } from "../drive/landmark_wire";
import { Following } from "./following";
import { Mesh } from "./mesh";
import type { FromWorker, ToWorker } from "./messages";

/** Milliseconds. */
const TICK = 1000 / 30;

const tell = (message: FromWorker, transfer: Transferable[] = []): void => self.postMessage(message, { transfer });
const fail = (): void => tell({ kind: "failed" });
const following = new Following();
let mesh: Mesh | null = null;
let ticking: ReturnType<typeof setInterval> | undefined;

// The package and what it was made with talk much.
console.log = console.warn = console.error = () => undefined;
addEventListener("unhandledrejection", fail);

onmessage = ({ data }: MessageEvent<ToWorker>) => {
  if (data.kind === "start") Mesh.load(data.files, fail).then(begin, fail);
  else if (data.kind === "picture") look(data).catch(fail);
  else {
    clearInterval(ticking);
    if (data.on) ticking = setInterval(() => tell({ kind: "tick" }), TICK);
  }
};

function begin(loaded: Mesh): void {
  mesh = loaded;
  tell({ kind: "ready" });
}

async function look({ bitmap, sequence, time }: ToWorker & { kind: "picture" }): Promise<void> {
  if (!mesh) throw new Error("there is no tracker yet");
  const begun = performance.now();
  const { width, height } = bitmap;
  const points = following.choose(await mesh.look(bitmap), width, height);
  bitmap.close();
  // How far the landmarks can be trusted follows from where they lie, and the server judges that.
  const message = encodeLandmarks({ sequence, time, width, height, confidence: 1, points });
  tell({ kind: "seen", message, milliseconds: performance.now() - begun }, [message]);
}
