import type { Figures } from "../figures";
import type { Preferences } from "../preferences";
import type { Stats } from "../protocol";
import type { Cost } from "../private_camera/cost";
import { h, setText } from "./dom";

export type StatsMode = Preferences["stats"];

export interface Readings {
  /** Pictures shown a second. */
  shown: number | null;
  figures: Figures | null;
  server: Stats | null;
  /** Heartbeat there and back, milliseconds. */
  ping: number | null;
  /** The picture that this device draws: pixels, and milliseconds that drive frames wait; null: the server draws. */
  own: { width: number; height: number; delay: number } | null;
  /** What the private camera takes on this device; null: it is not private, or off. */
  camera: Cost | null;
}

const NEXT: Record<StatsMode, StatsMode> = { small: "full", full: "off", off: "small" };
const UNKNOWN = "–";

/** Frame rate and latency on the stage: one line, or everything. */
export class StatsPanel {
  readonly element = h("aside", { class: "stats", "aria-label": "Statistics", "data-testid": "stats-panel" });
  private readonly line = h("p", { class: "stats-line", "data-testid": "stats-line" });
  private readonly rows = new Map<string, HTMLElement>();
  private readonly stages = h("div", { class: "stages" });
  private readonly camera: HTMLElement;

  constructor(private current: StatsMode) {
    const group = (title: string, ...names: string[]): HTMLElement =>
      h("section", {}, h("h2", {}, title), h("dl", {}, ...names.map((name) => this.row(name))));
    this.camera = group("Private camera", "A picture", "Tracked");
    this.element.append(
      this.line,
      h(
        "div",
        { class: "stats-full" },
        group("Picture", "Drawn by", "Shown", "Rendered", "Resolution", "Codec", "Buffer", "Dropped"),
        group("Network", "Round trip", "Heartbeat", "Receiving", "Sending", "Loss"),
        this.camera,
        h("section", {}, h("h2", {}, "Server, by stage"), this.stages),
      ),
    );
    this.mode = current;
    this.update({ shown: null, figures: null, server: null, ping: null, own: null, camera: null });
  }

  get mode(): StatsMode {
    return this.current;
  }

  set mode(mode: StatsMode) {
    this.current = mode;
    this.element.dataset.mode = mode;
    this.element.hidden = mode === "off";
  }

  next(): StatsMode {
    this.mode = NEXT[this.current];
    return this.current;
  }

  update({ shown, figures, server, ping, own, camera }: Readings): void {
    const total = server?.stages.total ?? null;
    const roundTrip = ping ?? figures?.roundTrip ?? null;
    this.line.hidden = shown === null && total === null && roundTrip === null;
    setText(
      this.line,
      `${count(shown)} fps  ·  ${own ? "drawn here" : `server ${milliseconds(total)}`}  ·  round trip ${milliseconds(roundTrip)}`,
    );
    this.set("Drawn by", own ? "this device" : "the server");
    this.set("Shown", `${count(shown)} fps`);
    const size = own ?? figures;
    this.set("Rendered", own ? UNKNOWN : `${count(server?.fps ?? null)} fps`);
    this.set("Resolution", size?.width && size.height ? `${size.width} × ${size.height}` : UNKNOWN);
    this.set("Codec", own ? "drive frames" : (figures?.codec ?? UNKNOWN));
    this.set("Buffer", milliseconds(own?.delay ?? null));
    this.set("Dropped", count(own ? null : (figures?.dropped ?? null)));
    this.set("Round trip", milliseconds(figures?.roundTrip ?? null));
    this.set("Heartbeat", milliseconds(ping));
    this.set("Receiving", bits(figures?.bitrateDown ?? null));
    this.set("Sending", bits(figures?.bitrateUp ?? null));
    this.set("Loss", figures?.loss == null ? UNKNOWN : `${(figures.loss * 100).toFixed(1)} %`);
    this.camera.hidden = camera === null;
    this.set("A picture", milliseconds(camera?.milliseconds ?? null));
    this.set("Tracked", `${count(camera?.rate ?? null)} a second`);
    this.showStages(server?.stages ?? {});
  }

  private row(name: string): HTMLElement {
    const value = h("dd", { "data-stat": name });
    this.rows.set(name, value);
    return h("div", {}, h("dt", {}, name), value);
  }

  private set(name: string, text: string): void {
    const row = this.rows.get(name);
    if (row) setText(row, text);
  }

  private showStages(stages: Record<string, number>): void {
    const longest = Math.max(1, stages.total ?? 0, ...Object.values(stages));
    const bars = Object.entries(stages).map(([name, value]) => {
      const bar = h("span", { class: "stage-bar" });
      bar.style.transform = `scaleX(${Math.min(1, value / longest).toFixed(3)})`;
      return h(
        "div",
        { class: name === "total" ? "is-total" : "" },
        h("span", {}, name),
        h("span", { class: "stage-track" }, bar),
        h("span", {}, milliseconds(value)),
      );
    });
    this.stages.replaceChildren(...(bars.length > 0 ? bars : [h("p", { class: "soft" }, "Not reported yet")]));
  }
}

function count(value: number | null): string {
  return value === null ? UNKNOWN : String(Math.round(value));
}

function milliseconds(value: number | null): string {
  if (value === null) return UNKNOWN;
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
}

function bits(value: number | null): string {
  if (value === null) return UNKNOWN;
  return value >= 1e6 ? `${(value / 1e6).toFixed(2)} Mbit/s` : `${Math.round(value / 1e3)} kbit/s`;
}
