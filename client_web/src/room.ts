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
    this.state = this.before = state;
    this.hadPeople ||= state.people.length > 0;
    return before ? changes(before, state, own) : "";
  }

  /** The connection is gone: what was known is not true any more. */
  forget(): void {
    this.state = null;
    this.labels = this.speaking = [];
  }

  nameOf(participant: number): string {
    return this.people.find((person) => person.id === participant)?.name ?? "";
  }
}

function changes(before: RoomState, after: RoomState, own: number): string {
  const known = new Set(before.people.map((person) => person.id));
  const here = new Set(after.people.map((person) => person.id));
  const came = after.people.filter((person) => person.id !== own && !known.has(person.id)).map(({ name }) => `${name} joined.`);
  const left = before.people.filter((person) => person.id !== own && !here.has(person.id)).map(({ name }) => `${name} left.`);
  const lock = before.locked === after.locked ? [] : [after.locked ? "The room is locked." : "The room is open again."];
  return [...came, ...left, ...lock].join(" ");
}
