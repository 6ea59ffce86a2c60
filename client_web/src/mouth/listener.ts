/** Listens to a sound that the page has, and tells what a mouth does with it, thirty times a second. Web Audio; no visible element. */
import { Mouth } from "./mouth";

/** Anything with a voice in it. An element must be of this page's origin or come with CORS, else browsers let nothing be heard of it. */
export type Sound = MediaStream | MediaStreamTrack | AudioNode | HTMLMediaElement;

const INTERVAL = 1 / 30;
const SOUND_EVENTS = ["playing", "loadedmetadata"] as const;
const GESTURES = ["pointerdown", "keydown"] as const;

/** An element's sound can be led into Web Audio once. */
const led = new WeakMap<HTMLMediaElement, MediaElementAudioSourceNode>();
/** The one context for elements, whose sound stays where it was led to. */
let shared: AudioContext | null = null;

export class MouthListener {
  private own: AudioContext | null = null;
  private analyser: AnalyserNode | null = null;
  private source: AudioNode | null = null;
  private mouth: Mouth | null = null;
  private clock: ConstantSourceNode | null = null;
  private samples = new Float32Array(0);
  private stopWaiting: () => void = () => undefined;
  private last = 0;

  /** heard: what the mouth does now; called while a sound is listened to. */
  constructor(private readonly heard: (mouth: Mouth) => void) {}

  /** Listens to another sound, or to none. What was made of the last one is gone. */
  listen(sound: Sound | null): void {
    this.hush();
    if (sound === null) return;
    if (sound instanceof AudioNode) this.hear(sound, sound.context);
    else if (sound instanceof HTMLMediaElement) this.hearElement(sound);
    else this.hearStream(sound instanceof MediaStream ? sound : new MediaStream([sound]));
  }

  close(): void {
    this.hush();
    void this.own?.close();
    this.own = null;
  }

  private hush(): void {
    this.stopWaiting();
    this.stopWaiting = () => undefined;
    if (this.clock) this.clock.onended = null;
    if (this.analyser) this.source?.disconnect(this.analyser);
    this.clock?.disconnect();
    this.clock = this.analyser = this.source = this.mouth = null;
  }

  private hearElement(element: HTMLMediaElement): void {
    if (element.srcObject instanceof MediaStream) {
      this.hearStream(element.srcObject);
      return;
    }
    shared ??= new AudioContext();
    let source = led.get(element);
    if (!source) {
      source = shared.createMediaElementSource(element);
      source.connect(shared.destination);
      led.set(element, source);
    }
    this.wakes(shared, element);
    this.hear(source, shared);
  }

  /** A stream may get its sound later, or another one. */
  private hearStream(stream: MediaStream): void {
    this.own ??= new AudioContext();
    const context = this.own;
    this.wakes(context);
    const again = (): void => {
      if (stream.getAudioTracks().length > 0) this.hear(context.createMediaStreamSource(stream), context);
    };
    stream.addEventListener("addtrack", again);
    const before = this.stopWaiting;
    this.stopWaiting = () => {
      before();
      stream.removeEventListener("addtrack", again);
    };
    again();
  }

  private hear(source: AudioNode, context: BaseAudioContext): void {
    if (this.analyser) this.source?.disconnect(this.analyser);
    this.mouth ??= new Mouth(context.sampleRate);
    this.analyser ??= new AnalyserNode(context, { fftSize: 2 ** Math.ceil(Math.log2(this.mouth.length)) });
    if (this.samples.length !== this.analyser.fftSize) this.samples = new Float32Array(this.analyser.fftSize);
    source.connect(this.analyser);
    this.source = source;
    this.last = context.currentTime;
    if (!this.clock) this.tick(context);
  }

  /** The sound's own clock: timers of a hidden page go once a second, the end of a node is told at once. */
  private tick(context: BaseAudioContext): void {
    const { analyser } = this;
    if (!analyser) return;
    const clock = new ConstantSourceNode(context, { offset: 0 });
    clock.connect(analyser);
    clock.onended = () => {
      clock.disconnect();
      this.tick(context);
      this.look(context.currentTime);
    };
    clock.start();
    clock.stop(context.currentTime + INTERVAL);
    this.clock = clock;
  }

  private look(now: number): void {
    const { analyser, mouth, samples } = this;
    if (!analyser || !mouth) return;
    analyser.getFloatTimeDomainData(samples);
    mouth.hear(samples, now - this.last);
    this.last = now;
    this.heard(mouth);
  }

  /** Browsers let a page hear nothing before the first click in it, or before an element plays. */
  private wakes(context: AudioContext, element?: HTMLMediaElement): void {
    const wake = (): void => void (context.state === "suspended" && context.resume().catch(() => undefined));
    const stop = new AbortController();
    for (const gesture of GESTURES) addEventListener(gesture, wake, { signal: stop.signal, passive: true });
    if (element) for (const event of SOUND_EVENTS) element.addEventListener(event, wake, { signal: stop.signal });
    this.stopWaiting = () => stop.abort();
    wake();
  }
}
