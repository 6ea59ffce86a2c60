import { beforeEach, describe, expect, it } from "vitest";
import { encode, type Message } from "./protocol";
import { BLOCKED_AFTER, CONNECT_LIMIT, DISCONNECTED_LIMIT, PONG_LIMIT, Signalling, STABLE_AFTER } from "./signalling";
import type { Output } from "./signalling_types";

let machine: Signalling;
let now: number;

beforeEach(() => {
  machine = new Signalling("person", "key", () => 0);
  now = 1000;
});

const kinds = (outputs: Output[]): string[] => outputs.map((output) => output.kind).filter((kind) => kind !== "status");
const sent = (outputs: Output[]): Message[] =>
  outputs.flatMap((output) => (output.kind === "send" || output.kind === "send-control" ? [output.message] : []));
const hear = (message: Message): Output[] => machine.handle({ kind: "socket-text", text: encode(message) }, now);
const hearControl = (message: Message): Output[] => machine.handle({ kind: "control-text", text: encode(message) }, now);

/** Lets the machine's next deadline pass. */
function pass(): Output[] {
  now = machine.wakeAt;
  return machine.handle({ kind: "time" }, now);
}

function welcome(media_kept = false): Output[] {
  machine.handle({ kind: "socket-open" }, now);
  return hear({ type: "welcome", resume: "token", viewer_url: "/view/other", ice_servers: [], heartbeat: 1, media_kept });
}

function answered(candidates = "a=candidate:1"): void {
  welcome();
  machine.handle({ kind: "offer", sdp: `offer ${candidates}` }, now);
  hear({ type: "answer", sdp: "answer" });
}

function goLive(): Output[] {
  welcome();
  machine.handle({ kind: "offer", sdp: "offer" }, now);
  hear({ type: "answer", sdp: "answer" });
  return machine.handle({ kind: "control-open" }, now);
}

function join(): void {
  machine.handle({ kind: "join" }, now);
}

describe("joining", () => {
  it("goes from socket to hello, offer, answer and control channel", () => {
    expect(kinds(machine.handle({ kind: "join" }, now))).toEqual(["open-socket"]);
    expect(sent(machine.handle({ kind: "socket-open" }, now))).toEqual([
      { type: "hello", role: "person", key: "key", resume: "", version: 1, keep_media: false },
    ]);
    const ice_servers = [{ urls: ["stun:example.org"], username: "", credential: "" }];
    const opened = hear({ type: "welcome", resume: "r", viewer_url: "/view/x", ice_servers, heartbeat: 1, media_kept: false });
    expect(opened).toEqual([{ kind: "open-peer", iceServers: ice_servers }]);
    expect(sent(machine.handle({ kind: "offer", sdp: "o" }, now))).toEqual([{ type: "offer", sdp: "o" }]);
    expect(hear({ type: "answer", sdp: "a" })).toEqual([{ kind: "answer", sdp: "a" }]);
    expect(machine.status.phase).toBe("connecting");
    const live = machine.handle({ kind: "control-open" }, now);
    expect(machine.status).toMatchObject({ phase: "live", viewerUrl: "/view/x" });
    expect(sent(live)).toEqual([{ type: "ping", sent: now }]);
  });

  it("ignores what comes out of order", () => {
    join();
    expect(hear({ type: "answer", sdp: "a" })).toEqual([]);
    expect(machine.handle({ kind: "offer", sdp: "o" }, now)).toEqual([]);
    expect(machine.handle({ kind: "control-open" }, now)).toEqual([]);
    expect(machine.status.phase).toBe("connecting");
  });

  it("ignores messages of a newer server and text that is no message", () => {
    join();
    machine.handle({ kind: "socket-open" }, now);
    expect(machine.handle({ kind: "socket-text", text: '{"type":"fireworks"}' }, now)).toEqual([]);
    expect(machine.handle({ kind: "socket-text", text: "hello" }, now)).toEqual([]);
  });

  it("gives an attempt up that takes too long", () => {
    join();
    welcome();
    expect(machine.wakeAt).toBe(now + CONNECT_LIMIT);
    expect(kinds(pass())).toEqual(["room", "close-peer", "close-socket"]);
    expect(machine.status.phase).toBe("waiting");
  });

  it("joins once however often it is asked", () => {
    join();
    expect(machine.handle({ kind: "join" }, now)).toEqual([]);
  });
});

