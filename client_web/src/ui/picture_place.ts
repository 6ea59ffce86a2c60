import { ANYWHERE, type BackgroundChoice, placeFor } from "../background";
import type { Place } from "../protocol";

/** A window that is being resized says so once it rests; milliseconds. */
const DEBOUNCE = 250;
/** Who looks away for a moment keeps the picture. */
const HIDDEN_AFTER = 1_500;
/** A shorter pause is not worth a word. */
const NOTICED = 3_000;

export interface PlaceEvents {
  /** The place is another one. */
  changed(place: Place): void;
  /** Somebody looks again, after a pause that the picture made, of so many milliseconds. */
  back(paused: number): void;
}

/** Tells how the page shows the picture: in how many pixels, before what, and whether anybody sees it. */
export class PicturePlace {
  place: Place = ANYWHERE;
  /** Mean brightness of the viewer's own picture. */
  brightness = 0.5;
  private readonly observer = new ResizeObserver(() => this.later(this.place === ANYWHERE ? 0 : DEBOUNCE));
  private readonly dark = matchMedia("(prefers-color-scheme: dark)");
  private timer: ReturnType<typeof setTimeout> | undefined;
  private hiddenTimer: ReturnType<typeof setTimeout> | undefined;
  private seen = !document.hidden;
  private pausedAt = -Infinity;

  constructor(
    private readonly element: HTMLElement,
    public choice: BackgroundChoice,
    private readonly events: PlaceEvents,
  ) {
    this.observer.observe(element);
    this.dark.addEventListener("change", this.update);
    document.addEventListener("visibilitychange", this.visibility);
    this.later(0);
  }

  get isDark(): boolean {
    return this.dark.matches;
  }

  /** Something may have changed. */
  readonly update = (): void => {
    clearTimeout(this.timer);
    const { element, choice, brightness, isDark, seen } = this;
    const { clientWidth: width, clientHeight: height } = element;
    const place = placeFor({ choice, isDark, brightness }, { width, height, density: devicePixelRatio, seen });
    if (JSON.stringify(place) === JSON.stringify(this.place)) return;
    this.place = place;
    this.events.changed(place);
  };

  close(): void {
    this.observer.disconnect();
    this.dark.removeEventListener("change", this.update);
    document.removeEventListener("visibilitychange", this.visibility);
    clearTimeout(this.timer);
    clearTimeout(this.hiddenTimer);
  }

  private later(milliseconds: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(this.update, milliseconds);
  }

  private readonly visibility = (): void => {
    clearTimeout(this.hiddenTimer);
    if (document.hidden) this.hiddenTimer = setTimeout(() => this.see(false), HIDDEN_AFTER);
    else this.see(true);
  };

  private see(seen: boolean): void {
    if (seen === this.seen) return;
    this.seen = seen;
    const paused = performance.now() - this.pausedAt;
    if (!seen) this.pausedAt = performance.now();
    this.update();
    if (seen && paused >= NOTICED) this.events.back(paused);
  }
}
