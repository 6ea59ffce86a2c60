import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { decode, encode, type Message } from "./protocol";
import { type PeerEvents, type PeerLike, Session, type Socket } from "./session";
import { PONG_LIMIT } from "./heartbeat";
import { Signalling } from "./signalling";
import type { News, RememberedSeat, Status } from "./signalling_types";
import { ENTRY } from "./testing/driver";
import { lobby, roomState, welcome } from "./testing/messages";

class FakeSocket {
  onopen: (() => void) | null = null;
  onclose: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  sent: Message[] = [];
  closed = false;
  send(text: string): void {
    this.sent.push(decode(text));
  }
  close(): void {
    this.closed = true;
  }
  hear(message: Message): void {
    this.onmessage?.({ data: encode(message) });
  }
}

class FakePeer implements PeerLike {
  sent: Message[] = [];
  answered = "";
  closed = false;
  constructor(readonly events: PeerEvents) {}
  answer(sdp: string): void {
    this.answered = sdp;
  }
  control(text: string): void {
    const message = decode(text);
    this.sent.push(message);
    if (message.type === "ping" && answering) this.events.controlText(encode({ type: "pong", sent: message.sent }));
  }
  close(): void {
    this.closed = true;
  }
}

let sockets: FakeSocket[];
let peers: FakePeer[];
let statuses: Status[];
let news: News[];
let seats: (RememberedSeat | null)[];
let answering: boolean;
let session: Session<FakePeer>;

beforeEach(() => {
  vi.useFakeTimers();
  [sockets, peers, statuses, news, seats, answering] = [[], [], [], [], [], true];
  session = new Session<FakePeer>(
    new Signalling("k", null, () => 0),
    {
      socket: () => {
        const socket = new FakeSocket();
        sockets.push(socket);
        return socket as unknown as Socket;
      },
      peer: (_servers, events) => {
        const peer = new FakePeer(events);
        peers.push(peer);
        return peer;
      },
      now: () => performance.now(),
    },
    {
      status: (s) => statuses.push(s),
      told: (message) => news.push(message),
      unknownRoom: () => undefined,
      remember: (seat) => seats.push(seat),
      roundTrip: () => undefined,
    },
  );
});

afterEach(() => {
  session.leave();
  vi.useRealTimers();
});

function last<T>(list: T[]): T {
  const item = list.at(-1);
  if (item === undefined) throw new Error("the list is empty");
  return item;
}

function goLive(): void {
  const socket = last(sockets);
  socket.onopen?.();
  if (!session.status.lobby) {
    socket.hear(lobby());
    session.join(ENTRY);
  }
  socket.hear(welcome({ resume: "r" }));
  const peer = last(peers);
  peer.events.offer("offer");
  socket.hear({ type: "answer", sdp: "answer" });
  peer.events.controlOpen();
}

it("reaches the call and keeps it while the other end answers", () => {
  session.open();
  goLive();
  expect(last(sockets).sent.map((message) => message.type)).toEqual(["hello", "join", "offer"]);
  expect(last(peers).answered).toBe("answer");
  vi.advanceTimersByTime(60_000);
  expect(session.status.phase).toBe("live");
  expect(last(peers).sent.length).toBeGreaterThan(55);
});

it("comes back by the schedule when the server is away", () => {
  session.open();
  goLive();
  vi.advanceTimersByTime(6_000);
  last(peers).events.controlClosed();
  const attempts: number[] = [];
  const lost = performance.now();
  for (let seen = sockets.length; attempts.length < 20; vi.advanceTimersByTime(10)) {
    if (sockets.length === seen) continue;
    seen = sockets.length;
    attempts.push(Math.round((performance.now() - lost) / 100) / 10);
    last(sockets).onclose?.();
  }
  expect(attempts.slice(0, 6)).toEqual([0, 0.3, 1.5, 3.5, 5.5, 7.5]);
  expect(attempts[16]).toBe(29.5);
  expect((attempts[19] ?? 0) - (attempts[18] ?? 0)).toBeCloseTo(7);
});

it("notices a silent end and starts over with a new peer connection", () => {
  session.open();
  goLive();
  answering = false;
  vi.advanceTimersByTime(PONG_LIMIT + 1_100);
  expect(peers[0]?.closed).toBe(true);
  expect(sockets[0]?.closed).toBe(true);
  expect(sockets).toHaveLength(2);
  answering = true;
  goLive();
  expect(session.status).toMatchObject({ phase: "live", again: true });
});

it("keeps the peer connection while the socket comes back", () => {
  session.open();
  goLive();
  vi.advanceTimersByTime(6_000);
  last(sockets).onclose?.();
  vi.advanceTimersByTime(1);
  const socket = last(sockets);
  expect(sockets).toHaveLength(2);
  socket.onopen?.();
  expect(socket.sent).toMatchObject([{ type: "hello", resume: "r", keep_media: true }]);
  socket.hear(welcome({ resume: "r", media_kept: true }));
  vi.advanceTimersByTime(60_000);
  expect([sockets.length, peers.length, last(peers).closed]).toEqual([2, 1, false]);
  expect(session.status).toMatchObject({ phase: "live" });
  expect(new Set(statuses.map((status) => status.phase))).toEqual(new Set(["connecting", "lobby", "live"]));
});

it("does not listen to connections of the past", () => {
  session.open();
  goLive();
  const [old] = peers;
  old?.events.controlClosed();
  vi.advanceTimersByTime(1);
  goLive();
  old?.events.state("failed");
  expect(session.status.phase).toBe("live");
});

it("sends over the control channel only while there is one", () => {
  session.open();
  session.control({ type: "recalibrate" });
  goLive();
  session.control({ type: "recalibrate" });
  expect(last(peers).sent.filter((message) => message.type === "recalibrate")).toHaveLength(1);
});

it("leaves no timer behind", () => {
  session.open();
  goLive();
  session.leave();
  expect(vi.getTimerCount()).toBe(0);
  expect(last(statuses).phase).toBe("left");
});

it("passes on what the server tells, and the seat to remember", () => {
  session.open();
  goLive();
  last(sockets).hear(roomState([]));
  expect(news).toEqual([roomState([])]);
  expect(seats).toEqual([{ resume: "r", order: 2, entry: ENTRY }]);
  session.leave();
  expect(seats.at(-1)).toBeNull();
});

it("says what the person does with microphone, camera and room", () => {
  session.open();
  session.presence(true, true);
  goLive();
  session.presence(false, true);
  session.moderate("lock");
  expect(last(sockets).sent.slice(-2)).toEqual([
    { type: "presence", muted: false, camera: true },
    { type: "moderate", act: "lock", participant: -1 },
  ]);
});

it("connects again when the browser makes no peer connection", () => {
  session = new Session<FakePeer>(
    new Signalling("k", null, () => 0),
    {
      socket: () => {
        const socket = new FakeSocket();
        sockets.push(socket);
        return socket as unknown as Socket;
      },
      peer: () => {
        throw new SyntaxError("an ICE server");
      },
      now: () => performance.now(),
    },
    { status: () => undefined, told: () => undefined, unknownRoom: () => undefined, remember: () => undefined, roundTrip: () => undefined },
  );
  session.open();
  last(sockets).onopen?.();
  last(sockets).hear(lobby());
  session.join(ENTRY);
  last(sockets).hear(welcome());
  expect(session.status).toMatchObject({ phase: "waiting", trouble: "no-webrtc" });
});
