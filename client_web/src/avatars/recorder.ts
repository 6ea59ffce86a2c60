/** A clip of the camera, as a file. */

export const MAX_CLIP = 48 * 1024 * 1024;
const BITS = 2_500_000;
/** What is recorded, best first: VP8 and H.264 cost a slow machine least. */
const KINDS = ["video/webm;codecs=vp8", "video/mp4;codecs=avc1", "video/webm;codecs=vp9", "video/webm", "video/mp4"];
const CHUNK = 500;

/** The kind that this browser can record; empty: none. */
export function recordedKind(): string {
  const recorder = (globalThis as { MediaRecorder?: typeof MediaRecorder }).MediaRecorder;
  return recorder ? (KINDS.find((kind) => recorder.isTypeSupported(kind)) ?? "") : "";
}

export class Recorder {
  private readonly recorder: MediaRecorder;
  private readonly chunks: Blob[] = [];
  private size = 0;

  /** Throws where the browser cannot. `full`: it is as long as a clip may be. */
  constructor(track: MediaStreamTrack, full: () => void) {
    this.recorder = new MediaRecorder(new MediaStream([track]), { mimeType: recordedKind(), videoBitsPerSecond: BITS });
    this.recorder.addEventListener("dataavailable", ({ data }) => {
      if (this.size + data.size > MAX_CLIP) return full();
      this.chunks.push(data);
      this.size += data.size;
    });
    this.recorder.start(CHUNK);
  }

  /** Stops -> the file; null where nothing came. */
  async stop(): Promise<Blob | null> {
    if (this.recorder.state !== "inactive") {
      await new Promise<void>((done) => {
        this.recorder.addEventListener("stop", () => done(), { once: true });
        this.recorder.stop();
      });
    }
    return this.size > 0 ? new Blob(this.chunks, { type: this.recorder.mimeType.replace(/;.*/, "") }) : null;
  }
}
