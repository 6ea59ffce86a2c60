/** The one sentence on the stage that helps most right now. No DOM. */
import type { Role, RoomState, Stats } from "./protocol";

/** The neutral face is taken in the first second; the server's word on it comes only once a second. */
const CALIBRATION_MS = 1_500;
/** A face may be missed in one reading. */
const UNSEEN_READINGS = 2;

export class Hints {
  private unseen = 0;
  private calibratingUntil = -Infinity;
  private stats: Stats | null = null;
  private room: RoomState | null = null;

  constructor(private readonly role: Role) {}

  /** The call became live, or the person asked for a new neutral face. */
  calibrate(now: number): void {
    this.calibratingUntil = now + CALIBRATION_MS;
    this.unseen = 0;
  }

  readStats(stats: Stats): void {
    this.stats = stats;
    this.unseen = stats.face ? 0 : this.unseen + 1;
  }

  readRoom(room: RoomState): void {
    this.room = room;
  }

  /** The hint, or an empty string. `cameraOn`: whether the person's camera is on. */
  sentence(now: number, cameraOn: boolean): string {
    if (this.role === "viewer") return this.room?.person === false ? "Nobody is in the call yet." : "";
    if (!cameraOn) return "Your camera is off: the avatar rests.";
    if (now < this.calibratingUntil || this.stats?.calibrating) return "Look at the camera, relaxed.";
    return this.unseen >= UNSEEN_READINGS ? "We cannot see your face." : "";
  }
}
