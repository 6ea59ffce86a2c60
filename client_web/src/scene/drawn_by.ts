/** Who draws the picture: the server, or this device. Decides, and says why. No DOM. */

/** auto: this device where it has shown that it can. */
export const CHOICES = ["auto", "server", "device"] as const;
export type DrawnBy = (typeof CHOICES)[number];

export function isDrawnBy(value: unknown): value is DrawnBy {
  return CHOICES.includes(value as DrawnBy);
}

/**
 * server: the server draws. preparing: it still does, while this device fetches avatars. waiting: the server has been told, and
 * drive frames are on their way. device: this device draws. returning: the server's picture is on its way.
 */
export type Stage = "server" | "preparing" | "waiting" | "device" | "returning";

/** A device that draws its own picture in this time holds 24 a second beside all else that the page does. Milliseconds. */
export const QUICK = 20;

const SLOW = "This device draws fewer than 24 pictures a second: the server may show more.";

export class Decision {
  stage: Stage = "server";
  /** Why the server draws, though something else was chosen: a sentence; empty where all is as chosen. */
  reason = "";
  /** Whether this device draws fewer pictures than it should. */
  isSlow = false;

  constructor(public choice: DrawnBy) {}

  /** Whether the server is told that the page draws. */
  get draws(): boolean {
    return this.stage === "waiting" || this.stage === "device";
  }

  /** What to say of it now. */
  get sentence(): string {
    if (this.stage === "device" && this.isSlow) return SLOW;
    if (this.stage === "device") return "This device draws the picture: the server sends only how people move.";
    if (this.stage === "preparing" || this.stage === "waiting") return "The avatars are being fetched…";
    return this.reason === "" ? "The server draws the picture." : `${this.reason} So the server draws the picture.`;
  }

  /** Another choice. */
  choose(choice: DrawnBy): void {
    this.choice = choice;
    this.reason = "";
    if (choice === "server") this.giveBack();
  }

  /** Whether to begin now. isHardware: the GPU is one; isFrugal: the person wants to save data. */
  wantsToTry(isHardware: boolean, isFrugal: boolean): boolean {
    if (this.stage !== "server" || this.choice === "server" || this.reason !== "") return false;
    return this.choice === "device" || (isHardware && !isFrugal);
  }

  prepare(): void {
    this.stage = "preparing";
  }

  /** All avatars are here, and a picture takes as long as `measure` says -> whether to tell the server. */
  prepared(measure: () => number = () => 0): boolean {
    const isSlow = this.choice === "auto" && measure() > QUICK;
    if (this.stage !== "preparing") return false; // it failed meanwhile, or there is another choice
    if (isSlow) {
      this.fail("This device would draw too slowly.");
      return false;
    }
    this.stage = "waiting";
    return true;
  }

  /** The first drive frame has come. */
  begin(): void {
    if (this.stage === "waiting") this.stage = "device";
  }

  /** This device cannot go on. */
  fail(reason: string): void {
    this.reason = reason;
    this.giveBack();
  }

  /** The server's picture is here again. */
  returned(): void {
    if (this.stage === "returning") this.stage = "server";
  }

  private giveBack(): void {
    this.isSlow = false;
    this.stage = this.draws ? "returning" : "server";
  }
}
