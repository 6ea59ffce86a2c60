/** One RTCPeerConnection to the server, from offer to close. No DOM. */
import { Gathering } from "./gathering";
import { pictureWait } from "./lip_sync";
import { encode, type IceServer, MAX_SOUND_LINES } from "./protocol";
import type { PeerEvents, PeerLike } from "./session";

/** Bytes of drive frames that may wait to be sent; those that come then are late already, and dropped. */
const MAX_WAITING = 32 * 1024;
/** What the server decodes, best first. Others stay behind them, for a server that knows more. */
const CODECS = ["video/vp8", "video/h264"];

export type Kind = "audio" | "video";
export type LocalTracks = Record<Kind, MediaStreamTrack | null>;

export class Peer implements PeerLike {
  private readonly connection: RTCPeerConnection;
  private readonly channel: RTCDataChannel;
  private readonly frames: RTCDataChannel;
  private readonly senders = new Map<Kind, RTCRtpSender>();
  private picture: (RTCRtpReceiver & { jitterBufferTarget?: number | null }) | null = null;
  /** Milliseconds that pictures wait at the least before they are shown: this is a conversation, and the picture follows one's own face. */
  private pictureWait = 0;

  constructor(
    /** Sends camera and microphone; else only watches and listens. */
    isParticipant: boolean,
    private readonly iceServers: IceServer[],
    /** Whether the media of the last attempt did not connect. */
    private readonly wasBlocked: boolean,
    tracks: LocalTracks,
    private readonly events: PeerEvents & {
      /** `mid`: of the media section that it came on. */
      track(track: MediaStreamTrack, mid: string): void;
      /** A binary message of the channel `drive`: see drive/wire.ts. */
      driven(data: ArrayBuffer): void;
    },
  ) {
    this.connection = new RTCPeerConnection({ iceServers, bundlePolicy: "max-bundle" });
    this.connection.onconnectionstatechange = () => events.state(this.connection.connectionState);
    this.connection.ontrack = ({ track, receiver, transceiver }) => {
      if (track.kind === "video") this.picture = receiver;
      this.holdPicture(this.pictureWait);
      events.track(track, transceiver.mid ?? "");
    };
    this.channel = this.connection.createDataChannel("control", { ordered: true });
    this.channel.onopen = () => events.controlOpen();
    this.channel.onclose = () => events.controlClosed();
    this.channel.onmessage = ({ data }) => {
      if (typeof data === "string") events.controlText(data);
    };
    this.frames = this.connection.createDataChannel("drive", { ordered: false, maxRetransmits: 0 });
    this.frames.binaryType = "arraybuffer";
    this.frames.onmessage = ({ data }) => {
      if (data instanceof ArrayBuffer) events.driven(data);
    };
    this.add("video", isParticipant ? "sendrecv" : "recvonly", isParticipant ? tracks.video : null);
    if (isParticipant) this.add("audio", "sendonly", tracks.audio);
    for (let line = 0; line < MAX_SOUND_LINES; line++) this.connection.addTransceiver("audio", { direction: "recvonly" });
    this.offer().catch(() => events.error());
  }

  answer(sdp: string): void {
    this.connection
      .setRemoteDescription({ type: "answer", sdp })
      .then(() => this.keepFrameRate())
      .catch(() => this.events.error());
  }

  control(text: string): void {
    if (this.channel.readyState === "open") this.channel.send(text);
  }

  /** Sends a message of drive/wire.ts; it is lost where the channel is not open or does not keep up. */
  drive(bytes: Uint8Array<ArrayBuffer> | ArrayBuffer): void {
    if (this.frames.readyState === "open" && this.frames.bufferedAmount < MAX_WAITING) this.frames.send(bytes as ArrayBuffer);
  }

  /** Sends another track, or none, without a new offer. */
  async replace(kind: Kind, track: MediaStreamTrack | null): Promise<void> {
    await this.senders.get(kind)?.replaceTrack(track);
  }

  /** Lets pictures wait for voices that come late; see lip_sync.ts. */
  syncLips(voicesWaited: number | null): void {
    const wait = pictureWait(voicesWaited, this.pictureWait);
    if (wait !== this.pictureWait) this.holdPicture(wait);
  }

  report(): Promise<RTCStatsReport> {
    return this.connection.getStats();
  }

  close(): void {
    const { connection } = this;
    connection.onconnectionstatechange = connection.ontrack = connection.onicecandidate = connection.onicegatheringstatechange = null;
    this.channel.onopen = this.channel.onclose = this.channel.onmessage = this.frames.onmessage = null;
    this.connection.close();
  }

  private holdPicture(milliseconds: number): void {
    if (milliseconds > 0 !== this.pictureWait > 0) this.control(encode({ type: "picture_held", held: milliseconds > 0 }));
    this.pictureWait = milliseconds;
    if (this.picture && "jitterBufferTarget" in this.picture) this.picture.jitterBufferTarget = milliseconds;
  }

  private add(kind: Kind, direction: RTCRtpTransceiverDirection, track: MediaStreamTrack | null): void {
    const transceiver = this.connection.addTransceiver(track ?? kind, { direction });
    if (direction !== "recvonly") this.senders.set(kind, transceiver.sender);
    if (kind === "video") preferCodecs(transceiver);
  }

  private async offer(): Promise<void> {
    const gathered = this.gathered();
    await this.connection.setLocalDescription(await this.connection.createOffer());
    await gathered;
    const sdp = this.connection.localDescription?.sdp;
    if (sdp !== undefined && this.connection.signalingState !== "closed") this.events.offer(sdp);
  }

  /** Resolves when the offer has waited long enough for candidates. */
  private gathered(): Promise<void> {
    const { connection } = this;
    const gathering = new Gathering(this.iceServers, this.wasBlocked);
    const begun = performance.now();
    return new Promise((resolve) => {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const settle = (): void => {
        clearTimeout(timer);
        timer = setTimeout(resolve, Math.max(0, begun + gathering.limit - performance.now()));
      };
      connection.onicecandidate = ({ candidate }) => {
        if (!candidate) return;
        gathering.add(candidate.type);
        settle();
      };
      connection.onicegatheringstatechange = () => {
        if (connection.iceGatheringState === "complete") gathering.complete();
        settle();
      };
      settle();
    });
  }

  /** A tracker would rather have fewer pixels than fewer pictures. Browsers without the setting keep their own balance. */
  private async keepFrameRate(): Promise<void> {
    const sender = this.senders.get("video");
    if (!sender) return;
    try {
      await sender.setParameters({ ...sender.getParameters(), degradationPreference: "maintain-framerate" });
    } catch {
      // Safari and older Firefox refuse the member; the call works without it.
    }
  }
}

function preferCodecs(transceiver: RTCRtpTransceiver): void {
  const codecs = RTCRtpReceiver.getCapabilities?.("video")?.codecs;
  if (!codecs || !("setCodecPreferences" in transceiver)) return;
  const rank = (codec: { mimeType: string }): number => {
    const place = CODECS.indexOf(codec.mimeType.toLowerCase());
    return place < 0 ? CODECS.length : place;
  };
  transceiver.setCodecPreferences([...codecs].sort((a, b) => rank(a) - rank(b)));
}
