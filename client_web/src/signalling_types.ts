/** What goes into the state machine of signalling.ts, what comes out, and how it stands. */
import type { IceServer, Message, RoomState, Stats } from "./protocol";

export type Phase = "idle" | "connecting" | "live" | "waiting" | "failed" | "left";

/**
 * Why the page is not in the call. unreachable: no socket opens; silent: it opens, but the server says nothing; blocked: the
 * server answers, the media do not connect; no-network: likewise, and the browser knows no address of its own; no-webrtc: the
 * browser makes no peer connection; lost: it was live; full, taken: no place is free; told: the server's `message`.
 */
export type Trouble =
  | "none" | "unreachable" | "silent" | "blocked" | "no-network" | "no-webrtc" | "lost" | "full" | "taken" | "told";

export interface Status {
  phase: Phase;
  /** Attempts since the last stable connection; 0 during the first. */
  attempt: number;
  /** Whether this call was live before: connecting again is "reconnecting". */
  again: boolean;
  trouble: Trouble;
  /** The server's own words, for the trouble "told". */
  message: string;
  viewerUrl: string;
}

export type PeerState = "new" | "connecting" | "connected" | "disconnected" | "failed" | "closed";

export type Input =
  | { kind: "join" | "leave" | "nudge" | "time" }
  | { kind: "socket-open" | "socket-closed" }
  | { kind: "socket-text"; text: string }
  | { kind: "offer"; sdp: string }
  | { kind: "peer-state"; state: PeerState }
  | { kind: "peer-error" }
  | { kind: "control-open" | "control-closed" }
  | { kind: "control-text"; text: string };

export type Output =
  | { kind: "open-socket" | "close-socket" | "close-peer" }
  | { kind: "send"; message: Message }
  | { kind: "open-peer"; iceServers: IceServer[] }
  | { kind: "answer"; sdp: string }
  | { kind: "send-control"; message: Message }
  | { kind: "status"; status: Status }
  /** null: who is here is not known any more. */
  | { kind: "room"; room: RoomState | null }
  | { kind: "stats"; stats: Stats }
  | { kind: "round-trip"; milliseconds: number };
