import { h } from "./dom";

/** The own webcam, mirrored as in a mirror; shows nothing while there is no track. */
export class CameraPreview {
  readonly element: HTMLVideoElement;
  private track: MediaStreamTrack | null = null;

  constructor(testId: string) {
    this.element = h("video", { class: "mirror", playsinline: true, "data-testid": testId, "aria-label": "Your camera" });
    this.element.muted = true;
  }

  show(track: MediaStreamTrack | null): void {
    if (track === this.track) return;
    this.track = track;
    this.element.srcObject = track ? new MediaStream([track]) : null;
    if (track) this.element.play().catch(() => undefined); // replaced before it played
  }
}
