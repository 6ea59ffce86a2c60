/** A viewers' page with the picture and nothing around it: in a frame of another page (`?embed`), or in a stream (`?transparent`). */
import type { Bare } from "./address";
import type { Preferences } from "./preferences";

/** Nobody presses a button in a stream: the page itself tries again after so many milliseconds. */
const AGAIN = 10_000;

export class BarePage {
  private hasEntered = false;

  /** preferences: of this page, which keeps none. */
  constructor(
    private kind: Bare,
    preferences: Preferences,
  ) {
    if (kind === "") return;
    document.documentElement.dataset.bare = kind;
    Object.assign(preferences, { stats: "off", background: kind === "transparent" ? "transparent" : "auto" });
  }

  get is(): boolean {
    return this.kind !== "";
  }

  /** In the lobby -> whether the page goes on by itself, which it does once. Who takes a seat needs all of the page. */
  entersByItself(watches: boolean): boolean {
    if (!watches) {
      this.kind = "";
      delete document.documentElement.dataset.bare;
    }
    const enters = this.is && !this.hasEntered;
    this.hasEntered ||= enters;
    return enters;
  }

  /** The call is over. again: begins another. */
  ended(again: () => void): void {
    this.hasEntered = false;
    if (this.kind === "transparent") setTimeout(again, AGAIN);
  }
}
