/** Drives a `Signalling` as a server and a browser would, for tests. */
import { encode, type Lobby, type Message, type Welcome } from "../protocol";
import { Signalling } from "../signalling";
import type { Entry, Output, RememberedSeat } from "../signalling_types";
import { lobby, welcome } from "./messages";

export const ENTRY: Entry = { name: "Ada", avatar: "ada", watch: false };

export const kinds = (outputs: Output[]): string[] =>
  outputs.map((output) => output.kind).filter((kind) => kind !== "status" && kind !== "remember");
export const sent = (outputs: Output[]): Message[] =>
  outputs.flatMap((output) => (output.kind === "send" || output.kind === "send-control" ? [output.message] : []));
export const types = (outputs: Output[]): string[] => sent(outputs).map((message) => message.type);

export class Driver {
  readonly machine: Signalling;
  now = 1000;

  constructor(remembered: RememberedSeat | null = null) {
    this.machine = new Signalling("key", remembered, () => 0);
  }

  get status(): Signalling["status"] {
    return this.machine.status;
  }

  do(input: Parameters<Signalling["handle"]>[0]): Output[] {
    return this.machine.handle(input, this.now);
  }

  hear(message: Message): Output[] {
    return this.do({ kind: "socket-text", text: encode(message) });
  }

  hearControl(message: Message): Output[] {
    return this.do({ kind: "control-text", text: encode(message) });
  }

  /** Lets the next deadline pass. */
  pass(): Output[] {
    this.now = this.machine.wakeAt;
    return this.do({ kind: "time" });
  }

  /** Lets deadlines pass until an output of that kind comes; pings are answered. */
  passUntil(kind: Output["kind"]): Output[] {
    for (let i = 0; i < 200; i++) {
      const outputs = this.passAnswering();
      if (outputs.some((output) => output.kind === kind)) return outputs;
    }
    throw new Error(`no ${kind} came`);
  }

  passAnswering(): Output[] {
    const outputs = this.pass();
    for (const message of sent(outputs)) if (message.type === "ping") this.hearControl({ type: "pong", sent: message.sent });
    return outputs;
  }

  /** From nothing (or a socket that was just opened) to the lobby. */
  greet(change: Partial<Lobby> = {}): Output[] {
    this.do({ kind: "open" });
    this.do({ kind: "socket-open" });
    return this.hear(lobby(change));
  }

  join(entry: Entry = ENTRY): Output[] {
    return this.do({ kind: "join", entry });
  }

  /** From a `Welcome` to a live call. */
  goLive(change: Partial<Welcome> = {}): Output[] {
    this.hear(welcome(change));
    this.do({ kind: "offer", sdp: "offer a=candidate:1" });
    this.hear({ type: "answer", sdp: "answer" });
    const outputs = this.do({ kind: "control-open" });
    this.hearControl({ type: "pong", sent: this.now });
    return outputs;
  }

  /** All the way in. */
  enter(): void {
    this.greet();
    this.join();
    this.goLive();
  }

  /** From a socket that was just opened: the server knows the seat. */
  resume(change: Partial<Welcome> = {}): Output[] {
    this.do({ kind: "socket-open" });
    return this.hear(welcome(change));
  }
}
