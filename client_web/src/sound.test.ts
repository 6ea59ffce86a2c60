import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { RoomSound } from "./sound";
import { label } from "./testing/messages";

/** What of Web Audio is used, with what was done to it. */
class FakeNode {
  readonly outputs: unknown[] = [];
  connect<T>(to: T): T {
    this.outputs.push(to);
    return to;
  }
  disconnect(): void {
    this.outputs.length = 0;
  }
}

class FakePanner extends FakeNode {
  readonly context = { currentTime: 1 };
  readonly pan = { value: 0, setTargetAtTime: (value: number) => void (this.pan.value = value) };
  constructor() {
    super();
    panners.push(this);
  }
}

class FakeGain extends FakeNode {
  readonly gain: { value: number };
  constructor(_context: unknown, { gain }: { gain: number }) {
    super();
    this.gain = { value: gain };
    gains.push(this);
  }
}

class FakeContext {
  state = "suspended";
  onstatechange: () => void = () => undefined;
  readonly destination = "loudspeaker";
  createMediaStreamSource = (): FakeNode => new FakeNode();
  constructor() {
    contexts.push(this);
  }
  resume(): Promise<void> {
    this.state = "running";
    this.onstatechange();
    return Promise.resolve();
  }
  close(): Promise<void> {
    this.state = "closed";
    return Promise.resolve();
  }
}

class FakeAudio {
  muted = false;
  srcObject: unknown = null;
  play = (): Promise<void> => Promise.resolve();
  constructor() {
    elements.push(this);
  }
}

let panners: FakePanner[];
let gains: FakeGain[];
let contexts: FakeContext[];
let elements: FakeAudio[];
let gestures: EventTarget;
let sound: RoomSound;
let changes: number;

const track = {} as MediaStreamTrack;
const pans = (): number[] => panners.map(({ pan }) => pan.value);

beforeEach(() => {
  [panners, gains, contexts, elements, gestures, changes] = [[], [], [], [], new EventTarget(), 0];
  vi.stubGlobal("AudioContext", FakeContext);
  vi.stubGlobal("GainNode", FakeGain);
  vi.stubGlobal("StereoPannerNode", FakePanner);
  vi.stubGlobal("MediaStream", class {});
  vi.stubGlobal("Audio", FakeAudio);
  vi.stubGlobal("addEventListener", gestures.addEventListener.bind(gestures));
  vi.stubGlobal("removeEventListener", gestures.removeEventListener.bind(gestures));
  sound = new RoomSound(() => changes++);
});

afterEach(() => vi.unstubAllGlobals());

it("places each voice where its speaker is seen, whatever is told first", () => {
  sound.add(track, "2");
  sound.add(track, "3");
  expect(pans()).toEqual([0, 0]);
  sound.setLabels([label(7, 0, 0.5), label(8, 0.5, 0.5)]);
  expect(pans()).toEqual([0, 0]);
  sound.setLines({ "2": 8, "3": 7 });
  expect(pans()).toEqual([0.4, -0.4]);
  sound.setLines({ "2": 7 });
  expect(pans()).toEqual([-0.4, 0]);
  sound.setLabels([]);
  expect(pans()).toEqual([0, 0]);
});

it("waits for a hand on the page where the browser lets nothing be heard before", () => {
  expect(sound.isBlocked).toBe(false);
  sound.add(track, "2");
  expect(sound.isBlocked).toBe(true);
  gestures.dispatchEvent(new Event("pointerdown"));
  expect([sound.isBlocked, changes]).toEqual([false, 2]);
});

it("is silent when it is turned off, also for voices that come later", () => {
  sound.turn(false);
  sound.add(track, "2");
  expect([sound.isOn, gains[0]?.gain.value, sound.isBlocked]).toEqual([false, 0, false]);
  sound.turn(true);
  expect(gains[0]?.gain.value).toBe(1);
});

it("plays each voice once, and lets go of those of a connection that is gone", () => {
  sound.add(track, "2");
  sound.add(track, "2");
  expect(elements.map((element) => element.srcObject !== null)).toEqual([false, true]);
  expect(elements.every((element) => element.muted)).toBe(true); // it is heard by way of the panner only
  sound.reset();
  expect(elements.some((element) => element.srcObject !== null)).toBe(false);
  sound.add(track, "4");
  sound.close();
  expect(contexts.map(({ state }) => state)).toEqual(["closed"]);
  expect(elements.some((element) => element.srcObject !== null)).toBe(false);
  gestures.dispatchEvent(new Event("keydown"));
  expect(contexts.map(({ state }) => state)).toEqual(["closed"]);
});
