/** What the page looks at: the others from its own seat, one person, or the table from around. No DOM. */
import { FRONT, type View } from "./orbit";
import type { Label, Participant, ViewerCamera } from "./protocol";

export interface Look {
  /** Whether the camera was moved away from where one sits. */
  orbit: boolean;
  /** A participant, or -1. */
  focus: number;
  view: View;
}

export const SEATED: Readonly<Look> = { orbit: false, focus: -1, view: FRONT };

/** Radians above the table. */
const TABLE_PITCH = 0.4;

export function focusOn(participant: number): Look {
  return { orbit: false, focus: participant, view: { ...FRONT } };
}

export function isSeated(look: Look): boolean {
  return !look.orbit && look.focus < 0;
}

/**
 * Where a drag starts from: as it is, or, from the own seat, in front of the one other person, or behind the own place at a
 * table of several. `people`: in the order of their seats, clockwise as seen from above; `own`: -1 without a seat.
 */
export function orbitStart(look: Look, people: Participant[], own: number): View {
  if (look.orbit || look.focus >= 0) return look.view;
  const others = people.filter((person) => person.id !== own);
  if (others.length < 2) return { ...FRONT };
  const index = Math.max(0, people.findIndex((person) => person.id === own));
  return { yaw: Math.PI + (2 * Math.PI * index) / people.length, pitch: TABLE_PITCH, distance: FRONT.distance };
}

/** Sits down when the person that was looked at has left. */
export function withPeople(look: Look, people: Participant[]): Look {
  return look.focus < 0 || people.some((person) => person.id === look.focus) ? look : SEATED;
}

export function toCamera({ orbit, focus, view }: Look): ViewerCamera {
  return { type: "viewer_camera", orbit, focus, ...view };
}

/** Who is at a point of the picture (parts of its width and height): of boxes that overlap, the smallest; -1: nobody. */
export function participantAt(labels: Label[], x: number, y: number): number {
  const hits = labels.filter(({ left, top, width, height }) => x >= left && x <= left + width && y >= top && y <= top + height);
  hits.sort((a, b) => a.width * a.height - b.width * b.height);
  return hits[0]?.participant ?? -1;
}