describe("heartbeat", () => {
  it("pings at the server's pace and reports the round trip", () => {
    join();
    goLive();
    hearControl({ type: "pong", sent: now });
    now += 1000;
    expect(sent(machine.handle({ kind: "time" }, now))).toEqual([{ type: "ping", sent: now }]);
    const sentAt = now;
    now += 42;
    expect(hearControl({ type: "pong", sent: sentAt })).toEqual([{ kind: "round-trip", milliseconds: 42 }]);
  });

  it("takes the other end for gone after a silence", () => {
    join();
    const start = now;
    goLive();
    while (machine.status.phase === "live") pass();
    expect(now - start).toBe(PONG_LIMIT);
  });

  it("stays as long as pongs come", () => {
    join();
    goLive();
    for (let i = 0; i < 30; i++) for (const ping of sent(pass())) if (ping.type === "ping") hearControl({ type: "pong", sent: ping.sent });
    expect(machine.status.phase).toBe("live");
  });
});

describe("losing the connection", () => {
  it.each(["failed", "closed"] as const)("reconnects at once when the peer connection is %s", (state) => {
    join();
    goLive();
    machine.handle({ kind: "peer-state", state }, now);
    expect(machine.status).toMatchObject({ phase: "waiting", again: true });
    expect(kinds(pass())).toEqual(["open-socket"]);
  });

  it("tells before it closes, so that the page can keep the last picture", () => {
    join();
    goLive();
    const outputs = machine.handle({ kind: "control-closed" }, now);
    expect(outputs.map((output) => output.kind)).toEqual(["status", "room", "close-peer", "close-socket"]);
  });

  it("lets ICE mend a short disconnection", () => {
    join();
    goLive();
    hearControl({ type: "pong", sent: now });
    machine.handle({ kind: "peer-state", state: "disconnected" }, now);
    now += DISCONNECTED_LIMIT - 1;
    machine.handle({ kind: "peer-state", state: "connected" }, now);
    now += 1;
    machine.handle({ kind: "time" }, now);
    expect(machine.status.phase).toBe("live");
  });

  it("gives a longer disconnection up", () => {
    join();
    goLive();
    machine.handle({ kind: "peer-state", state: "disconnected" }, now);
    now += DISCONNECTED_LIMIT;
    machine.handle({ kind: "time" }, now);
    expect(machine.status.phase).toBe("waiting");
  });

  it("comes back with the resume token", () => {
    join();
    goLive();
    machine.handle({ kind: "control-closed" }, now);
    pass();
    expect(sent(machine.handle({ kind: "socket-open" }, now))[0]).toMatchObject({ resume: "token" });
  });

  it("follows the schedule while attempts fail, and starts it anew after a stable connection", () => {
    join();
    const waits: number[] = [];
    const fail = (kind: "socket-closed" | "control-closed"): void => {
      machine.handle({ kind }, now);
      waits.push(machine.wakeAt - now);
      pass();
    };
    for (let i = 0; i < 5; i++) fail("socket-closed");
    expect(waits.map(Math.round)).toEqual([0, 300, 1200, 2000, 2000]);
    goLive();
    fail("control-closed");
    expect(waits.at(-1)).toBe(2000);
    goLive();
    const since = now;
    while (now < since + STABLE_AFTER) for (const ping of sent(pass())) if (ping.type === "ping") hearControl({ type: "pong", sent: ping.sent });
    fail("control-closed");
    expect(waits.at(-1)).toBe(0);
  });

  it("tries at once when the network is back", () => {
    join();
    machine.handle({ kind: "socket-closed" }, now);
    machine.handle({ kind: "nudge" }, now);
    expect(machine.status.phase).toBe("connecting");
  });
});

