/** Finds the landmarks of the person before a camera on this machine, in a worker: see worker.ts. */
import { type Cost, CostMeter } from "./cost";
import { FILES } from "./files";
import type { FromWorker, ToWorker } from "./messages";
import { Pictures } from "./pictures";

/** Milliseconds between two pictures at the least: a camera's 30 a second, a little early or late. */
const BETWEEN = 1000 / 30 - 6;
/** Milliseconds that loading may take, and a picture. */
const LOADING_LIMIT = 60_000;
const PICTURE_LIMIT = 5_000;
const WATCH = 1_000;
/** How often in a row a worker may fail before any picture was tracked. */
const ATTEMPTS = 2;

/** `ready`: all is loaded. `found`: a message for the channel `drive`. `failed`: there will be none. */
export interface TrackerEvents {
  ready(): void;
  found(message: ArrayBuffer): void;
  failed(): void;
}

/** Whether this browser has what it takes. */
export function isSupported(): boolean {
  const simd = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11);
  return typeof Worker === "function" && typeof OffscreenCanvas === "function" && typeof WebAssembly === "object" && WebAssembly.validate(simd);
}

export class Tracker {
  private worker: Worker | null = null;
  private pictures: Pictures | null = null;
  private meter = new CostMeter();
  /** Since when the worker is at something, milliseconds; null: it waits. */
  private busySince: number | null = null;
  private isReady = false;
  private failures = 0;
  private sequence = 0;
  private takenAt = -Infinity;
  private readonly timer = setInterval(() => this.watch(), WATCH);
  private readonly hide = (): void => this.tick();

  constructor(private readonly events: TrackerEvents) {
    document.addEventListener("visibilitychange", this.hide);
    this.start();
  }

  get cost(): Cost | null {
    return this.meter.read(performance.now());
  }

  /** Track the pictures of this one from now on; null: of none. */
  look(track: MediaStreamTrack | null): void {
    this.pictures?.close();
    this.pictures = track && new Pictures(track, () => void this.take());
    this.tick();
  }

  close(): void {
    clearInterval(this.timer);
    document.removeEventListener("visibilitychange", this.hide);
    this.look(null);
    this.worker?.terminate();
    this.worker = null;
  }

  private start(): void {
    this.worker?.terminate();
    this.isReady = false;
    this.busySince = performance.now();
    const worker = new Worker(new URL("./worker.ts", import.meta.url));
    this.worker = worker;
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
      if (worker === this.worker) this.hear(data);
    };
    worker.onerror = () => {
      if (worker === this.worker) this.fail();
    };
    const files = Object.fromEntries(Object.entries(FILES).map(([name, address]) => [name, new URL(address, location.href).href]));
    this.tell({ kind: "start", files });
    this.tick();
  }

  private hear(message: FromWorker): void {
    if (message.kind === "failed") this.fail();
    else if (message.kind === "tick") void this.take();
    else {
      this.busySince = null;
      this.isReady = true;
      if (message.kind === "ready") this.events.ready();
      else {
        this.failures = 0;
        this.meter.add(message.milliseconds, performance.now());
        if (this.pictures) this.events.found(message.message);
      }
    }
  }

  private async take(): Promise<void> {
    const now = performance.now();
    if (this.busySince !== null || !this.pictures || now - this.takenAt < BETWEEN) return;
    const { worker, pictures } = this;
    this.busySince = this.takenAt = now;
    const bitmap = await pictures.take();
    if (bitmap && worker === this.worker && pictures === this.pictures) {
      this.sequence = (this.sequence + 1) & 0xffff;
      this.tell({ kind: "picture", bitmap, sequence: this.sequence, time: now }, [bitmap]);
    } else {
      bitmap?.close();
      if (worker === this.worker) this.busySince = null;
    }
  }

  /** The worker keeps the time where nobody else does: timers of a hidden page come once a second. */
  private tick(): void {
    this.tell({ kind: "tick", on: this.pictures !== null && (document.hidden || !Pictures.tells) });
  }

  private watch(): void {
    if (this.busySince === null) return;
    if (performance.now() - this.busySince > (this.isReady ? PICTURE_LIMIT : LOADING_LIMIT)) this.fail();
  }

  private fail(): void {
    this.failures += 1;
    if (this.failures < ATTEMPTS) {
      this.start();
      return;
    }
    this.close();
    this.events.failed();
  }

  private tell(message: ToWorker, transfer: Transferable[] = []): void {
    this.worker?.postMessage(message, transfer);
  }
}
