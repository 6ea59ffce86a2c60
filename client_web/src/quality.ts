/** The call in a word, from what the one who looks and listens experiences. No DOM. */
import type { Figures } from "./figures";
import type { Stats } from "./protocol";
import type { Room } from "./room";

/** unknown: nothing was measured yet. */
export type Quality = "excellent" | "good" | "poor" | "starting" | "unknown" | "lost";

export interface Experience {
  /** Whether nobody is in the picture. */
  empty: boolean;
  /** Whether the picture shows the own face only, so that its age counts both ways. */
  alone: boolean;
  /** Whether somebody in the picture moves: the server draws nothing new of avatars that rest. */
  moving: boolean;
  /** The server's last word; null before the first. */
  server: Stats | null;
  figures: Figures | null;
  /** Pictures shown a second; null where that is not known yet, or nobody looks (a hidden tab). */
  shown: number | null;
  /** Round trip of the heartbeat, milliseconds. */
  ping: number | null;
  /** Milliseconds for which the server has owed an answer. */
  silence: number;
}

/** Above the first it is good at best, above the second poor. Milliseconds, and parts of 1. */
const LIMITS = {
  age: [120, 250],
  loss: [0.01, 0.05],
  roundTrip: [150, 400],
  concealed: [0.03, 0.1],
  silence: [1_500, 2_500],
} as const;

/** Pictures a second below which it is good at best, and poor. */
const FLUENT = 20;
const JERKY = 12;

const GRADES: readonly Quality[] = ["excellent", "good", "poor"];
/** Milliseconds for which it must be better before that is said: a word that flickers tells nothing. */
export const BETTER_AFTER = 2_000;
/** Milliseconds from the first grade in which none is called poor: decoder, rate control and page are still getting going. */
export const SETTLED_AFTER = 2_000;

/** Says at once what got worse, and after a while what got better. */
export class SteadyQuality {
  private said: Quality = "unknown";
  private betterSince = Infinity;
  private begun = Infinity;

  /** `now` in milliseconds -> what to say. */
  settle(quality: Quality, now: number): Quality {
    const [before, after] = [GRADES.indexOf(this.said), GRADES.indexOf(quality)];
    this.begun = after < 0 ? Infinity : Math.min(this.begun, now);
    if (quality === "poor" && now - this.begun < SETTLED_AFTER) return (this.said = before < 0 ? "unknown" : this.said);
    const better = before >= 0 && after >= 0 && after < before;
    this.betterSince = better ? Math.min(this.betterSince, now) : Infinity;
    if (!better || now - this.betterSince >= BETTER_AFTER) {
      this.said = quality;
      this.betterSince = Infinity;
    }
    return this.said;
  }
}

/**
 * Whether somebody in the picture moves, as far as that is known: the server tells how old the webcam picture is that was drawn
 * last, and says nothing of it while all avatars rest.
 */
export function isMoving(room: Room, server: Stats | null): boolean {
  if (server?.stages.total === undefined) return false;
  return room.isAlone ? server.face : room.others.some((person) => person.seated && person.camera);
}

/**
 * Of a live call: the worst of everything decides. Few or old pictures are poor while somebody moves; of avatars that rest few
 * are wanted, but then nothing is known that could be called excellent either.
 */
export function judge(experience: Experience): Quality {
  const { server, figures, shown, ping, silence, moving, empty } = experience;
  if (server?.ready === false) return "starting";
  const [roundTrip, age] = [longest(figures?.roundTrip, ping), pictureAge(experience)];
  const seen = empty || shown === null ? 0 : Math.max(shown < JERKY ? 2 : shown < FLUENT ? 1 : 0, mark("age", age));
  const worst = Math.max(
    moving ? seen : Math.min(1, seen),
    mark("loss", figures?.loss ?? null),
    mark("roundTrip", roundTrip),
    mark("concealed", figures?.concealed ?? null),
    mark("silence", silence),
  );
  const known = !empty && shown !== null && roundTrip !== null;
  return worst === 2 ? "poor" : known ? (GRADES[worst] ?? "poor") : "unknown";
}

/**
 * Milliseconds from the webcam picture that the server decoded to the avatar's on this screen, with the way there for somebody
 * alone, whose webcam it is. null while it is not known.
 */
export function pictureAge({ alone, server, figures, ping }: Experience): number | null {
  const total = server?.stages.total;
  if (total === undefined) return null;
  const way = (figures?.roundTrip ?? ping ?? 0) / (alone ? 1 : 2);
  return total + (server?.stages.encode ?? 0) + way + (figures?.waited ?? 0);
}

/** Milliseconds. The heartbeat feels a busy server, which the network's own round trip does not. */
function longest(...roundTrips: (number | null | undefined)[]): number | null {
  const known = roundTrips.filter((time) => typeof time === "number");
  return known.length > 0 ? Math.max(...known) : null;
}

function mark(name: keyof typeof LIMITS, value: number | null): number {
  const [good, poor] = LIMITS[name];
  return value === null || value <= good ? 0 : value <= poor ? 1 : 2;
}
