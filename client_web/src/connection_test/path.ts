/** A peer connection to the server as a viewer, to see whether it comes about and what goes over it. No DOM but a video element. */
import type { Address } from "../address";
import { encode, type IceServer, PICTURE_LIMIT } from "../protocol";
import { understand } from "../understand";
import type { PathOutcome } from "./checks";
import { Line, LineError } from "./line";

/** Milliseconds: for addresses of one's own, for a relay's answer, for the connection, for pings and for the first picture. */
const GATHER_LIMIT = 2_000;
const RELAY_LIMIT = 7_000;
const LIMIT = 1_000 * PICTURE_LIMIT;
const LOOK_EVERY = 100;
const BEAT_EVERY = 200;
const PINGS = 5;

export interface PathOptions {
  servers: IceServer[];
  /** Only by a relay. */
  relayOnly: boolean;
}

export interface Picture {
  width: number;
  height: number;
  /** Packets of the picture that came. */
  packets: number;
  isReady: boolean;
}

/** `open`, then `picture`, then `close`, which has to be called in any case. */
export class Path {
  private readonly connection: RTCPeerConnection;
  private readonly channel: RTCDataChannel;
  private readonly video = document.createElement("video");
  private line: Line | null = null;
  private beat: ReturnType<typeof setInterval> | undefined;
  private readonly roundTrips: number[] = [];
  private isReady = true;
  /** Of the relay: the last error, as of RTCPeerConnectionIceErrorEvent. */
  private relayError = { code: 0, words: "" };

  constructor(
    private readonly address: Address,
    private readonly options: PathOptions,
  ) {
    this.connection = new RTCPeerConnection({
      iceServers: options.servers,
      iceTransportPolicy: options.relayOnly ? "relay" : "all",
      bundlePolicy: "max-bundle",
    });
    this.connection.onicecandidateerror = ({ errorCode, errorText }) => {
      if (this.relayError.code === 0 || errorCode !== 701) this.relayError = { code: errorCode, words: errorText };
    };
    this.connection.ontrack = ({ track }) => this.show(track);
    this.channel = this.connection.createDataChannel("control", { ordered: true });
    this.channel.onmessage = ({ data }) => this.hear(String(data));
    this.connection.addTransceiver("video", { direction: "recvonly" });
    this.connection.addTransceiver("audio", { direction: "recvonly" });
  }

  /** Connects and pings. */
  async open(): Promise<PathOutcome> {
    try {
      return await this.connect();
    } catch (error) {
      if (!(error instanceof LineError)) return { kind: "no-webrtc" };
      return error.why === "refused" ? { kind: "refused", code: error.code, message: error.message } : { kind: error.why };
    }
  }

  /** Waits for the first picture. */
  async picture(): Promise<Picture> {
    let packets = 0;
    await until(LIMIT, async () => {
      const [decoded, came] = await this.counts();
      packets = came;
      return decoded > 0 && this.video.videoWidth > 0;
    });
    return { width: this.video.videoWidth, height: this.video.videoHeight, packets, isReady: this.isReady };
  }

  close(): void {
    clearInterval(this.beat);
    this.line?.leave();
    this.video.srcObject = null;
    this.connection.close();
  }

  private async connect(): Promise<PathOutcome> {
    await this.connection.setLocalDescription(await this.connection.createOffer());
    const sdp = await this.gather();
    if (!sdp.includes("a=candidate:")) return this.options.relayOnly ? { kind: "no-relay", ...this.relayError } : { kind: "no-network" };
    this.line = await Line.open(this.address.socket);
    await this.line.greet(this.address.key);
    await this.line.watch();
    await this.connection.setRemoteDescription({ type: "answer", sdp: await this.line.offer(sdp) });
    const isOpen = await until(LIMIT, () => this.channel.readyState === "open" || this.connection.connectionState === "failed");
    if (!isOpen || this.channel.readyState !== "open") return { kind: "blocked" };
    this.ping();
    this.beat = setInterval(() => this.ping(), BEAT_EVERY);
    if (!(await until(LIMIT, () => this.roundTrips.length >= PINGS))) return { kind: "blocked" };
    return { kind: "connected", milliseconds: median(this.roundTrips), relayed: await this.isRelayed() };
  }

  /** The complete offer: as soon as there is a relay's address, or all own addresses. */
  private async gather(): Promise<string> {
    const { relayOnly } = this.options;
    const sdp = (): string => this.connection.localDescription?.sdp ?? "";
    const isThere = (): boolean => this.connection.iceGatheringState === "complete" || (relayOnly && sdp().includes(" typ relay"));
    await until(relayOnly ? RELAY_LIMIT : GATHER_LIMIT, isThere);
    return sdp();
  }

  private ping(): void {
    if (this.channel.readyState === "open") this.channel.send(encode({ type: "ping", sent: performance.now() }));
  }

  private hear(text: string): void {
    const message = understand(text);
    if (message?.type === "pong") this.roundTrips.push(Math.max(0, performance.now() - message.sent));
    else if (message?.type === "stats") this.isReady = message.ready;
  }

  private show(track: MediaStreamTrack): void {
    if (track.kind !== "video") return;
    this.video.muted = this.video.playsInline = true;
    this.video.srcObject = new MediaStream([track]);
    this.video.play().catch(() => undefined);
  }

  /** Pictures decoded and packets received, of the picture. */
  private async counts(): Promise<[number, number]> {
    let [decoded, packets] = [0, 0];
    (await this.connection.getStats()).forEach((entry: { type: string; kind?: string; framesDecoded?: number; packetsReceived?: number }) => {
      if (entry.type !== "inbound-rtp" || entry.kind !== "video") return;
      decoded += entry.framesDecoded ?? 0;
      packets += entry.packetsReceived ?? 0;
    });
    return [decoded, packets];
  }

  /** Whether the pair in use (RFC 8445, 8.1.1) goes by this browser's relay. */
  private async isRelayed(): Promise<boolean> {
    const report = await this.connection.getStats();
    const local = new Set<string>();
    let used = "";
    report.forEach((entry: { type: string; id: string; candidateType?: string; nominated?: boolean; state?: string; localCandidateId?: string }) => {
      if (entry.type === "local-candidate" && entry.candidateType === "relay") local.add(entry.id);
      if (entry.type === "candidate-pair" && entry.nominated && entry.state === "succeeded") used = entry.localCandidateId ?? "";
    });
    return local.has(used);
  }
}

/** Asks again and again -> whether it was so within the limit. */
async function until(limit: number, isSo: () => boolean | Promise<boolean>): Promise<boolean> {
  const end = performance.now() + limit;
  while (!(await isSo())) {
    if (performance.now() >= end) return false;
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY));
  }
  return true;
}

function median(values: number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
