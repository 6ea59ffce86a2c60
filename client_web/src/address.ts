import type { Role } from "./protocol";

/** What the page's own address says. `/call/KEY`: the person; `/view/KEY`: a viewer; anything else: a person without a key. */
export interface Address {
  role: Role;
  key: string;
  autojoin: boolean;
  socket: string;
}

export function readAddress(location: { protocol: string; host: string; pathname: string; search: string }): Address {
  const [place, key] = location.pathname.split("/").filter(Boolean);
  const known = place === "call" || place === "view";
  return {
    role: place === "view" ? "viewer" : "person",
    key: known && key !== undefined ? unescape(key) : "",
    autojoin: new URLSearchParams(location.search).get("autojoin") === "1",
    socket: `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`,
  };
}

function unescape(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
