/** The one sentence on the stage that helps most right now. No DOM. */
import type { Role, RoomState, Stats } from "./protocol";

/** The neutral face is taken in the first second; the server's word on it comes only once a second. */
const CALIBRATION_MS = 1_500;
/** A face may be missed in one reading, and a camera takes a moment to start. */
const FACELESS_READINGS = 2;
const BLIND_READINGS = 3;

export const STARTING = "The avatar is starting…";

export class Hints {
  /** Readings in a row in which the tracker saw pictures without a face, and in which it had no pictures. */
  private faceless = 0;
  private blind = 0;
  private calibratingUntil = -Infinity;
  private stats: Stats | null = null;
  private room: RoomState | null = null;
  private hadPerson = false;

  constructor(private readonly role: Role) {}

  /** A new connection: what the server said about the last one is no news of this one. */
  reset(): void {
    this.stats = null;
    this.faceless = this.blind = 0;
  }

  /** The call became live, or the person asked for a new neutral face. */
  calibrate(now: number): void {
    this.calibratingUntil = now + CALIBRATION_MS;
    this.faceless = this.blind = 0;
  }

  /** `cameraOn`: whether the person's camera is on. */
  readStats(stats: Stats, cameraOn: boolean): void {
    this.stats = stats;
    const [arrives, tracked] = [stats.stages.decode !== undefined, stats.stages.track !== undefined];
    this.faceless = stats.ready && arrives && tracked && !stats.face ? this.faceless + 1 : 0;
    this.blind = stats.ready && cameraOn && !arrives ? this.blind + 1 : 0;
  }

  readRoom(room: RoomState | null): void {
    this.room = room;
    this.hadPerson ||= room?.person === true;
  }

  /** The hint, or an empty string. */
  sentence(now: number, cameraOn: boolean): string {
    if (this.role === "viewer" && this.room?.person === false) {
      return this.hadPerson ? "The person is not in the call at the moment." : "Nobody is in the call yet.";
    }
    if (this.stats?.ready === false) return STARTING;
    if (this.role === "viewer") return "";
    if (!cameraOn) return "Your camera is off: the avatar rests.";
    if (this.blind >= BLIND_READINGS) return "Your camera's picture does not reach the server.";
    if (now < this.calibratingUntil || this.stats?.calibrating) return "Look at the camera, relaxed.";
    return this.faceless >= FACELESS_READINGS ? "We cannot see your face." : "";
  }
}