describe("losing only the socket of a live call", () => {
  const loseSocket = (): Output[] => machine.handle({ kind: "socket-closed" }, now);

  beforeEach(() => {
    join();
    goLive();
    hearControl({ type: "pong", sent: now });
  });

  it("opens another one at once and asks the server to leave the media alone", () => {
    expect(kinds(loseSocket())).toEqual(["close-socket"]);
    expect(machine.status.phase).toBe("live");
    expect(kinds(pass())).toEqual(["open-socket"]);
    expect(sent(machine.handle({ kind: "socket-open" }, now))).toMatchObject([{ resume: "token", keep_media: true }]);
    expect(kinds(hear({ type: "welcome", resume: "token", viewer_url: "", ice_servers: [], heartbeat: 1, media_kept: true }))).toEqual([]);
    expect(machine.status.phase).toBe("live");
  });

  it("makes a new peer connection on the open socket when the server does not know the old one", () => {
    loseSocket();
    pass();
    expect(kinds(welcome(false))).toEqual(["open-peer"]);
    expect(machine.status).toMatchObject({ phase: "connecting", again: true, trouble: "lost" });
    machine.handle({ kind: "offer", sdp: "offer" }, now);
    hear({ type: "answer", sdp: "answer" });
    machine.handle({ kind: "control-open" }, now);
    expect(machine.status).toMatchObject({ phase: "live", trouble: "none" });
  });

  it("goes on trying by the schedule, and forgets who is there", () => {
    const waits: number[] = [];
    const told: string[] = [];
    for (let i = 0; i < 4; i++) {
      told.push(...kinds(loseSocket()).filter((kind) => kind === "room"));
      hearControl({ type: "pong", sent: now });
      while (!kinds(pass()).includes("open-socket")) hearControl({ type: "pong", sent: now });
      waits.push(now);
    }
    expect(waits.map((at) => at - 1000)).toEqual([0, 300, 1500, 3500]);
    expect(told).toEqual(["room"]);
    expect(machine.status.phase).toBe("live");
  });

  it("gives a socket up that opens without a word", () => {
    loseSocket();
    pass();
    const since = now;
    let outputs: Output[] = [];
    while (!kinds(outputs).includes("close-socket")) {
      outputs = pass();
      hearControl({ type: "pong", sent: now });
    }
    expect(now - since).toBe(CONNECT_LIMIT);
    expect(machine.status.phase).toBe("live");
  });

  it("has nobody to say goodbye to meanwhile", () => {
    loseSocket();
    expect(sent(machine.handle({ kind: "leave" }, now))).toEqual([]);
  });

  it("opens it at once when the network is back", () => {
    loseSocket();
    pass();
    loseSocket();
    expect(kinds(machine.handle({ kind: "nudge" }, now))).toEqual(["open-socket"]);
  });
});

describe("what is said of an attempt", () => {
  beforeEach(join);

  it("tells which step failed", () => {
    machine.handle({ kind: "socket-closed" }, now);
    expect(machine.status.trouble).toBe("unreachable");
    pass();
    machine.handle({ kind: "socket-open" }, now);
    expect(machine.status.trouble).toBe("none");
    machine.handle({ kind: "socket-closed" }, now);
    expect(machine.status.trouble).toBe("silent");
    pass();
    welcome();
    expect(machine.status.trouble).toBe("none");
    machine.handle({ kind: "peer-error" }, now);
    expect(machine.status.trouble).toBe("no-webrtc");
  });

  it.each([
    ["a=candidate:1", "blocked"],
    ["", "no-network"],
  ])("calls media that do not connect after the answer to '%s' %s, goes on waiting and tries again", (candidates, trouble) => {
    answered(candidates);
    const since = now;
    pass();
    expect(now - since).toBe(BLOCKED_AFTER);
    expect(machine.status).toMatchObject({ phase: "connecting", trouble });
    pass();
    expect(machine.status).toMatchObject({ phase: "waiting", trouble });
    expect(kinds(pass())).toEqual(["open-socket"]);
    answered(candidates);
    expect(machine.status.trouble).toBe(trouble);
    machine.handle({ kind: "control-open" }, now);
    expect(machine.status.trouble).toBe("none");
  });

  it("takes a peer connection that fails before its offer for a browser without a network", () => {
    welcome();
    machine.handle({ kind: "peer-state", state: "failed" }, now);
    expect(machine.status).toMatchObject({ phase: "waiting", trouble: "no-network" });
  });

  it("counts a peer connection that fails at once as blocked", () => {
    answered();
    machine.handle({ kind: "peer-state", state: "failed" }, now);
    expect(machine.status).toMatchObject({ phase: "waiting", trouble: "blocked" });
  });
});

