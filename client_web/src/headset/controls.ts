/** What hands and controllers ask for. Knows nothing of WebXR: it is told what they do and where they are. */
import type { Point } from "./standpoint";

/** One hand or controller at one moment. */
export interface Hand {
  id: string;
  /** Metres, headset's axes; null: not seen. */
  at: Point | null;
  /** Trigger, or pinch. */
  select: boolean;
  squeeze: boolean;
  /** x to the right, y to the person; in [-1, 1]. */
  stick: readonly [number, number];
  /** A button that brings back to the seat. */
  recentre: boolean;
  /** Tracked fingers: they have no squeeze, so a pinch that moves grabs. */
  isHand: boolean;
}

/** What to do with the room now. */
export interface Wish {
  /** Radians, positive to the left. */
  turn: number;
  /** Metres of the person: where the head looks, to its right, up. */
  ahead: number;
  /** Metres, headset's axes: how far the person is carried by hand. */
  carried: Point;
  /** People become as many times larger. */
  rescale: number;
  recentre: boolean;
  /** A short press of trigger or fingers. */
  pressed: boolean;
  /** How far the hold that leaves has come, in [0, 1]. */
  leaving: number;
}

/** Seconds of holding that leave, and before that is shown. */
export const HOLD = 2;
const SHOWN_AFTER = 0.35;
/** Seconds that a short press takes at most, and between the two of a double one. */
const [SHORT, DOUBLE] = [0.35, 0.6];
/** Metres that a hand moves before its pinch is a grab and no hold. */
const STILL = 0.04;
/** Metres for each metre that a hand pulls. */
const REACH = 2;
const SNAP = Math.PI / 6;
const [PUSHED, RELEASED] = [0.65, 0.35];
/** Part of a stick's way that does nothing; metres a second at its end; doublings of the size a second. */
const [DEAD, SPEED, GROWTH] = [0.25, 0.8, 0.8];

interface Kept {
  /** When the select began, seconds; -1: none. */
  since: number;
  begun: Point | null;
  last: Point | null;
  grabs: boolean;
  /** It moved, or it has left already: this select is no hold and no press. */
  spent: boolean;
  snapped: boolean;
  recentre: boolean;
}

export class Controls {
  private readonly kept = new Map<string, Kept>();
  private pressedAt = -Infinity;
  private apart = 0;

  /** now: seconds. passed: since the last time. */
  read(hands: readonly Hand[], now: number, passed: number): Wish {
    const wish: Wish = { turn: 0, ahead: 0, carried: [0, 0, 0], rescale: 1, recentre: false, pressed: false, leaving: 0 };
    for (const id of this.kept.keys()) if (!hands.some((hand) => hand.id === id)) this.kept.delete(id);
    const grabbing = hands.filter((hand) => this.follow(hand, now, passed, wish));
    this.carry(grabbing, wish);
    for (const hand of hands) this.keptOf(hand).last = hand.at;
    return wish;
  }

  /** The person is elsewhere, as in the headset's menu: what is held now means nothing. */
  forget(): void {
    for (const kept of this.kept.values()) kept.spent = true;
    this.apart = 0;
  }

  /** -> whether the hand grabs the room. */
  private follow(hand: Hand, now: number, passed: number, wish: Wish): boolean {
    const kept = this.keptOf(hand);
    this.stick(hand, kept, passed, wish);
    if (hand.recentre && !kept.recentre) wish.recentre = true;
    kept.recentre = hand.recentre;
    this.select(hand, kept, now, wish);
    const grabs = hand.squeeze || (hand.isHand && hand.select && kept.spent && kept.since >= 0);
    if (grabs && !kept.grabs) kept.last = null;
    kept.grabs = grabs;
    return grabs && hand.at !== null;
  }

  private select(hand: Hand, kept: Kept, now: number, wish: Wish): void {
    if (hand.select && kept.since < 0) {
      Object.assign(kept, { since: now, begun: hand.at, spent: false });
    } else if (hand.select) {
      if (hand.isHand && kept.begun !== null && hand.at !== null && distance(kept.begun, hand.at) > STILL) kept.spent = true;
      const held = now - kept.since;
      if (!kept.spent && held > SHOWN_AFTER) wish.leaving = Math.max(wish.leaving, Math.min(1, held / HOLD));
    } else if (kept.since >= 0) {
      if (!kept.spent && now - kept.since <= SHORT) this.press(now, wish);
      kept.since = -1;
    }
  }

  private press(now: number, wish: Wish): void {
    wish.pressed = true;
    if (now - this.pressedAt <= DOUBLE) {
      wish.recentre = true;
      this.pressedAt = -Infinity;
    } else this.pressedAt = now;
  }

  private stick({ stick: [x, y], squeeze }: Hand, kept: Kept, passed: number, wish: Wish): void {
    if (Math.abs(x) < RELEASED) kept.snapped = false;
    else if (Math.abs(x) > PUSHED && Math.abs(x) > Math.abs(y) && !kept.snapped) {
      kept.snapped = true;
      wish.turn -= SNAP * Math.sign(x);
    }
    if (Math.abs(y) <= DEAD || Math.abs(y) < Math.abs(x)) return;
    const push = (-Math.sign(y) * (Math.abs(y) - DEAD)) / (1 - DEAD);
    if (squeeze) wish.rescale *= 2 ** (GROWTH * push * passed);
    else wish.ahead += SPEED * push * passed;
  }

  /** One hand pulls the room along; two make it larger and smaller. */
  private carry(hands: readonly Hand[], wish: Wish): void {
    const [one, other] = hands;
    if (one !== undefined && other !== undefined) {
      const apart = distance(one.at!, other.at!);
      if (this.apart > 0 && apart > 0) wish.rescale *= apart / this.apart;
      this.apart = apart;
      return;
    }
    this.apart = 0;
    const last = one === undefined ? null : this.keptOf(one).last;
    if (last !== null) wish.carried = last.map((value, i) => REACH * (value - one!.at![i]!)) as Point;
  }

  private keptOf({ id }: Hand): Kept {
    let kept = this.kept.get(id);
    if (kept === undefined) {
      kept = { since: -1, begun: null, last: null, grabs: false, spent: false, snapped: false, recentre: false };
      this.kept.set(id, kept);
    }
    return kept;
  }
}

function distance(a: Point, b: Point): number {
  return Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
}
