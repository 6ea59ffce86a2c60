// In a room without a browser: protocol 2 over `ws`, media by werift (WebRTC written in TypeScript).
//
//   node peer.mjs '{"url": "ws://...", "key": "...", "codec": "VP8", "avatar": "...", "camera": {...}}'
//
// With an avatar it is a participant, who sends back what comes: the picture as webcam, the first voice as microphone.
//
// Writes one JSON object a line: {"frame": base64} for each encoded picture from the first keyframe on, {"told": message} for what the
// server said, {"state": ...} of the peer connection, {"voice": mid} for the first packet on each line of sound. Ends with its input.
import { createInterface } from "node:readline";
import { H264RtpPayload, MediaStreamTrack, RTCPeerConnection, useH264, useOPUS, useVP8, Vp8RtpPayload } from "werift";
import WebSocket from "ws";

const SOUND_LINES = 7;
const { url, key, codec, avatar, camera } = JSON.parse(process.argv[2]);
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

const [webcam, microphone] = avatar ? [new MediaStreamTrack({ kind: "video" }), new MediaStreamTrack({ kind: "audio" })] : [];
const video = pc.addTransceiver(webcam ?? "video", { direction: webcam ? "sendrecv" : "recvonly" });
if (microphone) pc.addTransceiver(microphone, { direction: "sendonly" });
video.onTrack.subscribe((track) => {
  let parts = [], fragment, begun = false;
  track.onReceiveRtp.subscribe((packet) => {
    webcam?.writeRtp(packet.clone());
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
  sound.onTrack.subscribe((track) => {
    track.onReceiveRtp.once(() => write({ voice: sound.mid }));
    track.onReceiveRtp.subscribe((packet) => microphone?.writeRtp(packet.clone()));
  });
}

async function heard(message) {
  write({ told: message });
  if (message.type === "lobby") say({ type: "join", name: "werift", avatar, watch: !avatar });
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
