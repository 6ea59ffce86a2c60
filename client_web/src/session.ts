/** Runs the `Signalling` machine on a real socket, a real peer connection and the clock. No DOM. */
import { type Act, encode, type IceServer, type Message, type Place } from "./protocol";
import type { Signalling } from "./signalling";
import type { Entry, Input, News, Output, PeerState, RememberedSeat, Status } from "./signalling_types";

/** What of a WebSocket is used here. */
export type Socket = Pick<WebSocket, "send" | "close" | "onopen" | "onclose" | "onmessage">;

export interface PeerEvents {
  offer(sdp: string): void;
  state(state: PeerState): void;
  controlOpen(): void;
  controlText(text: string): void;
  controlClosed(): void;
  error(): void;
}

/** What a peer connection offers, as far as it is used here; `Peer` of peer.ts is the real one. */
export interface PeerLike {
  answer(sdp: string): void;
  control(text: string): void;
  close(): void;
}

export interface SessionEvents {
  status(status: Status): void;
  told(message: News): void;
  /** Who is here is not known any more. */
  unknownRoom(): void;
  /** The seat to come back to, should the page be loaded again; null: none. */
  remember(seat: RememberedSeat | null): void;
  roundTrip(milliseconds: number): void;
}

export interface Transports<P extends PeerLike> {
  socket(): Socket;
  peer(iceServers: IceServer[], events: PeerEvents): P;
  now(): number;
}

export class Session<P extends PeerLike> {
  peer: P | null = null;
  private socket: Socket | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly machine: Signalling,
    private readonly transports: Transports<P>,
    private readonly events: SessionEvents,
  ) {}

  get status(): Status {
    return this.machine.status;
  }

  /** Milliseconds for which the server has owed an answer. */
  get silence(): number {
    return this.machine.silence(this.transports.now());
  }

  /** Connects, and greets the server. */
  open(): void {
    this.feed({ kind: "open" });
  }

  join(entry: Entry): void {
    this.feed({ kind: "join", entry });
  }

  /** Stops asking for a place. */
  stay(): void {
    this.feed({ kind: "stay" });
  }

  presence(muted: boolean, camera: boolean): void {
    this.feed({ kind: "presence", muted, camera });
  }

  moderate(act: Act, participant = -1): void {
    this.feed({ kind: "moderate", act, participant });
  }

  /** Shows the server this token from now on; in the lobby, asks again what it offers. */
  account(token: string): void {
    this.feed({ kind: "account", token });
  }

  /** Where the page shows its picture, from now on. */
  showIn(place: Place): void {
    this.machine.place = place;
    this.control({ type: "viewer_frame", place });
  }

  leave(): void {
    this.feed({ kind: "leave" });
  }

  /** The network may be back: try now instead of waiting. */
  nudge(): void {
    this.feed({ kind: "nudge" });
  }

  /** The person does not want to wait: another attempt now; in a live call, another peer connection. */
  retry(): void {
    this.feed({ kind: "retry" });
  }

  /** Sends over the data channel; does nothing while there is none. */
  control(message: Message): void {
    if (this.machine.status.phase === "live") this.peer?.control(encode(message));
  }

  private feed(input: Input): void {
    for (const output of this.machine.handle(input, this.transports.now())) this.perform(output);
    clearTimeout(this.timer);
    const wait = this.machine.wakeAt - this.transports.now();
    if (wait < Infinity) this.timer = setTimeout(() => this.feed({ kind: "time" }), Math.max(0, wait));
  }

  private perform(output: Output): void {
    switch (output.kind) {
      case "open-socket":
        this.openSocket();
        break;
      case "close-socket":
        this.closeSocket();
        break;
      case "send":
        this.socket?.send(encode(output.message));
        break;
      case "open-peer":
        this.openPeer(output.iceServers);
        break;
      case "close-peer":
        this.closePeer();
        break;
      case "answer":
        this.peer?.answer(output.sdp);
        break;
      case "send-control":
        this.peer?.control(encode(output.message));
        break;
      case "status":
        this.events.status(output.status);
        break;
      case "told":
        this.events.told(output.message);
        break;
      case "unknown-room":
        this.events.unknownRoom();
        break;
      case "remember":
        this.events.remember(output.seat);
        break;
      case "round-trip":
        this.events.roundTrip(output.milliseconds);
        break;
    }
  }

  private openSocket(): void {
    this.closeSocket();
    const socket = this.transports.socket();
    this.socket = socket;
    socket.onopen = () => this.feed({ kind: "socket-open" });
    socket.onclose = () => this.feed({ kind: "socket-closed" });
    socket.onmessage = ({ data }) => {
      if (typeof data === "string") this.feed({ kind: "socket-text", text: data });
    };
  }

  private closeSocket(): void {
    const socket = this.socket;
    this.socket = null;
    if (!socket) return;
    socket.onopen = socket.onclose = socket.onmessage = null;
    socket.close();
  }

  private openPeer(iceServers: IceServer[]): void {
    this.closePeer();
    const mine = (input: Input): void => {
      if (this.peer === peer) this.feed(input);
    };
    let peer: P | null = null;
    try {
      peer = this.transports.peer(iceServers, {
        offer: (sdp) => mine({ kind: "offer", sdp }),
        state: (state) => mine({ kind: "peer-state", state }),
        controlOpen: () => mine({ kind: "control-open" }),
        controlText: (text) => mine({ kind: "control-text", text }),
        controlClosed: () => mine({ kind: "control-closed" }),
        error: () => mine({ kind: "peer-error" }),
      });
    } catch {
      this.feed({ kind: "peer-error" }); // an ICE server that this browser does not accept
    }
    this.peer = peer;
  }

  private closePeer(): void {
    const peer = this.peer;
    this.peer = null;
    peer?.close();
  }
}
