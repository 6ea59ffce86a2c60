/** The one sentence on the stage that helps most right now. No DOM. */
import type { Stats } from "./protocol";
import type { Room } from "./room";

/** The neutral face is taken in the first second; the server's word on it comes only once a second. */
const CALIBRATION_MS = 1_500;
/** A face may be missed in a reading or two, and a camera takes a moment to start. */
const FACELESS_READINGS = 3;
const BLIND_READINGS = 3;

export const STARTING = "The picture is starting…";
export const LOADING = "Your avatar is loading…";

export class Hints {
  /** Readings in a row in which the server had pictures without a face, and in which it had no pictures. */
  private faceless = 0;
  private blind = 0;
  private calibratingUntil = -Infinity;
  private stats: Stats | null = null;

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
    const arrives = stats.stages.decode !== undefined || stats.stages.landmarks !== undefined;
    this.faceless = stats.ready && arrives && !stats.face ? this.faceless + 1 : 0;
    this.blind = stats.ready && cameraOn && !arrives ? this.blind + 1 : 0;
  }

  /** The hint, or an empty string. */
  sentence(now: number, room: Room, cameraOn: boolean): string {
    if (room.own < 0) return this.forViewer(room);
    if (room.me?.seated === false) return LOADING;
    if (this.stats?.ready === false) return STARTING;
    if (!cameraOn) return "Your camera is off: your avatar rests.";
    if (this.blind >= BLIND_READINGS) return "Nothing of your camera reaches the server.";
    if (this.faceless >= FACELESS_READINGS) return "We cannot see your face."; // and no neutral face can be taken
    if (now < this.calibratingUntil || this.stats?.calibrating) return "Look at the camera, relaxed.";
    return room.isAlone ? "Nobody else is here yet: this is you. Send somebody the link." : waitingFor(room);
  }

  private forViewer(room: Room): string {
    if (room.state && room.people.length === 0) {
      return room.hadPeople ? "Everybody has left the room." : "Nobody is in the room yet.";
    }
    return this.stats?.ready === false ? STARTING : waitingFor(room);
  }
}

function waitingFor(room: Room): string {
  const loading = room.others.filter((person) => !person.seated);
  if (loading.length === 0) return "";
  return loading.length === 1 ? `${loading[0]?.name}'s avatar is loading…` : `${loading.length} avatars are loading…`;
}
