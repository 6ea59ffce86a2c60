/** Reads a .webavatar file, and no more than one can be. */
import { MAX_BYTES } from "../render/web_avatar";

/** What cannot be read. The message is a sentence for people. */
export class ReadError extends Error {}

export async function readAvatar(address: string, signal: AbortSignal): Promise<ArrayBuffer> {
  let answer: Response;
  try {
    answer = await fetch(address, { signal });
  } catch (error) {
    if (signal.aborted) throw error;
    throw new ReadError("The avatar's file cannot be reached: its server must be there, and allow this page to read it (CORS).");
  }
  if (!answer.ok) throw new ReadError(`There is no avatar at this address (${answer.status}): check src.`);
  const parts: Uint8Array[] = [];
  let length = Number(answer.headers.get("content-length") ?? 0);
  if (length > MAX_BYTES) throw tooLarge();
  length = 0;
  for (const reader = answer.body!.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    if (length > MAX_BYTES) {
      await reader.cancel();
      throw tooLarge();
    }
    parts.push(value);
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole.buffer;
}

function tooLarge(): ReadError {
  return new ReadError("This file is larger than an avatar can be: check src.");
}
