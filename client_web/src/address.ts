/** What the page's own address says: `/room/KEY`. The key decides what the page may do; the server tells it. */
export interface Address {
  key: string;
  autojoin: boolean;
  socket: string;
}

export function readAddress(location: { protocol: string; host: string; pathname: string; search: string }): Address {
  const [place, key] = location.pathname.split("/").filter(Boolean);
  return {
    key: place === "room" && key !== undefined ? unescape(key) : "",
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
