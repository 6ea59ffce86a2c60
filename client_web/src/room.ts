/** What the page knows of the room: who is here, where they are in the picture, who speaks. No DOM. */
import type { Label, Participant, RoomState } from "./protocol";

export class Room {
  /** null: not known at the moment. */
  state: RoomState | null = null;
  labels: Label[] = [];
  speaking: number[] = [];
  /** Whether anybody was seen here before. */
  hadPeople = false;
  private before: RoomState | null = null;
  /** Whether the connection was lost since `before`. */
  private wasForgotten = false;

  /** `own`: the page's participant, -1 for a viewer. */
  constructor(public own: number) {}

  get people(): Participant[] {
    return this.state?.people ?? [];
  }

  get others(): Participant[] {
    return this.people.filter((person) => person.id !== this.own);
  }

  get me(): Participant | undefined {
    return this.people.find((person) => person.id === this.own);
  }

  /** Whether the picture shows the own face, as nobody else is here. */
  get isAlone(): boolean {
    return this.me !== undefined && this.others.length === 0;
  }

  /** Takes a new state -> what a screen reader should say about the change. */
  read(state: RoomState): string {
    const { own, before } = this;
    const isAnother = this.wasForgotten && before !== null && !before.people.some(({ id }) => state.people.some((person) => person.id === id));
    this.state = this.before = state;
    this.wasForgotten = false;
    this.hadPeople ||= state.people.length > 0;
    return before && !isAnother ? changes(before, state, own) : ""; // a server that was started again numbers anew
  }

  /** The connection is gone: what was known is not true any more. */
  forget(): void {
    this.state = null;
    this.wasForgotten = true;
    this.labels = this.speaking = [];
  }

  nameOf(participant: number): string {
    return this.people.find((person) => person.id === participant)?.name ?? "";
  }
}

function changes(before: RoomState, after: RoomState, own: number): string {
  const known = new Map(before.people.map((person) => [person.id, person]));
  const here = new Set(after.people.map((person) => person.id));
  const others = after.people.filter((person) => person.id !== own);
  const came = others.filter(({ id }) => !known.has(id)).map(({ name }) => `${name} joined.`);
  const left = before.people.filter(({ id }) => id !== own && !here.has(id)).map(({ name }) => `${name} left.`);
  const switched = others.filter(({ id, muted }) => (known.get(id)?.muted ?? muted) !== muted);
  const muting = switched.map(({ name, muted }) => `${name} is ${muted ? "muted" : "unmuted"}.`);
  const lock = before.locked === after.locked ? [] : [after.locked ? "The room is locked." : "The room is open again."];
  return [...came, ...left, ...muting, ...lock].join(" ");
}
