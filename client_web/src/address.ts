const TEST = "connection-test";

/** no; with what the picture needs to be seen and heard; or nothing at all, not even a background. */
export type Bare = "" | "embed" | "transparent";

/** What the page's own address says: `/room/KEY` or `/connection-test/KEY`. The key decides what the page may do; the server tells it. */
export interface Address {
  key: string;
  autojoin: boolean;
  /** Whether a viewers' page shows the picture and nothing around it: in a frame of another page, or as a source of OBS. */
  bare: Bare;
  /** Whether the way to the room is tested, instead of gone. */
  isTest: boolean;
  socket: string;
}

export function readAddress(location: { protocol: string; host: string; pathname: string; search: string }): Address {
  const asked = new URLSearchParams(location.search);
  const [place, key] = location.pathname.split("/").filter(Boolean);
  return {
    key: (place === "room" || place === TEST) && key !== undefined ? unescape(key) : "",
    isTest: place === TEST,
    autojoin: asked.get("autojoin") === "1",
    bare: asked.has("transparent") ? "transparent" : asked.has("embed") ? "embed" : "",
    socket: `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`,
  };
}

/** Where the connection test of the room at `pathname` is; and back. */
export function testAddress(pathname: string): string {
  return pathname.replace(/^\/room\//, "/connection-test/");
}

export function roomAddress(pathname: string): string {
  return pathname.replace(/^\/connection-test\//, "/room/");
}

function unescape(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
