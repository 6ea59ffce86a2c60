/** The camera as for a portrait: as many pixels as it has, what is seen in them, and a still. */
import { causeOf, explain, type Trouble, whichBrowser } from "../media_errors";
import { CUE_HEIGHT, CUE_WIDTH, CueMeter, type Cues } from "./cues";
import { type Face, type Hint, Guide, hintOf } from "./guidance";
import { type Box, coverBox, lightOf, lumaOf, motionOf, ovalBox, sharpnessOf, stillBox } from "./measure";

const LOOK_EVERY = 200;
/** Pixels of the oval's box, and of the whole picture, in which things are measured. */
const [WIDTH, HEIGHT, AROUND] = [144, 192, [32, 24]] as const;
/** Frames of which the sharpest becomes the still, and milliseconds between them. */
const [FRAMES, FRAME_MS] = [4, 70] as const;
const QUALITY = 0.95;

/** https://wicg.github.io/shape-detection-api/; few browsers have it. */
interface FaceDetector {
  detect(image: CanvasImageSource): Promise<{ boundingBox: DOMRectReadOnly }[]>;
}

/** For a still as many pixels as there are; for a clip as many as can be recorded at a full rate. */
const SIZES = { still: [1920, 1080], clip: [1280, 720] } as const;

/** Opens it -> its track, or what is wrong. */
export async function openCamera(deviceId: string, purpose: keyof typeof SIZES = "still"): Promise<MediaStreamTrack | Trouble> {
  const browser = whichBrowser(navigator.userAgent);
  if (!navigator.mediaDevices) return explain("insecure", ["video"], browser);
  const device = deviceId ? { deviceId: { ideal: deviceId } } : {};
  try {
    const [width, height] = SIZES[purpose];
    const video = { ...device, width: { ideal: width }, height: { ideal: height }, frameRate: { ideal: 30 }, facingMode: "user" };
    const stream = await navigator.mediaDevices.getUserMedia({ video });
    const track = stream.getVideoTracks()[0];
    return track ?? explain("missing", ["video"], browser);
  } catch (error) {
    return explain(causeOf(error instanceof Error ? error.name : ""), ["video"], browser);
  }
}

/** Looks at a playing camera several times a second. `aspect`: of what is shown of it, width by height. */
export class PortraitEye {
  private readonly guide = new Guide();
  private readonly oval = new Sketch(WIDTH, HEIGHT);
  private readonly around = [new Sketch(...AROUND), new Sketch(AROUND[1], AROUND[0])] as const;
  private readonly detector = faceDetector();
  private before: Float32Array | null = null;
  private face: Face | null = null;
  private timer: ReturnType<typeof setInterval> | undefined;

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly aspect: () => number,
    private readonly hinted: (hint: Hint) => void,
  ) {}

  start(): void {
    this.timer ??= setInterval(() => this.look(), LOOK_EVERY);
  }

  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
  }

  /** The picture as JPEG, as sharp as the last moments had it; null where there is no picture. */
  async still(): Promise<Blob | null> {
    let best: { canvas: HTMLCanvasElement; sharpness: number } | null = null;
    for (let i = 0; i < FRAMES; i++) {
      if (i > 0) await new Promise((done) => setTimeout(done, FRAME_MS));
      const shown = this.shown();
      if (!shown) continue;
      const sharpness = this.sharpness(shown);
      if (best && sharpness <= best.sharpness) continue;
      const canvas = document.createElement("canvas");
      const { left, top, width, height } = stillBox(this.video.videoWidth, this.video.videoHeight, this.aspect());
      [canvas.width, canvas.height] = [Math.round(width), Math.round(height)];
      canvas.getContext("2d")?.drawImage(this.video, left, top, width, height, 0, 0, canvas.width, canvas.height);
      best = { canvas, sharpness };
    }
    return best && new Promise((done) => best.canvas.toBlob(done, "image/jpeg", QUALITY));
  }

  private look(): void {
    const shown = this.shown();
    if (!shown) return;
    const luma = lumaOf(this.oval.draw(this.video, within(shown)));
    const around = this.around[shown.width > shown.height ? 0 : 1];
    const light = lightOf(luma, WIDTH, lumaOf(around.draw(this.video, shown)), around.width);
    const measured = {
      ...light,
      sharpness: sharpnessOf(luma, WIDTH, light.contrast),
      motion: motionOf(this.before, luma, WIDTH, light.contrast),
      face: this.face,
    };
    this.before = luma;
    this.hinted(this.guide.take(hintOf(measured), performance.now()));
    void this.detect(within(shown));
  }

  private sharpness(shown: Box): number {
    const luma = lumaOf(this.oval.draw(this.video, within(shown)));
    return sharpnessOf(luma, WIDTH, lightOf(luma, WIDTH, luma, WIDTH).contrast);
  }

  private async detect(oval: Box): Promise<void> {
    try {
      const faces = await this.detector?.detect(this.video);
      if (!faces) return;
      const box = faces[0]?.boundingBox;
      this.face = {
        count: faces.length,
        height: (box?.height ?? 0) / oval.height,
        x: box ? (box.x + box.width / 2 - oval.left) / oval.width - 0.5 : 0,
        y: box ? (box.y + box.height / 2 - oval.top) / oval.height - 0.5 : 0,
      };
    } catch {
      this.face = null; // it is there, but does not work on this system
    }
  }

  private shown(): Box | null {
    const { videoWidth, videoHeight, readyState } = this.video;
    return readyState < 2 || videoWidth === 0 ? null : coverBox(videoWidth, videoHeight, this.aspect());
  }
}

/** Looks at a face that does what a guided clip asks for. */
export class CueEye {
  private readonly meter = new CueMeter();
  private readonly oval = new Sketch(CUE_WIDTH, CUE_HEIGHT);

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly aspect: () => number,
  ) {}

  /** `rests`: what is seen now is the face at rest. null: nothing is known yet. */
  look(rests: boolean): Cues | null {
    const { videoWidth, videoHeight, readyState } = this.video;
    if (readyState < 2 || videoWidth === 0) return null;
    const luma = lumaOf(this.oval.draw(this.video, within(coverBox(videoWidth, videoHeight, this.aspect()))));
    if (rests) this.meter.take(luma);
    return this.meter.measure(luma);
  }
}

/** A small canvas that is read again and again. */
class Sketch {
  private readonly context: CanvasRenderingContext2D | null;

  constructor(
    readonly width: number,
    private readonly height: number,
  ) {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [width, height];
    this.context = canvas.getContext("2d", { willReadFrequently: true });
  }

  draw(video: HTMLVideoElement, { left, top, width, height }: Box): ImageData {
    this.context?.drawImage(video, left, top, width, height, 0, 0, this.width, this.height);
    return this.context?.getImageData(0, 0, this.width, this.height) ?? new ImageData(this.width, this.height);
  }
}

/** The oval's box in the camera's picture, of which `shown` is shown. */
function within(shown: Box): Box {
  const box = ovalBox(shown.width, shown.height);
  return { ...box, left: shown.left + box.left, top: shown.top + box.top };
}

function faceDetector(): FaceDetector | null {
  const made = (globalThis as { FaceDetector?: new (options: object) => FaceDetector }).FaceDetector;
  try {
    return made ? new made({ fastMode: true, maxDetectedFaces: 3 }) : null;
  } catch {
    return null;
  }
}
