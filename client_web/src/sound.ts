/** The voices of a room, each placed where its speaker is in the picture, and mixed. Web Audio; no visible element. */
import { panOf } from "./panning";
import type { Label } from "./protocol";

/** Seconds in which a voice moves, so that a step is not heard as a click. */
const MOVE = 0.15;

interface Voice {
  track: MediaStreamTrack;
  /** Chromium decodes a received track only while an element plays it. */
  element: HTMLAudioElement;
  source: MediaStreamAudioSourceNode;
  panner: StereoPannerNode;
}

export class RoomSound {
  private context: AudioContext | null = null;
  private mix: GainNode | null = null;
  private readonly voices = new Map<string, Voice>();
  private lines: Record<string, number> = {};
  private labels: Label[] = [];
  private on = true;

  /** `changed`: whether sound comes out has changed. */
  constructor(private readonly changed: () => void) {
    for (const gesture of ["pointerdown", "keydown"]) addEventListener(gesture, this.resume);
  }

  get isOn(): boolean {
    return this.on;
  }

  /** Whether the browser waits for a click before it lets anything be heard. */
  get isBlocked(): boolean {
    return this.on && this.context?.state === "suspended";
  }

  /** `mid`: of the media section that the track came on. */
  add(track: MediaStreamTrack, mid: string): void {
    const { context, mix } = this.open();
    this.drop(mid);
    const stream = new MediaStream([track]);
    const element = new Audio();
    element.muted = true;
    element.srcObject = stream;
    element.play().catch(() => undefined); // replaced before it played
    const voice = { track, element, source: context.createMediaStreamSource(stream), panner: new StereoPannerNode(context) };
    voice.source.connect(voice.panner).connect(mix);
    this.voices.set(mid, voice);
    this.place();
  }

  /** mid -> participant. */
  setLines(lines: Record<string, number>): void {
    this.lines = lines;
    this.place();
  }

  setLabels(labels: Label[]): void {
    this.labels = labels;
    this.place();
  }

  turn(on: boolean): void {
    this.on = on;
    if (this.mix) this.mix.gain.value = on ? 1 : 0;
    this.resume();
    this.changed();
  }

  /** A new connection brings new tracks. */
  reset(): void {
    for (const mid of [...this.voices.keys()]) this.drop(mid);
    this.lines = {};
  }

  close(): void {
    for (const gesture of ["pointerdown", "keydown"]) removeEventListener(gesture, this.resume);
    this.reset();
    void this.context?.close();
    this.context = this.mix = null;
  }

  private readonly resume = (): void => {
    if (this.context?.state === "suspended") void this.context.resume();
  };

  private open(): { context: AudioContext; mix: GainNode } {
    if (this.context && this.mix) return { context: this.context, mix: this.mix };
    const context = new AudioContext({ latencyHint: "interactive" });
    const mix = new GainNode(context, { gain: this.on ? 1 : 0 });
    mix.connect(context.destination);
    context.onstatechange = () => this.changed();
    [this.context, this.mix] = [context, mix];
    this.changed();
    return { context, mix };
  }

  private place(): void {
    for (const [mid, { panner }] of this.voices) {
      const pan = panOf(this.labels.find((label) => label.participant === this.lines[mid]));
      panner.pan.setTargetAtTime(pan, panner.context.currentTime, MOVE / 3);
    }
  }

  private drop(mid: string): void {
    const voice = this.voices.get(mid);
    if (!voice) return;
    this.voices.delete(mid);
    voice.source.disconnect();
    voice.panner.disconnect();
    voice.element.srcObject = null;
  }
}
