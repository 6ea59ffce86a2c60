// Generated from server/call/protocol.py by `python -m server.call.generate_protocol`. Change that file, not this one.

export const VERSION = 2;
export const MAX_MESSAGE = 98304;
export const MAX_NAME = 40;
export const MAX_SOUND_LINES = 7;
export const MAX_ROOM = 16384;
export const CONNECT_LIMIT = 15.0;
export const SILENCE_LIMIT = 6.0;
export const PICTURE_LIMIT = 8.0;
export const MAX_PITCH = 1.3962634015954636;
export const MIN_DISTANCE = 0.35;
export const MAX_DISTANCE = 3.0;

export type Role = "host" | "person" | "viewer";
export type Act = "mute" | "remove" | "lock" | "unlock" | "end";
export type Background = "white" | "dark" | "grey" | "sand" | "sage" | "sky";

/** sRGB, as the server draws them. */
export const BACKGROUNDS: Record<Background, readonly [number, number, number]> = { white: [255, 255, 255], dark: [17, 20, 19], grey: [128, 128, 128], sand: [232, 220, 202], sage: [196, 210, 200], sky: [192, 210, 228] };

/** Where the page shows its picture. width, height: pixels of the screen, 0: the configured size. background: what is behind the people. mask: whether the page puts something else there, and needs to know where the people are; below the picture is then a band of half its height with their opacity, every second row of it, from black to white. seen: whether anybody looks; no pictures are made else. draws: the page draws by itself, from drive frames; no pictures are made for it meanwhile. */
export interface Place {
  width: number;
  height: number;
  background: "white" | "dark" | "grey" | "sand" | "sage" | "sky";
  mask: boolean;
  seen: boolean;
  draws: boolean;
}

/** An avatar of this server. preview: address of its picture, empty without one. */
export interface AvatarInfo {
  id: string;
  name: string;
  preview: string;
}

/** As RTCIceServer of W3C webrtc. */
export interface IceServer {
  urls: string[];
  username: string;
  credential: string;
}

/** Somebody with a seat. seated: the avatar is loaded and can be seen. web_avatar: address of what a page needs to draw it, while it is in the room; it changes with the avatar, and is empty where there is none. */
export interface Participant {
  id: number;
  name: string;
  host: boolean;
  seated: boolean;
  muted: boolean;
  camera: boolean;
  web_avatar: string;
}

/** Where a participant is in the page's picture: a box in parts of its width and height, from the top left corner. */
export interface Label {
  participant: number;
  left: number;
  top: number;
  width: number;
  height: number;
}

/** First message on the socket. `key` is the last part of the page's address, a link's key or a room token; `resume` a token from an earlier `Welcome`. `keep_media`: the peer connection of that seat is well, only its socket was lost; leave it as it is. `token`: of an account or a guest, whose own avatars are offered too. */
export interface Hello {
  type: "hello";
  key: string;
  resume: string;
  version: number;
  keep_media: boolean;
  token: string;
}

/** Come in: with an avatar (its id), or to watch. `order`: where the page's seat was before the server was started again, -1 at first. */
export interface Join {
  type: "join";
  name: string;
  avatar: string;
  watch: boolean;
  order: number;
  muted: boolean;
}

/** The page's complete SDP offer (candidates included). place: of the picture, at first. */
export interface Offer {
  type: "offer";
  sdp: string;
  place: Place;
}

/** Whether the participant's own microphone and camera are on. The server keeps a muted voice back. */
export interface Presence {
  type: "presence";
  muted: boolean;
  camera: boolean;
}

/** The host acts: mute or remove a participant; lock, unlock or end the room (participant -1). */
export interface Moderate {
  type: "moderate";
  act: "mute" | "remove" | "lock" | "unlock" | "end";
  participant: number;
}

/** The page leaves on purpose: its seat is freed at once. */
export interface Bye {
  type: "bye";
}

/** What the page wants to see. orbit: from a camera around the table, or around `focus`; else from the own seat. yaw and pitch: radians (yaw 0 faces the avatar, positive towards its left); distance: metres. focus: a participant, or -1. */
export interface ViewerCamera {
  type: "viewer_camera";
  orbit: boolean;
  focus: number;
  yaw: number;
  pitch: number;
  distance: number;
}

