/**
 * How long an offer waits for the addresses (ICE candidates, RFC 8445) of this browser. What is found later is not sent. No
 * browser objects; times in milliseconds since the gathering began.
 */
import type { IceServer } from "./protocol";

/** Candidates found later than this are not worth the wait: the server's own reach the page in any case. */
export const GATHER_LIMIT = 2_000;
/** Where a relay may be the only way, its first candidate is: a TURN server over TCP or TLS takes some round trips. */
export const RELAY_LIMIT = 6_000;

/** Of an RTCIceCandidate; null: the browser does not say. */
export type CandidateType = "host" | "srflx" | "prflx" | "relay" | null;

export class Gathering {
  private readonly hasRelays: boolean;
  private readonly found = new Set<CandidateType>();
  private isComplete = false;

  /** `wasBlocked`: the last attempt's media did not connect, so that no direct way is to be relied on. */
  constructor(
    iceServers: IceServer[],
    private readonly wasBlocked: boolean,
  ) {
    this.hasRelays = iceServers.some(({ urls }) => urls.some((url) => /^turns?:/i.test(url)));
  }

  add(type: CandidateType): void {
    this.found.add(type);
  }

  complete(): void {
    this.isComplete = true;
  }

  /** When to make the offer, as it stands now. */
  get limit(): number {
    if (this.isComplete) return 0;
    if (!this.hasRelays || this.found.has("relay")) return GATHER_LIMIT;
    // A STUN answer shows that UDP leads out of this network.
    return this.found.has("srflx") && !this.wasBlocked ? GATHER_LIMIT : RELAY_LIMIT;
  }
}
