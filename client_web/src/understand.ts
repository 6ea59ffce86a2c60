import { decode, type Message, ProtocolError } from "./protocol";

/** A message, or null for one that this page does not know: a newer server may say more than we understand. */
export function understand(text: string): Message | null {
  try {
    return decode(text);
  } catch (error) {
    if (error instanceof ProtocolError) return null;
    throw error;
  }
}
