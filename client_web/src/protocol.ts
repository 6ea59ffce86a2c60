// Generated from server/call/protocol.py by `python -m server.call.generate_protocol`. Change that file, not this one.

export const VERSION = 1;
export const MAX_MESSAGE = 98304;

/** Of `Camera`: radians, metres. The server keeps every camera within. */
export const MAX_PITCH = 1.3962634015954636;
export const MIN_DISTANCE = 0.35;
export const MAX_DISTANCE = 3.0;

export type Role = "person" | "viewer";

/** As RTCIceServer of W3C webrtc. */
export interface IceServer {
  urls: string[];
  username: string;
  credential: string;
}

/** First message on the socket. `key` is the last part of the page's address; `resume` a token from an earlier `Welcome`. `keep_media`: the peer connection of that place is well, only its socket was lost; leave it as it is. */
export interface Hello {
  type: "hello";
  role: "person" | "viewer";
  key: string;
  resume: string;
  version: number;
  keep_media: boolean;
}

/** The page's complete SDP offer (candidates included). */
export interface Offer {
  type: "offer";
  sdp: string;
}

/** The page leaves on purpose: its place is freed at once. */
export interface Bye {
  type: "bye";
}

/** The place was given. `viewer_url`: address for others, empty for a viewer. `heartbeat`: seconds between pings. `media_kept`: the peer connection goes on, as `Hello.keep_media` asked; else an offer is awaited. */
export interface Welcome {
  type: "welcome";
  resume: string;
  viewer_url: string;
  ice_servers: IceServer[];
  heartbeat: number;
  media_kept: boolean;
}

/** The server's complete SDP answer. */
export interface Answer {
  type: "answer";
  sdp: string;
}

/** One sentence for the person. `code`: taken, full, not_found, bad_message, media, internal. `final`: do not reconnect. `retry_after`: when not final, seconds to wait before the next attempt; 0 leaves it to the page's own schedule. */
export interface Failure {
  type: "failure";
  code: string;
  message: string;
  final: boolean;
  retry_after: number;
}

/** Who is here; sent when it changes. */
export interface RoomState {
  type: "room_state";
  person: boolean;
  viewers: number;
}

/** Where this page looks from: orbit angles in radians (yaw 0 faces the avatar, positive towards its left), metres. */
export interface Camera {
  type: "camera";
  yaw: number;
  pitch: number;
  distance: number;
}

/** Heartbeat; `sent` is the page's clock in milliseconds and comes back as it is. */
export interface Ping {
  type: "ping";
  sent: number;
}

/** Take the person's face in the next second as neutral. */
export interface Recalibrate {
  type: "recalibrate";
}

/** Answer to `Ping`. */
export interface Pong {
  type: "pong";
  sent: number;
}

/** Once a second. `fps`: avatar frames rendered for this page. `stages`: stage name -> milliseconds, median of the last second (decode, track, solve, pose, splat, encode, total). `bitrate`: bits a second sent to this page. `face`: whether a face is seen. `calibrating`: whether the neutral face is being taken. `ready`: whether the avatar is loaded; without it no picture changes. */
export interface Stats {
  type: "stats";
  fps: number;
  stages: Record<string, number>;
  bitrate: number;
  face: boolean;
  calibrating: boolean;
  ready: boolean;
}

export type Message =
  | Hello
  | Offer
  | Bye
  | Welcome
  | Answer
  | Failure
  | RoomState
  | Camera
  | Ping
  | Recalibrate
  | Pong
  | Stats;

export class ProtocolError extends Error {}

/** A message as JSON text. */
export function encode(message: Message): string {
  return JSON.stringify(message);
}

/** JSON text as a message, missing fields filled with their defaults. Throws `ProtocolError` for anything else. */
export function decode(text: string): Message {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    throw new ProtocolError("a JSON object was expected, the message is not JSON");
  }
  if (!isObject(data) || typeof data.type !== "string" || !Object.hasOwn(MESSAGES, data.type)) {
    throw new ProtocolError(`a message with one of the types ${Object.keys(MESSAGES).join(", ")} was expected`);
  }
  const shape = MESSAGES[data.type as keyof typeof MESSAGES];
  return { type: data.type, ...build(shape, data, data.type) } as unknown as Message;
}

type Check = (value: unknown, where: string) => unknown;
interface Field {
  check: Check;
  fallback?: () => unknown;
}
type Shape = Record<string, Field>;

function build(shape: Shape, data: Record<string, unknown>, where: string): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(shape)) {
    if (Object.hasOwn(data, name)) result[name] = field.check(data[name], `${where}.${name}`);
    else if (field.fallback) result[name] = field.fallback();
    else throw new ProtocolError(`${where} needs ${name}, which is missing`);
  }
  return result;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function refuse(where: string, expected: string): never {
  throw new ProtocolError(`${where} should be ${expected}; it is not`);
}

const text: Check = (value, where) => (typeof value === "string" ? value : refuse(where, "text"));
const flag: Check = (value, where) => (typeof value === "boolean" ? value : refuse(where, "true or false"));
const number: Check = (value, where) => (Number.isFinite(value) ? value : refuse(where, "a finite number"));
const integer: Check = (value, where) => (Number.isSafeInteger(value) ? value : refuse(where, "an integer"));

function oneOf(...choices: string[]): Check {
  return (value, where) => (choices.includes(value as string) ? value : refuse(where, choices.join(" or ")));
}

function list(item: Check): Check {
  return (value, where) => (Array.isArray(value) ? value.map((v) => item(v, where)) : refuse(where, "a list"));
}

function table(item: Check): Check {
  return (value, where) =>
    isObject(value)
      ? Object.fromEntries(Object.entries(value).map(([k, v]) => [k, item(v, `${where}.${k}`)]))
      : refuse(where, "an object");
}

function object(shape: Shape): Check {
  return (value, where) => (isObject(value) ? build(shape, value, where) : refuse(where, "an object"));
}

const iceServerShape: Shape = {
  urls: { check: list(text) },
  username: { check: text, fallback: () => "" },
  credential: { check: text, fallback: () => "" },
};

const MESSAGES = {
  hello: {
    role: { check: oneOf("person", "viewer") },
    key: { check: text, fallback: () => "" },
    resume: { check: text, fallback: () => "" },
    version: { check: integer, fallback: () => 1 },
    keep_media: { check: flag, fallback: () => false },
  },
  offer: {
    sdp: { check: text },
  },
  bye: {},
  welcome: {
    resume: { check: text },
    viewer_url: { check: text, fallback: () => "" },
    ice_servers: { check: list(object(iceServerShape)), fallback: () => [] },
    heartbeat: { check: number, fallback: () => 1.0 },
    media_kept: { check: flag, fallback: () => false },
  },
  answer: {
    sdp: { check: text },
  },
  failure: {
    code: { check: text },
    message: { check: text },
    final: { check: flag, fallback: () => true },
    retry_after: { check: number, fallback: () => 0.0 },
  },
  room_state: {
    person: { check: flag },
    viewers: { check: integer },
  },
  camera: {
    yaw: { check: number },
    pitch: { check: number },
    distance: { check: number },
  },
  ping: {
    sent: { check: number },
  },
  recalibrate: {},
  pong: {
    sent: { check: number },
  },
  stats: {
    fps: { check: number },
    stages: { check: table(number) },
    bitrate: { check: number },
    face: { check: flag },
    calibrating: { check: flag, fallback: () => false },
    ready: { check: flag, fallback: () => true },
  },
} satisfies Record<Message["type"], Shape>;
