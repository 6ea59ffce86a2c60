/** What goes into the state machine of signalling.ts, what comes out, and how it stands. */
import type {
  Act, Failure, IceServer, Labels, Lobby, Message, RoomState, SoundLines, Speaking, Stats, Welcome,
} from "./protocol";

export type Phase = "idle" | "connecting" | "lobby" | "live" | "waiting" | "failed" | "left";

/**
 * Why the page is not connected. unreachable: no socket opens; silent: it opens, but the server says nothing; blocked: the
 * server answers, the media do not connect; no-network: likewise, and the browser knows no address of its own; no-webrtc: the
 * browser makes no peer connection; lost: it was connected; told: the server's `message`.
 */
export type Trouble = "none" | "unreachable" | "silent" | "blocked" | "no-network" | "no-webrtc" | "lost" | "told";

/** What the page waits for on its way into a call; each step only ever moves on to the next. */
export type Step = "socket" | "greeting" | "welcome" | "offer" | "answer" | "control";

/** How the page comes in: with a name and an avatar (its id), or to watch. */
export interface Entry {
  name: string;
  avatar: string;
  watch: boolean;
}

/** What brings a page back into its seat: by the token, or where the server does not know it any more, by joining again. */
export interface RememberedSeat {
  resume: string;
  order: number;
  entry: Entry;
}

export interface Status {
  phase: Phase;
  /** What the person sees: door, nothing is known of the room yet; lobby; call, the page has a seat or a viewer's place. */
  place: "door" | "lobby" | "call";
  /** Attempts since the last stable connection; 0 during the first. */
  attempt: number;
  /** Whether this call was live before: connecting again is "reconnecting". */
  again: boolean;
  trouble: Trouble;
  /** The server's own words, for the trouble "told". */
  message: string;
  /** The step that takes long in the attempt under way; null: none does. */
  slowStep: Step | null;
  lobby: Lobby | null;
  seat: Welcome | null;
  /** Why the page was not let in. */
  refusal: Failure | null;
  /** Whether the page in the lobby has asked to come in, and waits. */
  asking: boolean;
}

export type PeerState = "new" | "connecting" | "connected" | "disconnected" | "failed" | "closed";

export type Input =
  | { kind: "open" | "stay" | "leave" | "nudge" | "retry" | "time" }
  | { kind: "join"; entry: Entry }
  | { kind: "presence"; muted: boolean; camera: boolean }
  | { kind: "moderate"; act: Act; participant: number }
  /** Another token, or what the server keeps for it has changed: what the lobby offers is asked for again. */
  | { kind: "account"; token: string }
  | { kind: "socket-open" | "socket-closed" }
  | { kind: "socket-text"; text: string }
  | { kind: "offer"; sdp: string }
  | { kind: "peer-state"; state: PeerState }
  | { kind: "peer-error" }
  | { kind: "control-open" | "control-closed" }
  | { kind: "control-text"; text: string };

/** What the server tells about the room and the call, for the page to show. A failure among it changes nothing. */
export type News = RoomState | SoundLines | Labels | Speaking | Stats | Failure;

export type Output =
  | { kind: "open-socket" | "close-socket" | "close-peer" }
  | { kind: "send"; message: Message }
  | { kind: "open-peer"; iceServers: IceServer[] }
  | { kind: "answer"; sdp: string }
  | { kind: "send-control"; message: Message }
  | { kind: "status"; status: Status }
  | { kind: "told"; message: News }
  /** Who is here is not known any more. */
  | { kind: "unknown-room" }
  | { kind: "remember"; seat: RememberedSeat | null }
  | { kind: "round-trip"; milliseconds: number };
