/** Fetches a web avatar: a coarse head as soon as its part of the file has come, then the whole. No DOM. */
import { parseWebAvatar, type WebAvatar, WebAvatarError } from "../render/web_avatar";

const MAX_BYTES = 32 << 20;

/** An avatar that cannot be had. The message is a sentence for people. */
export class AvatarUnavailable extends Error {}

/** coarse: called at most once, before the whole avatar is there. Throws `AvatarUnavailable`, `WebAvatarError`, or what `signal` says. */
export async function fetchAvatar(address: string, signal: AbortSignal, coarse: (avatar: WebAvatar) => void): Promise<WebAvatar> {
  let response: Response;
  try {
    response = await fetch(address, { signal, credentials: "same-origin" });
  } catch (error) {
    if (signal.aborted) throw error;
    throw new AvatarUnavailable("The server cannot be reached.");
  }
  if (!response.ok || response.body === null) throw new AvatarUnavailable("The server does not give this avatar away.");
  const announced = Number(response.headers.get("content-length") ?? 0);
  if (announced > MAX_BYTES) throw new WebAvatarError("The avatar's file is larger than an avatar can be.");
  const reader = response.body.getReader();
  try {
    return await read(reader, announced, coarse);
  } catch (error) {
    void reader.cancel().catch(() => undefined); // the rest of a file that is none is not fetched
    throw error;
  }
}

async function read(reader: ReadableStreamDefaultReader<Uint8Array>, announced: number, coarse: (avatar: WebAvatar) => void): Promise<WebAvatar> {
  let bytes = new Uint8Array(Math.max(announced, 1 << 16));
  let [filled, needed] = [0, NaN];
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    if (filled + value.length > MAX_BYTES) throw new WebAvatarError("The avatar's file is larger than an avatar can be.");
    if (filled + value.length > bytes.length) {
      const larger = new Uint8Array(Math.min(MAX_BYTES, 2 * (filled + value.length)));
      larger.set(bytes.subarray(0, filled));
      bytes = larger;
    }
    bytes.set(value, filled);
    filled += value.length;
    if (Number.isNaN(needed)) needed = coarseBytes(bytes.subarray(0, filled));
    if (filled >= needed && filled < announced) {
      needed = Infinity;
      coarse(parseWebAvatar(bytes.slice(0, filled).buffer));
      await new Promise((resolve) => setTimeout(resolve)); // it may be shown before the rest takes the page's time
    }
  }
  return parseWebAvatar(bytes.buffer.slice(0, filled));
}

/** Bytes that the first level takes; NaN while the header has not come; Infinity when it makes no sense, which is said at the end. */
function coarseBytes(bytes: Uint8Array): number {
  if (bytes.length < 12) return NaN;
  const start = 12 + new DataView(bytes.buffer, bytes.byteOffset).getUint32(8, true);
  if (bytes.length < start) return start > MAX_BYTES ? Infinity : NaN;
  try {
    const { levels } = JSON.parse(new TextDecoder().decode(bytes.subarray(12, start))) as { levels: { end: number }[] };
    return levels.length > 1 ? start + levels[0]!.end : Infinity;
  } catch {
    return Infinity;
  }
}
