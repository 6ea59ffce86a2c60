import { afterEach, describe, expect, it, vi } from "vitest";
import { type WebAvatar, WebAvatarError } from "../render/web_avatar";
import { AvatarUnavailable, fetchAvatar } from "./fetch_avatar";

const range = { low: [0, 0, 0], high: [1, 1, 1] };

/** A web avatar of one triangle and two levels, of 1 and `count` Gaussians. scales: their logarithms. */
function file(count = 3, scales = range): Uint8Array<ArrayBuffer> {
  const padded = (bytes: number): number => bytes + ((4 - (bytes % 4)) % 4);
  const size = (n: number): number => padded(2 * n) + padded(6 * n) + padded(4 * n) + padded(3 * n) + padded(n) + padded(3 * n);
  const begin = padded(18) + padded(18) + padded(6);
  const level = (n: number, at: number): object => ({ count: n, begin: at, end: at + size(n), means: range, log_scales: scales });
  const header = {
    vertices: 3, triangles: 1, joints: Array(6).fill([0, 0, 0]), coefficients: Array(52).fill("x"), rest: range,
    expression: { first: Array(53).fill(0), step: Array(52).fill(1) }, levels: [level(1, begin), level(count, begin + size(1))],
  }; // prettier-ignore
  let text = JSON.stringify(header);
  text += " ".repeat((4 - (text.length % 4)) % 4);
  const out = new Uint8Array(12 + text.length + begin + size(1) + size(count));
  const view = new DataView(out.buffer);
  view.setUint32(0, 0x42455756, true);
  view.setUint32(4, 1, true);
  view.setUint32(8, text.length, true);
  out.set(new TextEncoder().encode(text), 12);
  return out;
}

/** Answers each fetch with these pieces, one after the other. */
function answer(pieces: Uint8Array<ArrayBuffer>[], status = 200, length?: number): void {
  vi.stubGlobal("fetch", () => {
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const piece of pieces) controller.enqueue(piece);
        controller.close();
      },
    });
    const total = length ?? pieces.reduce((sum, piece) => sum + piece.length, 0);
    return Promise.resolve(new Response(status === 200 ? body : null, { status, headers: { "content-length": String(total) } }));
  });
}

const get = (coarse: (avatar: WebAvatar) => void = () => undefined): Promise<WebAvatar> => fetchAvatar("/x", new AbortController().signal, coarse);

afterEach(() => vi.unstubAllGlobals());

describe("fetching a web avatar", () => {
  it("shows the coarse head as soon as that part has come, once", async () => {
    const whole = file();
    const cuts = [40, 600, whole.length - 60, whole.length - 4];
    answer(cuts.map((end, i) => whole.slice(i === 0 ? 0 : cuts[i - 1]!, end)).concat(whole.slice(whole.length - 4)));
    const coarse: number[] = [];
    const avatar = await get(({ levels }) => coarse.push(levels.length));
    expect([coarse, avatar.levels.map(({ count }) => count)]).toEqual([[1], [1, 3]]);
    answer([whole]);
    coarse.length = 0;
    await get(({ levels }) => coarse.push(levels.length));
    expect(coarse).toEqual([]);
  });

  it.each([
    ["cut short", file().slice(0, 300)],
    ["nothing", new Uint8Array(0)],
    ["something else", new TextEncoder().encode("<!doctype html><title>Sign in</title>")],
    ["Gaussians without end", file(3, { low: [1e5, 0, 0], high: [0, 0, 0] })],
    ["a header without end", Uint8Array.of(0x56, 0x57, 0x45, 0x42, 1, 0, 0, 0, 255, 255, 255, 255, 123)],
  ])("says so of %s", async (_, bytes) => {
    answer([bytes as Uint8Array<ArrayBuffer>]);
    await expect(get()).rejects.toThrow(WebAvatarError);
    await expect(get()).rejects.toThrow(/\.$/);
  });

  it("fetches no more of a file that is none", async () => {
    const cancelled = vi.fn();
    const broken = file();
    const start = 12 + new DataView(broken.buffer).getUint32(8, true);
    broken.fill(255, start + 40, start + 46); // a triangle of vertices that are not there; the rest never comes
    let pulled = 0;
    const pull = (controller: ReadableStreamDefaultController<Uint8Array>): void => {
      pulled++;
      controller.enqueue(broken.slice(0, -4));
    };
    vi.stubGlobal("fetch", () => Promise.resolve(new Response(new ReadableStream({ pull, cancel: cancelled }), { headers: { "content-length": String(1 << 20) } })));
    await expect(get()).rejects.toThrow(WebAvatarError);
    expect(cancelled).toHaveBeenCalled();
    expect(pulled).toBeLessThan(9);
  });

  it("does not take what is too large, whatever it announces", async () => {
    answer([file()], 200, 1 << 30);
    await expect(get()).rejects.toThrow(/larger/);
    answer(Array.from({ length: 9 }, () => new Uint8Array(4 << 20)), 200, 100);
    await expect(get()).rejects.toThrow(/larger/);
  });

  it("says so where the server does not give it, or is not there", async () => {
    answer([], 404);
    await expect(get()).rejects.toThrow(AvatarUnavailable);
    vi.stubGlobal("fetch", () => Promise.reject(new TypeError("network")));
    await expect(get()).rejects.toThrow(AvatarUnavailable);
  });
});
