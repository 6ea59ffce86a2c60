/** The connection test as a state machine without a browser: which check runs next, what each came to, and what that means. */
import type { Trouble } from "../media_errors";
import type { IceServer, Lobby } from "../protocol";
import * as say from "./sentences";

/** waiting: its turn has not come; untested: `text` says why not. */
export type State = "waiting" | "running" | "passed" | "failed" | "untested";
export type Kind = "page" | "signalling" | "camera" | "microphone" | "direct" | "relay" | "sending" | "receiving";

export interface Check {
  kind: Kind;
  title: string;
  state: State;
  /** What was found, or what to do, in one sentence; empty while it waits. */
  text: string;
  /** The only server of a relay's check: one URL. */
  relay?: IceServer;
}

/** How a peer connection to the server came out. `milliseconds`: of its first answered ping. `code`: of the relay (RFC 8656, 19). */
export type PathOutcome =
  | { kind: "connected"; milliseconds: number; relayed: boolean }
  | { kind: "no-webrtc" | "no-network" | "blocked" | "silent" | "unreachable" }
  | { kind: "no-relay"; code: number; words: string }
  | { kind: "refused"; code: string; message: string };

/** Codes of a `Failure` that says nothing about the network: there is only no place for one more. */
const NO_PLACE = ["full", "busy", "locked"];

export type Result =
  | { kind: "page"; isSecure: boolean }
  | { kind: "greeted"; lobby: Lobby; milliseconds: number }
  | { kind: "not-greeted"; why: "unreachable" | "silent" | "refused"; message: string }
  | { kind: "device"; trouble: Trouble | null; label: string }
  /** The browser's question for the device was not answered. */
  | { kind: "unanswered" }
  | { kind: "path"; outcome: PathOutcome }
  | { kind: "sent"; outcome: PathOutcome }
  | { kind: "received"; width: number; height: number; packets: number; isReady: boolean }
  /** The check itself went wrong or took too long. */
  | { kind: "broken" };

export class ConnectionTest {
  readonly checks: Check[] = [
    check("page", "Secure page"),
    check("signalling", "Connection to the server"),
    check("camera", "Camera"),
    check("microphone", "Microphone"),
    check("direct", "Picture and sound over UDP"),
    check("sending", "Sending"),
    check("receiving", "Receiving"),
  ];
  lobby: Lobby | null = null;
  /** How the connection of "sending", made as a call makes it, went. */
  call: PathOutcome | null = null;
  /** The server's sentence, where it did not take the test in as a viewer. */
  private refusal = "";

  get isOver(): boolean {
    return this.checks.every(({ state }) => state !== "waiting" && state !== "running");
  }

  /** The check that runs from now on; null when all are over. */
  next(): Check | null {
    for (const check of this.checks) {
      if (check.state !== "waiting") continue;
      const reason = this.whyNot(check.kind);
      if (reason === "") {
        check.state = "running";
        return check;
      }
      end(check, "untested", reason);
    }
    return null;
  }

  /** What the running check came to. */
  done(result: Result): void {
    const check = this.checks.find(({ state }) => state === "running");
    if (!check) return;
    switch (result.kind) {
      case "page":
        return result.isSecure ? end(check, "passed", say.SECURE) : end(check, "failed", say.INSECURE);
      case "greeted":
        end(check, "passed", say.greeted(result.milliseconds));
        return this.greeted(result.lobby);
      case "not-greeted":
        return end(check, "failed", say.notGreeted(result.why, result.message));
      case "device":
        return result.trouble ? end(check, "failed", result.trouble.sentence) : end(check, "passed", say.device(result.label));
      case "unanswered":
        return end(check, "untested", say.unanswered(check.kind));
      case "path":
        return this.path(check, result.outcome);
      case "sent":
        this.call = result.outcome;
        return result.outcome.kind === "connected"
          ? end(check, "passed", say.sent(result.outcome.milliseconds, result.outcome.relayed))
          : this.path(check, result.outcome);
      case "received":
        return result.width > 0 ? end(check, "passed", say.received(result.width, result.height)) : end(check, "failed", say.notReceived(result));
      case "broken":
        return end(check, "failed", say.BROKEN);
    }
  }

  of(kind: Kind): Check[] {
    return this.checks.filter((check) => check.kind === kind);
  }

  state(kind: Kind): State {
    return this.of(kind)[0]?.state ?? "waiting";
  }

  /** Whether whoever opened the link sends picture and sound. */
  get sends(): boolean {
    return this.lobby?.role !== "viewer";
  }

  private greeted(lobby: Lobby): void {
    this.lobby = lobby;
    const at = this.checks.findIndex(({ kind }) => kind === "sending");
    this.checks.splice(at, 0, ...lobby.ice_servers.flatMap(relaysOf).map((relay) => ({ ...check("relay", say.relayTitle(relay)), relay })));
    const page = this.of("page")[0];
    if (!this.sends && page?.state === "failed") end(page, "untested", say.ONLY_WATCHES);
  }

  private path(check: Check, outcome: PathOutcome): void {
    if (outcome.kind === "connected") end(check, "passed", say.connected(check.kind, outcome.milliseconds));
    else if (outcome.kind === "refused" && NO_PLACE.includes(outcome.code)) {
      this.refusal = outcome.message;
      end(check, "untested", say.refused(outcome.message));
    } else end(check, "failed", check.relay ? say.relayFailed(outcome, check.relay) : say.pathFailed(outcome, this.of("relay").length > 0));
  }

  /** Why a check cannot be made; empty when it can. */
  private whyNot(kind: Kind): string {
    const isDevice = kind === "camera" || kind === "microphone";
    if (isDevice && !this.sends) return say.ONLY_WATCHES;
    if (isDevice && this.state("page") === "failed") return say.NOT_SECURE;
    if (isDevice || kind === "page" || kind === "signalling") return "";
    if (this.state("signalling") === "failed") return say.NO_SERVER;
    if (this.refusal !== "") return say.refused(this.refusal);
    if (kind === "sending" && !this.hasPath) return say.NO_PATH;
    if (kind === "receiving" && this.state("sending") !== "passed") return say.NO_PATH;
    return "";
  }

  private get hasPath(): boolean {
    return [...this.of("direct"), ...this.of("relay")].some(({ state }) => state === "passed");
  }
}

/** Each relay of a server by its own URL. */
function relaysOf({ urls, username, credential }: IceServer): IceServer[] {
  return urls.filter((url) => /^turns?:/i.test(url)).map((url) => ({ urls: [url], username, credential }));
}

/** The servers that find this browser's own address. */
export function withoutRelays(servers: IceServer[]): IceServer[] {
  return servers.map((server) => ({ ...server, urls: server.urls.filter((url) => !/^turns?:/i.test(url)) })).filter(({ urls }) => urls.length > 0);
}

function check(kind: Kind, title: string): Check {
  return { kind, title, state: "waiting", text: "" };
}

function end(check: Check, state: State, text: string): void {
  check.state = state;
  check.text = text;
}
