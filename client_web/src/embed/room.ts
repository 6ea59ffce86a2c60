/** The address of a room's page inside a frame. */
import { ReadError } from "./read";

/** link: a viewers' link. base: of the page. background: the attribute; "transparent" shows nothing behind the people. */
export function roomAddress(link: string, base: string, background: string): string {
  const expected = new ReadError("A viewers' link such as https://call.example.org/room/KEY was expected as room: copy it from the call.");
  let address: URL;
  try {
    address = new URL(link, base);
  } catch {
    throw expected;
  }
  if (!["http:", "https:"].includes(address.protocol) || !/^\/room\/[^/]+$/.test(address.pathname)) throw expected;
  address.search = background === "transparent" ? "?transparent" : "?embed";
  address.hash = "";
  return address.href;
}