/** The page shows its picture in another place, or on another background. */
export interface ViewerFrame {
  type: "viewer_frame";
  place: Place;
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

/** Whether the page holds the picture back from now on, for voices that come late; until then it shows each at once. */
export interface PictureHeld {
  type: "picture_held";
  held: boolean;
}

/** The link is right. `role`: what it allows. `heartbeat`: seconds between pings. `account`: whether the token of the hello is valid. `enrolls`: whether avatars can be made here. */
export interface Lobby {
  type: "lobby";
  role: "host" | "person" | "viewer";
  avatars: AvatarInfo[];
  ice_servers: IceServer[];
  heartbeat: number;
  account: boolean;
  enrolls: boolean;
}

/** The page is in. `participant`: its number in `RoomState`, -1 for a viewer. `order`: of its seat. `person_link`, `viewer_link`: addresses for others, empty where the role may not invite. `media_kept`: the peer connection goes on; else an offer is awaited. `synthetic`: the people in the pictures are AI-generated (EU AI Act, Article 50). */
export interface Welcome {
  type: "welcome";
  resume: string;
  role: "host" | "person" | "viewer";
  participant: number;
  order: number;
  person_link: string;
  viewer_link: string;
  ice_servers: IceServer[];
  heartbeat: number;
  media_kept: boolean;
  synthetic: boolean;
}

/** The server's complete SDP answer. */
export interface Answer {
  type: "answer";
  sdp: string;
}

/** One sentence for the person. `code`: full, busy, locked, removed, ended, avatar, not_found, not_allowed, bad_message, media, lost, restarting, internal. `final`: do not reconnect. `retry_after`: when not final, seconds to wait before the next attempt; 0 leaves it to the page's own schedule. `may_watch`: joining as a viewer would work. */
export interface Failure {
  type: "failure";
  code: string;
  message: string;
  final: boolean;
  retry_after: number;
  may_watch: boolean;
}

/** Who is here; sent when it changes. people: in the order of their seats. */
export interface RoomState {
  type: "room_state";
  people: Participant[];
  viewers: number;
  locked: boolean;
}

/** Whose voice comes on which media line of the page's offer: mid -> participant. */
export interface SoundLines {
  type: "sound_lines";
  lines: Record<string, number>;
}

/** Answer to `Ping`. */
export interface Pong {
  type: "pong";
  sent: number;
}

/** Everybody in the page's picture; sent when it changes. width, height: of the picture, pixels, without its mask. mask: whether it has one. */
export interface Labels {
  type: "labels";
  labels: Label[];
  width: number;
  height: number;
  mask: boolean;
}

/** The participants who speak now; sent when it changes. */
export interface Speaking {
  type: "speaking";
  participants: number[];
}

/** Once a second. `fps`: pictures rendered for this page. `stages`: stage name -> milliseconds, median of the last second. `bitrate`: bits a second sent to this page. `face`: whether the participant's own face is seen. `calibrating`: whether the neutral face is being taken. `ready`: whether pictures are made at all. */
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
  | Join
  | Offer
  | Presence
  | Moderate
  | Bye
  | ViewerCamera
  | ViewerFrame
  | Ping
  | Recalibrate
  | PictureHeld
  | Lobby
  | Welcome
  | Answer
  | Failure
  | RoomState
  | SoundLines
  | Pong
  | Labels
  | Speaking
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

const placeShape: Shape = {
  width: { check: integer, fallback: () => 0 },
  height: { check: integer, fallback: () => 0 },
  background: { check: oneOf("white", "dark", "grey", "sand", "sage", "sky"), fallback: () => "white" },
  mask: { check: flag, fallback: () => false },
  seen: { check: flag, fallback: () => true },
  draws: { check: flag, fallback: () => false },
};

const avatarInfoShape: Shape = {
  id: { check: text },
  name: { check: text },
  preview: { check: text, fallback: () => "" },
};

const iceServerShape: Shape = {
  urls: { check: list(text) },
  username: { check: text, fallback: () => "" },
  credential: { check: text, fallback: () => "" },
};

const participantShape: Shape = {
  id: { check: integer },
  name: { check: text },
  host: { check: flag, fallback: () => false },
  seated: { check: flag, fallback: () => false },
  muted: { check: flag, fallback: () => false },
  camera: { check: flag, fallback: () => true },
  web_avatar: { check: text, fallback: () => "" },
};

const labelShape: Shape = {
  participant: { check: integer },
  left: { check: number },
  top: { check: number },
  width: { check: number },
  height: { check: number },
};

const MESSAGES = {
  hello: {
    key: { check: text },
    resume: { check: text, fallback: () => "" },
    version: { check: integer, fallback: () => 2 },
    keep_media: { check: flag, fallback: () => false },
    token: { check: text, fallback: () => "" },
  },
  join: {
    name: { check: text, fallback: () => "" },
    avatar: { check: text, fallback: () => "" },
    watch: { check: flag, fallback: () => false },
    order: { check: integer, fallback: () => -1 },
    muted: { check: flag, fallback: () => false },
  },
  offer: {
    sdp: { check: text },
    place: { check: object(placeShape), fallback: () => ({"width": 0, "height": 0, "background": "white", "mask": false, "seen": true, "draws": false}) },
  },
  presence: {
    muted: { check: flag, fallback: () => false },
    camera: { check: flag, fallback: () => true },
  },
  moderate: {
    act: { check: oneOf("mute", "remove", "lock", "unlock", "end") },
    participant: { check: integer, fallback: () => -1 },
  },
  bye: {},
  viewer_camera: {
    orbit: { check: flag, fallback: () => false },
    focus: { check: integer, fallback: () => -1 },
    yaw: { check: number, fallback: () => 0.0 },
    pitch: { check: number, fallback: () => 0.0 },
    distance: { check: number, fallback: () => 0.9 },
  },
  viewer_frame: {
    place: { check: object(placeShape), fallback: () => ({"width": 0, "height": 0, "background": "white", "mask": false, "seen": true, "draws": false}) },
  },
  ping: {
    sent: { check: number },
  },
  recalibrate: {},
  picture_held: {
    held: { check: flag },
  },
  lobby: {
    role: { check: oneOf("host", "person", "viewer") },
    avatars: { check: list(object(avatarInfoShape)), fallback: () => [] },
    ice_servers: { check: list(object(iceServerShape)), fallback: () => [] },
    heartbeat: { check: number, fallback: () => 1.0 },
    account: { check: flag, fallback: () => false },
    enrolls: { check: flag, fallback: () => false },
  },
  welcome: {
    resume: { check: text },
    role: { check: oneOf("host", "person", "viewer") },
    participant: { check: integer, fallback: () => -1 },
    order: { check: integer, fallback: () => -1 },
    person_link: { check: text, fallback: () => "" },
    viewer_link: { check: text, fallback: () => "" },
    ice_servers: { check: list(object(iceServerShape)), fallback: () => [] },
    heartbeat: { check: number, fallback: () => 1.0 },
    media_kept: { check: flag, fallback: () => false },
    synthetic: { check: flag, fallback: () => true },
  },
  answer: {
    sdp: { check: text },
  },
  failure: {
    code: { check: text },
    message: { check: text },
    final: { check: flag, fallback: () => true },
    retry_after: { check: number, fallback: () => 0.0 },
    may_watch: { check: flag, fallback: () => false },
  },
  room_state: {
    people: { check: list(object(participantShape)), fallback: () => [] },
    viewers: { check: integer, fallback: () => 0 },
    locked: { check: flag, fallback: () => false },
  },
  sound_lines: {
    lines: { check: table(integer), fallback: () => ({}) },
  },
  pong: {
    sent: { check: number },
  },
  labels: {
    labels: { check: list(object(labelShape)), fallback: () => [] },
    width: { check: integer, fallback: () => 0 },
    height: { check: integer, fallback: () => 0 },
    mask: { check: flag, fallback: () => false },
  },
  speaking: {
    participants: { check: list(integer), fallback: () => [] },
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
