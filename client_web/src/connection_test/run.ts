/** Makes the checks of a connection test one after the other, in a browser. */
import type { Address } from "../address";
import type { IceServer } from "../protocol";
import { type Check, type ConnectionTest, type Result, withoutRelays } from "./checks";
import { tryDevice } from "./device";
import { Line, LineError } from "./line";
import { Path } from "./path";

/** Milliseconds after which a check is given up, whatever it does. */
const CHECK_LIMIT = 40_000;

/** `changed`: called after every step. */
export async function runTest(test: ConnectionTest, address: Address, changed: (check: Check) => void): Promise<void> {
  const probes = new Probes(address, test);
  try {
    for (let check = test.next(); check; check = test.next()) {
      changed(check);
      test.done(await withLimit(probes.make(check)));
      changed(check);
    }
  } finally {
    probes.close();
  }
}

class Probes {
  /** The connection of "sending", which "receiving" looks at. */
  private call: Path | null = null;

  constructor(
    private readonly address: Address,
    private readonly test: ConnectionTest,
  ) {}

  async make(check: Check): Promise<Result> {
    const servers = this.test.lobby?.ice_servers ?? [];
    switch (check.kind) {
      case "page":
        return { kind: "page", isSecure: isSecureContext && navigator.mediaDevices !== undefined };
      case "signalling":
        return this.greet();
      case "camera":
        return tryDevice("video");
      case "microphone":
        return tryDevice("audio");
      case "direct":
        return this.path(withoutRelays(servers), false);
      case "relay":
        return this.path(check.relay ? [check.relay] : [], true);
      case "sending":
        this.call = new Path(this.address, { servers, relayOnly: false });
        return { kind: "sent", outcome: await this.call.open() };
      case "receiving":
        return this.call ? { kind: "received", ...(await this.call.picture()) } : { kind: "broken" };
    }
  }

  close(): void {
    this.call?.close();
  }

  private async greet(): Promise<Result> {
    const start = performance.now();
    let line: Line | null = null;
    try {
      line = await Line.open(this.address.socket);
      const lobby = await line.greet(this.address.key);
      return { kind: "greeted", lobby, milliseconds: performance.now() - start };
    } catch (error) {
      if (!(error instanceof LineError)) throw error;
      return { kind: "not-greeted", why: error.why, message: error.message };
    } finally {
      line?.leave();
    }
  }

  private async path(servers: IceServer[], relayOnly: boolean): Promise<Result> {
    if (typeof RTCPeerConnection === "undefined") return { kind: "path", outcome: { kind: "no-webrtc" } };
    const path = new Path(this.address, { servers, relayOnly });
    try {
      return { kind: "path", outcome: await path.open() };
    } finally {
      path.close();
    }
  }
}

async function withLimit(work: Promise<Result>): Promise<Result> {
  const late = new Promise<Result>((resolve) => setTimeout(() => resolve({ kind: "broken" }), CHECK_LIMIT));
  return Promise.race([work, late]).catch(() => ({ kind: "broken" }));
}
