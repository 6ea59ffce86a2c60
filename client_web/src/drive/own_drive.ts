/**
 * What the page says of the own avatar, from several sources: a headset tells the head, sound tells the mouth. The server shows the
 * last frame alone, so what is known goes into one frame, with one count. No DOM.
 */
import { decodeDriveFrames, type DriveFrame, encodeDriveFrames, Known, type Numbers } from "./wire";

/** Milliseconds for which what a source said holds. */
const HOLDS = 250;

export class OwnDrive {
  private sequence = 0;
  private head: { rotation: Numbers; translation: Numbers; at: number } | null = null;
  private mouth: { coefficients: Numbers; confidence: number; at: number } | null = null;

  constructor(private readonly send: (message: ArrayBuffer) => void) {}

  /** A headset's head, turned to somebody in the room: a frame goes up at once. now: milliseconds. */
  turned(participant: number, rotation: Numbers, translation: Numbers, now: number): void {
    this.head = { rotation, translation, at: now };
    const mouth = this.mouth !== null && now - this.mouth.at < HOLDS ? this.mouth : null;
    this.post({
      participant, sequence: 0, time: now, confidence: 1, rotation, translation, gaze: [0, 0, 0, 0],
      known: Known.HEAD | Known.IN_ROOM | (mouth ? Known.MOUTH : 0),
      coefficients: mouth?.coefficients ?? new Float32Array(52),
    }); // prettier-ignore
  }

  /** A message that another source made: it goes up, or along with the next frame of the head. */
  said(message: ArrayBuffer, now: number): void {
    const [frame] = decodeDriveFrames(message);
    if (frame === undefined) return;
    this.mouth = { coefficients: frame.coefficients, confidence: frame.confidence, at: now };
    if (this.head === null || now - this.head.at > HOLDS) this.post(frame);
  }

  private post(frame: DriveFrame): void {
    this.sequence = (this.sequence + 1) & 0xffff;
    this.send(encodeDriveFrames([{ ...frame, sequence: this.sequence }]));
  }
}
