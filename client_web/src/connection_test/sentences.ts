/** What each check of the connection test says: what was found, or the cure, in one sentence. No DOM. */
import type { IceServer } from "../protocol";
import { asSentence, troubleSentence } from "../words";
import type { Kind, PathOutcome } from "./checks";

export const SECURE = "The browser may use camera and microphone here.";
export const INSECURE =
  "This page came over plain http, where browsers give no camera and no microphone: start the server with --tls or behind a proxy " +
  "with https, or open the link on the server's own machine as localhost.";
export const NOT_SECURE = "The page is not secure, see above.";
export const ONLY_WATCHES = "This link only watches, which needs no camera and no microphone.";
export const NO_SERVER = "The server was not reached, see above.";
export const NO_PATH = "No connection for picture and sound, see above.";
export const BROKEN = "The check broke off: run the test again, or try another browser.";

/** Names of states, for eyes and screen readers. */
export const STATES = { waiting: "Waiting", running: "Testing…", passed: "Works", failed: "Fails", untested: "Not tested" } as const;

export function greeted(milliseconds: number): string {
  return `The server answered in ${rounded(milliseconds)}.`;
}

export function notGreeted(why: "unreachable" | "silent" | "refused", message: string): string {
  switch (why) {
    case "unreachable":
      return "No WebSocket to the server opens: check that it runs, and that a proxy before it passes WebSockets on at /ws.";
    case "silent":
      return "The WebSocket opens, but the server says nothing: start the server again, and let a proxy before it pass messages on.";
    case "refused":
      return asSentence(message);
  }
}

export function device(label: string): string {
  return label === "" ? "It gives a signal." : `“${label}” gives a signal.`;
}

export function unanswered(kind: Kind): string {
  return `The browser's question about your ${kind} was not answered: run the test again and allow it.`;
}

export function connected(kind: Kind, milliseconds: number): string {
  const way = kind === "relay" ? "The relay passes packets on to the server" : "Packets reach the server directly";
  return `${way}; they come back in ${rounded(milliseconds)}.`;
}

export function refused(message: string): string {
  return `There is no place in the room for the test now. ${asSentence(message)}`;
}

export function sent(milliseconds: number, relayed: boolean): string {
  const slow = milliseconds > 400 ? " That is slow: the avatar will lag." : "";
  return `What you send arrives${relayed ? " through the relay" : ""} and is answered in ${rounded(milliseconds)}.${slow}`;
}

export function received(width: number, height: number): string {
  return `A picture of ${width} × ${height} came and was decoded.`;
}

export function notReceived({ packets, isReady }: { packets: number; isReady: boolean }): string {
  if (packets > 0) return "Pictures come, but this browser cannot decode them: update it or use another one, with VP8 or H.264.";
  if (!isReady) return "The server makes no pictures yet: wait until it has started, then run the test again.";
  return "The connection stands, but no picture comes: whoever runs the server finds the reason in its log.";
}

/** Why no direct connection came about. `hasRelay`: relays are tried, too. */
export function pathFailed(outcome: PathOutcome, hasRelay: boolean): string {
  switch (outcome.kind) {
    case "blocked":
      return hasRelay
        ? "No UDP packet gets through between this network and the server, so calls need a relay, see below."
        : "No UDP packet gets through between this network and the server: try another network, or ask whoever runs the server to open " +
            "its UDP ports (--ice-ports) or to add a TURN relay (--ice-servers).";
    case "refused":
      return asSentence(outcome.message);
    case "no-webrtc":
    case "no-network":
      return troubleSentence(outcome.kind);
    case "silent":
      return "The server did not answer the offer: wait a moment, then run the test again.";
    case "unreachable":
      return "The connection to the server was lost meanwhile: run the test again.";
    default:
      return BROKEN;
  }
}

/** Why a relay was of no use. */
export function relayFailed(outcome: PathOutcome, server: IceServer): string {
  const { host, port, transport } = relay(server);
  if (outcome.kind === "blocked") {
    return "The relay answers, but its packets do not reach the server: allow it to send to the server's address and UDP ports.";
  }
  if (outcome.kind !== "no-relay") return pathFailed(outcome, true);
  const { code, words } = outcome;
  if (code === 401 || code === 431 || code === 441) {
    return "The relay refuses the user name or the password: set those that it knows on the Visavis server.";
  }
  if (code === 486 || code === 508) return `The relay has no place left (error ${code}): raise its quota or wait.`;
  if (code === 701 && /lookup/i.test(words)) return `The name ${host} is not known: correct the relay's address on the Visavis server.`;
  if (code >= 300 && code < 700) return `The relay refuses to help (error ${code}): look at its log.`;
  if (transport === "TLS") {
    return `No TLS connection to ${host} comes about: give the TURN server a certificate that browsers trust, or open port ${port} (TCP) in its firewall.`;
  }
  return `Nothing answers at ${host}: start the TURN server there, or open port ${port} (${transport}) in its firewall.`;
}

export function relayTitle(server: IceServer): string {
  const { host, port, transport } = relay(server);
  return `Relay over ${transport} (${host}:${port})`;
}

interface Relay {
  host: string;
  port: number;
  transport: "UDP" | "TCP" | "TLS";
}

/** The parts of a TURN URL (RFC 7065, 3.1). */
function relay({ urls: [url = ""] }: IceServer): Relay {
  const [, scheme = "", host = "", port, transport] = /^(turns?):(\[[^\]]*\]|[^:?]*)(?::(\d+))?(?:\?transport=(\w+))?$/i.exec(url) ?? [];
  const isTls = scheme.toLowerCase() === "turns";
  const kind = isTls ? "TLS" : transport?.toLowerCase() === "tcp" ? "TCP" : "UDP";
  return { host, port: Number(port ?? (isTls ? 5349 : 3478)), transport: kind };
}

function rounded(milliseconds: number): string {
  return milliseconds < 1 ? "under 1 ms" : `${Math.round(milliseconds)} ms`;
}
