// A viewer of a room without a browser: protocol 2 over `ws`, media by werift (WebRTC written in TypeScript).
//
//   node peer.mjs '{"url": "ws://...", "key": "...", "codec": "VP8", "camera": {...}}'
//
// Writes one JSON object a line: {"frame": base64} for each encoded picture from the first keyframe on, {"told": message} for what the
// server said, {"state": ...} of the peer connection, {"voice": mid} for the first packet on each line of sound. Ends with its input.
import { createInterface } from "node:readline";
import { H264RtpPayload, RTCPeerConnection, useH264, useOPUS, useVP8, Vp8RtpPayload } from "werift";
import WebSocket from "ws";

const SOUND_LINES = 7;
const { url, key, codec, camera } = JSON.parse(process.argv[2]);
const codecs = { VP8: [useVP8, Vp8RtpPayload], H264: [useH264, H264RtpPayload] };
const [useCodec, Payload] = codecs[codec];

const write = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const socket = new WebSocket(url);
const say = (message) => socket.send(JSON.stringify(message));
const pc = new RTCPeerConnection({ bundlePolicy: "max-bundle", codecs: { video: [useCodec()], audio: [useOPUS()] } });

pc.connectionStateChange.subscribe((state) => write({ state }));
const channel = pc.createDataChannel("control", { ordered: true });
channel.stateChanged.subscribe((state) => {
  if (state !== "open") return;
  channel.send(JSON.stringify({ type: "viewer_camera", ...camera }));
  setInterval(() => channel.send(JSON.stringify({ type: "ping", sent: performance.now() })), 200);
});
channel.onMessage.subscribe((data) => write({ told: JSON.parse(data.toString()) }));

const video = pc.addTransceiver("video", { direction: "recvonly" });
video.onTrack.subscribe((track) => {
  let parts = [], fragment, begun = false;
  track.onReceiveRtp.subscribe((packet) => {
    const read = Payload.deSerialize(packet.payload, fragment);
    fragment = read.fragment;
    begun ||= read.isKeyframe;
    if (read.payload) parts.push(read.payload);
    if (!packet.header.marker) return;
    if (begun) write({ frame: Buffer.concat(parts).toString("base64") });
    parts = [];
  });
  setInterval(() => video.receiver.sendRtcpPLI(track.ssrc), 1000);
});
for (let line = 0; line < SOUND_LINES; line++) {
  const sound = pc.addTransceiver("audio", { direction: "recvonly" });
  sound.onTrack.subscribe((track) => track.onReceiveRtp.once(() => write({ voice: sound.mid })));
}

async function heard(message) {
  write({ told: message });
  if (message.type === "lobby") say({ type: "join", watch: true });
  if (message.type === "welcome") {
    await pc.setLocalDescription(await pc.createOffer());
    if (pc.iceGatheringState !== "complete") await pc.iceGatheringStateChange.watch((state) => state === "complete");
    say({ type: "offer", sdp: pc.localDescription.sdp });
  }
  if (message.type === "answer") await pc.setRemoteDescription({ type: "answer", sdp: message.sdp });
}

socket.on("open", () => say({ type: "hello", key, version: 2 }));
socket.on("message", (data) => void heard(JSON.parse(data.toString())));
createInterface({ input: process.stdin }).on("close", async () => {
  say({ type: "bye" });
  await pc.close();
  process.exit(0);
});
