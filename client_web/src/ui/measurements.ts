import { FigureReader, type Figures } from "../figures";
import type { Peer } from "../peer";
import type { Stats } from "../protocol";
import { isMoving, judge, type Quality, SteadyQuality } from "../quality";
import type { Room } from "../room";
import type { Readings } from "./stats_panel";

/** Collects, once a second, what the statistics show. */
export class Measurements {
  server: Stats | null = null;
  ping: number | null = null;
  private steady = new SteadyQuality();
  private figures: Figures | null = null;
  private shown: number | null = null;
  private reader = new FigureReader();
  private frames: { count: number; at: number; areOwn: boolean } | null = null;

  /** A new connection counts from nothing. */
  reset(): void {
    this.reader = new FigureReader();
    this.steady = new SteadyQuality();
    this.server = this.figures = this.frames = null;
    this.ping = this.shown = null;
  }

  constructor(private readonly room: Room) {}

  /**
   * `framesShown`: pictures the browser has shown so far, or null where it does not count them. `looking`: whether it shows any.
   * `areOwn`: whether this device drew them.
   */
  async measure(peer: Peer, framesShown: number | null, looking: boolean, areOwn: boolean): Promise<void> {
    const now = performance.now();
    const report = await peer.report();
    this.figures = this.reader.read(report as unknown as Iterable<[string, unknown]>, now);
    peer.syncLips(this.figures.voicesWaited);
    if (!looking) this.shown = this.frames = null;
    else if (framesShown === null) this.shown = this.figures.fps;
    else {
      const before = this.frames?.areOwn === areOwn ? this.frames : null;
      this.shown = before ? ((framesShown - before.count) * 1000) / Math.max(1, now - before.at) : null;
      this.frames = { count: framesShown, at: now, areOwn };
    }
  }

  /** Pictures a second that the browser decodes, or null where it does not say. */
  get decoded(): number | null {
    return this.figures?.fps ?? null;
  }

  /** Pictures that the browser has decoded so far, or null where it does not say. */
  get pictures(): number | null {
    return this.figures?.pictures ?? null;
  }

  get readings(): Omit<Readings, "own" | "camera"> {
    const { shown, figures, server, ping } = this;
    return { shown, figures, server, ping };
  }

  /** Of a live call. `silence`: milliseconds for which the server has owed an answer. */
  quality(silence: number): Quality {
    const { room, server, figures, shown, ping } = this;
    const alone = room.isAlone;
    const moving = isMoving(room, server);
    const empty = !room.people.some((person) => person.seated);
    return this.steady.settle(judge({ empty, alone, moving, server, figures, shown, ping, silence }), performance.now());
  }
}
