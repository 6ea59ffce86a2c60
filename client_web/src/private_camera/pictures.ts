/** Takes pictures of a camera's track, when asked, as a worker can read them. */

/** Pixels; larger pictures are made smaller, as the server does (realtime/room/webcam.py). */
const MAX_SIDE = 960;

export class Pictures {
  private readonly video = document.createElement("video");
  private request = 0;

  /** `came`: the camera has a new picture. Not called while the page is hidden, and by browsers that do not tell. */
  constructor(
    track: MediaStreamTrack,
    private readonly came: () => void,
  ) {
    this.video.muted = this.video.playsInline = true;
    this.video.srcObject = new MediaStream([track]);
    this.video.play().catch(() => undefined); // closed before it played
    if (Pictures.tells) this.listen();
  }

  /** Whether the browser tells of new pictures. */
  static get tells(): boolean {
    return "requestVideoFrameCallback" in HTMLVideoElement.prototype;
  }

  /** The newest picture; null while there is none. */
  async take(): Promise<ImageBitmap | null> {
    const { videoWidth: width, videoHeight: height } = this.video;
    if (width === 0 || height === 0 || this.video.readyState < 2) return null;
    const scale = Math.min(1, MAX_SIDE / Math.max(width, height));
    const size = { resizeWidth: Math.round(width * scale), resizeHeight: Math.round(height * scale) };
    try {
      return await (scale < 1 ? createImageBitmap(this.video, size) : createImageBitmap(this.video));
    } catch {
      return null; // the camera has just gone
    }
  }

  close(): void {
    if (this.request) this.video.cancelVideoFrameCallback(this.request);
    this.request = 0;
    this.video.srcObject = null;
  }

  private listen(): void {
    this.request = this.video.requestVideoFrameCallback(() => {
      if (this.request === 0) return;
      this.listen();
      this.came();
    });
  }
}
