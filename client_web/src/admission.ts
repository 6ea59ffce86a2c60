/** How the page comes into a room and what it has there: its wish, its seat, and what the server knows of its microphone and camera. No clock. */
import { type Failure, type Hello, type Join, type Lobby, type Presence, VERSION, type Welcome } from "./protocol";
import type { Entry, RememberedSeat } from "./signalling_types";

/** The server takes a camera for switched on until it is told otherwise. */
const CAMERA_AT_FIRST = true;

export class Admission {
  lobby: Lobby | null = null;
  /** How the page wants to come in; null while it stays in the lobby. */
  entry: Entry | null = null;
  seat: Welcome | null = null;
  /** Why the page was not let in. */
  refusal: Failure | null = null;
  /** Token of an account or a guest, whose own avatars are offered too; empty without one. */
  account = "";
  private presence: Presence | null = null;
  /** What the server has; null: not known. */
  private told: { muted: boolean; camera: boolean } | null = null;

  /** `remembered`: the seat that this tab had before it was loaded again. */
  constructor(private remembered: RememberedSeat | null) {}

  /** The first message on a socket. `keepMedia`: the peer connection goes on. */
  hello(key: string, keepMedia: boolean): Hello {
    const resume = this.remembered?.resume ?? "";
    return { type: "hello", key, resume, version: VERSION, keep_media: keepMedia, token: this.account };
  }

  /** Whether the page wants to come in, and waits. */
  get isAsking(): boolean {
    return this.entry !== null && this.seat === null;
  }

  /** The message that asks for `entry`. */
  join(entry: Entry): Join {
    const muted = this.presence?.muted ?? false;
    this.told = { muted, camera: CAMERA_AT_FIRST };
    return { type: "join", ...entry, order: this.remembered?.order ?? -1, muted };
  }

  /** The page is in -> what to remember of that. */
  welcomed(seat: Welcome): RememberedSeat {
    this.entry ??= this.remembered?.entry ?? { name: "", avatar: "", watch: seat.participant < 0 };
    this.seat = seat;
    this.refusal = null;
    this.remembered = { resume: seat.resume, order: seat.order, entry: this.entry };
    return this.remembered;
  }

  /** Not let in now. `waits`: goes on wanting to. */
  refused(failure: Failure, waits: boolean): void {
    this.seat = null;
    this.refusal = failure;
    if (!waits) this.entry = null;
  }

  /** No longer wants to come in. */
  stay(): void {
    this.entry = this.refusal = null;
  }

  /** The page has no seat any more and wants none; the room may be another one when it comes back. */
  forget(): void {
    this.entry = this.seat = this.remembered = this.lobby = null;
  }

  setPresence(muted: boolean, camera: boolean): void {
    this.presence = { type: "presence", muted, camera };
  }

  /** What the server does not know yet of the participant's switches, taken as told from now on; null: nothing. */
  presenceToTell(): Presence | null {
    const { presence, told } = this;
    if (!presence || (this.seat?.participant ?? -1) < 0) return null;
    if (told?.muted === presence.muted && told.camera === presence.camera) return null;
    this.told = presence;
    return presence;
  }
}
