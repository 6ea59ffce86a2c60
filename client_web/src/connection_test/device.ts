/** Whether the browser gives a camera or a microphone, which is released at once. */
import { causeOf, explain, type Trouble, whichBrowser } from "../media_errors";
import type { Result } from "./checks";

/** Milliseconds that the browser's question may stay open. */
const ASKING_LIMIT = 30_000;

export async function tryDevice(kind: "video" | "audio"): Promise<Result> {
  const blame = (name: string): Trouble => explain(navigator.mediaDevices ? causeOf(name) : "insecure", [kind], whichBrowser(navigator.userAgent));
  if (!navigator.mediaDevices) return { kind: "device", trouble: blame(""), label: "" };
  const asked = navigator.mediaDevices.getUserMedia({ [kind]: true });
  try {
    const stream = await Promise.race([asked, new Promise<null>((resolve) => setTimeout(() => resolve(null), ASKING_LIMIT))]);
    if (stream === null) {
      void asked.then(release, () => undefined);
      return { kind: "unanswered" };
    }
    const label = stream.getTracks()[0]?.label ?? "";
    release(stream);
    return { kind: "device", trouble: null, label };
  } catch (error) {
    return { kind: "device", trouble: blame(error instanceof Error ? error.name : ""), label: "" };
  }
}

function release(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}
