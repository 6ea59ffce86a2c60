/** Who sits where now, and the arrangement of a view: `realtime/room/layout.py`. Milliseconds of the page's clock. */
import type { View } from "../orbit";
import { times, type Rigid } from "../render/rigid";
import {
  aroundPerson, aroundTable, type Arrangement, type Cell, forSpectators, fromSeat, inBetween, matrixOf, type Seat, seatCells, seats, spectatorCells,
} from "./seating";

/** Milliseconds in which people move to other seats. */
export const MOVE = 800;
/** Part of the full size from which a newcomer grows. */
const ARRIVES = 0.6;

/** What the page wants to see. owner: who looks from the own seat, -1 without one. focus: a participant, -1 for nobody. */
export interface ViewRequest {
  owner: number;
  orbit: boolean;
  focus: number;
  view: View;
}

/** What a view shows: `people`, as `arrangement` says. placed: of each, avatar space -> view space. */
export interface Shot {
  people: number[];
  arrangement: Arrangement;
  placed: Rigid[];
}

export class Layout {
  /** Participants in the order of their seats. */
  people: readonly number[] = [];
  private before = new Map<number, Seat>();
  private peopleBefore: readonly number[] = [];
  private changed = -Infinity;

  /** Who is here now, in the order of their seats. */
  arrange(people: readonly number[], now: number): void {
    if (people.length === this.people.length && people.every((person, i) => person === this.people[i])) return;
    [this.before, this.peopleBefore] = [this.seats(now), this.people];
    const isFirst = this.people.length === 0; // who has nowhere to come from
    [this.people, this.changed] = [people, isFirst ? -Infinity : now];
  }

  /** Everybody sits where they belong, at once: nothing was seen before. */
  settle(): void {
    this.changed = -Infinity;
  }

  moving(now: number): boolean {
    return now - this.changed < MOVE;
  }

  seats(now: number): Map<number, Seat> {
    const goals = seats(this.people.length);
    const share = this.share(now);
    return new Map(this.people.map((person, i) => {
      const goal = goals[i]!;
      return [person, this.moving(now) ? inBetween(this.before.get(person) ?? goal, goal, share) : goal];
    })); // prettier-ignore
  }

  /** width, height: pixels of the picture. */
  shot(request: ViewRequest, width: number, height: number, now: number): Shot {
    const placed = this.seats(now);
    const { focus, people, others } = this.shown(request);
    const arrangement = this.arrangement(request, focus, placed, people, others, width, height, now);
    const transforms = arrangement.transforms.map((transform, i) => times(transform, matrixOf(placed.get(people[i]!)!)));
    return { people, arrangement, placed: transforms };
  }

  private arrangement(request: ViewRequest, focus: number, placed: Map<number, Seat>, people: number[], others: number[], width: number, height: number, now: number): Arrangement {
    const { yaw, pitch, distance } = request.view;
    if (focus >= 0) {
      const [a, b, c] = request.orbit ? [yaw, pitch, distance] : [0, 0, 0.9];
      return aroundPerson(placed.get(focus)!, a, b, c, width, height);
    }
    if (request.orbit) return aroundTable([...placed.values()], yaw, pitch, distance, width, height);
    const owner = placed.has(request.owner) && others.length > 0 ? request.owner : -1;
    const cells = this.cells(owner, width, height, now);
    if (owner < 0) return forSpectators([...placed.values()], cells, width, height);
    return fromSeat(placed.get(owner)!, people.map((person) => placed.get(person)!), cells, width, height);
  }

  private share(now: number): number {
    const x = Math.min(1, Math.max(0, (now - this.changed) / MOVE));
    return x * x * (3 - 2 * x);
  }

  /** The focus, if it is here; who is in the picture; and those beside the owner. */
  private shown({ owner, orbit, focus: wanted }: ViewRequest): { focus: number; people: number[]; others: number[] } {
    const others = this.people.filter((person) => person !== owner);
    const choice = others.length > 0 ? others : [...this.people];
    let focus = this.people.includes(wanted) ? wanted : -1;
    if (orbit && focus < 0 && choice.length === 1) focus = choice[0]!;
    if (focus >= 0) return { focus, people: [focus], others };
    const isSeated = this.people.includes(owner) && !orbit;
    return { focus, people: isSeated && others.length > 0 ? others : [...this.people], others };
  }

  private cells(owner: number, width: number, height: number, now: number): Cell[] {
    const [people, cells] = goalCells(this.people, owner, width, height);
    if (!this.moving(now)) return cells;
    const [peopleBefore, cellsBefore] = goalCells(this.peopleBefore, owner, width, height);
    const share = this.share(now);
    return cells.map((cell, index): Cell => {
      const start = cellsBefore[peopleBefore.indexOf(people[index]!)] ?? arriving(cell);
      return cell.map((value, i) => start[i]! + share * (value - start[i]!)) as Cell;
    });
  }
}

function arriving([left, top, width, height]: Cell): Cell {
  const part = (1 - ARRIVES) / 2;
  return [left + part * width, top + part * height, ARRIVES * width, ARRIVES * height];
}

function goalCells(people: readonly number[], owner: number, width: number, height: number): [readonly number[], Cell[]] {
  const places = seats(people.length);
  const others = people.filter((person) => person !== owner);
  if (!people.includes(owner) || others.length === 0) return [people, spectatorCells(people.length, width, height)];
  const beside = places.filter((_, i) => people[i] !== owner);
  return [others, seatCells(places[people.indexOf(owner)]!, beside, width, height)];
}