describe("failures", () => {
  const failure = (final: boolean): Message => ({ type: "failure", code: "media", message: "The room is full.", final, retry_after: 0 });

  it("stops at a final one and shows its sentence", () => {
    join();
    machine.handle({ kind: "socket-open" }, now);
    expect(kinds(hear(failure(true)))).toEqual(["room", "close-peer", "close-socket"]);
    expect(machine.status).toMatchObject({ phase: "failed", message: "The room is full." });
    expect(machine.wakeAt).toBe(Infinity);
    expect(kinds(machine.handle({ kind: "join" }, now))).toEqual(["open-socket"]);
    expect(machine.status.message).toBe("");
  });

  it("tries again after another", () => {
    join();
    machine.handle({ kind: "socket-open" }, now);
    hear(failure(false));
    expect(machine.status).toMatchObject({ phase: "waiting", message: "The room is full." });
    expect(kinds(pass())).toEqual(["open-socket"]);
  });

  it.each(["full", "taken"] as const)("waits for a place when it is %s, less and less often", (code) => {
    join();
    const waits: number[] = [];
    for (let i = 0; i < 4; i++) {
      machine.handle({ kind: "socket-open" }, now);
      hear({ type: "failure", code, message: "no", final: true, retry_after: 0 });
      expect(machine.status).toMatchObject({ phase: "waiting", trouble: code });
      waits.push(machine.wakeAt - now);
      expect(kinds(pass())).toEqual(["open-socket"]);
      expect(machine.status.trouble).toBe(code);
    }
    expect(waits).toEqual([1500, 2000, 3000, 4500]);
    welcome();
    expect(machine.status.trouble).toBe("none");
  });

  it.each(["full", "media", "internal"])("waits as long as the server asks for when it says %s", (code) => {
    join();
    machine.handle({ kind: "socket-open" }, now);
    hear({ type: "failure", code, message: "no", final: false, retry_after: 5 });
    expect(machine.wakeAt - now).toBe(5000);
  });

  it("asks at once when told to", () => {
    join();
    machine.handle({ kind: "socket-open" }, now);
    hear({ type: "failure", code: "full", message: "no", final: true, retry_after: 0 });
    expect(kinds(machine.handle({ kind: "nudge" }, now))).toEqual(["open-socket"]);
  });

  it("does not end a live call for one message that the server did not take", () => {
    join();
    goLive();
    hear({ type: "failure", code: "bad_message", message: "no", final: false, retry_after: 0 });
    expect(machine.status.phase).toBe("live");
  });

  it("ends a live call, too", () => {
    join();
    goLive();
    hear(failure(true));
    expect(machine.status.phase).toBe("failed");
  });
});

describe("leaving", () => {
  it("says goodbye and stops everything", () => {
    join();
    goLive();
    const outputs = machine.handle({ kind: "leave" }, now);
    expect(sent(outputs)).toEqual([{ type: "bye" }]);
    expect(kinds(outputs)).toEqual(["send", "room", "close-peer", "close-socket"]);
    expect(machine.wakeAt).toBe(Infinity);
    expect(machine.handle({ kind: "socket-closed" }, now)).toEqual([]);
    expect(machine.status.phase).toBe("left");
  });

  it("has nobody to say it to before the socket is open", () => {
    join();
    expect(sent(machine.handle({ kind: "leave" }, now))).toEqual([]);
  });
});

it("passes statistics and room on", () => {
  join();
  goLive();
  const stats: Message = { type: "stats", fps: 30, stages: { total: 40 }, bitrate: 1e6, face: true, calibrating: false, ready: true };
  expect(hearControl(stats)).toEqual([{ kind: "stats", stats }]);
  const room: Message = { type: "room_state", person: true, viewers: 2 };
  expect(hear(room)).toEqual([{ kind: "room", room }]);
});
