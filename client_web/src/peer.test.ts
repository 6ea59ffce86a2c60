import { afterEach, expect, it, vi } from "vitest";
import { Peer } from "./peer";

afterEach(() => vi.unstubAllGlobals());

class Connection {
  static newest: Connection;
  readonly sent: string[] = [];
  ontrack: ((event: object) => void) | null = null;

  constructor() {
    Connection.newest = this;
  }
  createDataChannel = () => ({ readyState: "open", send: (text: string) => this.sent.push(text) });
  addTransceiver = () => ({ sender: {} });
  createOffer = () => new Promise(() => undefined);
  addEventListener = () => undefined;
}

it("tells the server when pictures begin to wait for voices, and when they no longer do", () => {
  vi.stubGlobal("RTCPeerConnection", Connection);
  vi.stubGlobal("RTCRtpReceiver", { getCapabilities: () => null });
  const events = { track: () => undefined, error: () => undefined, state: () => undefined } as unknown as ConstructorParameters<typeof Peer>[4];
  const peer = new Peer(false, [], false, { video: null, audio: null }, events);
  const picture = { jitterBufferTarget: null };
  Connection.newest.ontrack?.({ track: { kind: "video" }, receiver: picture, transceiver: { mid: "0" } });
  const heard = [];
  for (const waited of [80, 260, 300, 320, 100]) {
    peer.syncLips(waited);
    heard.push([picture.jitterBufferTarget, Connection.newest.sent.length]);
  }
  expect(heard).toEqual([[0, 0], [100, 1], [140, 1], [140, 1], [0, 2]]);
  expect(Connection.newest.sent.map((text) => JSON.parse(text) as object)).toEqual([{ type: "picture_held", held: true }, { type: "picture_held", held: false }]);
});
