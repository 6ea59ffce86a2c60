/** What happens to a call that is live: heartbeat, a connection or only a socket that is lost, a server that was started again. */
import { beforeEach, describe, expect, it } from "vitest";
import { GIVE_UP_AFTER } from "./approach";
import { DISCONNECTED_LIMIT, PONG_LIMIT } from "./heartbeat";
import { STABLE_AFTER } from "./reconnect";
import type { Output } from "./signalling_types";
import { Driver, kinds, sent, types } from "./testing/driver";
import { lobby, welcome } from "./testing/messages";

let driver: Driver;

beforeEach(() => {
  driver = new Driver();
  driver.enter();
});

describe("heartbeat", () => {
  it("pings at the server's pace and reports the round trip", () => {
    const since = driver.now;
    expect(sent(driver.pass())).toEqual([{ type: "ping", sent: since + 1000 }]);
    const sentAt = driver.now;
    driver.now += 42;
    expect(driver.hearControl({ type: "pong", sent: sentAt })).toEqual([{ kind: "round-trip", milliseconds: 42 }]);
    expect(driver.machine.silence(driver.now)).toBe(0);
  });

  it("takes the other end for gone after a silence", () => {
    driver.pass();
    const start = driver.now;
    while (driver.status.phase === "live") driver.pass();
    expect(driver.now - start).toBe(PONG_LIMIT);
    expect(driver.status).toMatchObject({ phase: "waiting", trouble: "lost", again: true });
  });

  it("stays as long as pongs come", () => {
    for (let i = 0; i < 30; i++) driver.passAnswering();
    expect(driver.status.phase).toBe("live");
  });
});

describe("losing the connection", () => {
  it.each(["failed", "closed"] as const)("reconnects at once when the peer connection is %s", (state) => {
    driver.do({ kind: "peer-state", state });
    expect(driver.status).toMatchObject({ phase: "waiting", place: "call", again: true });
    expect(kinds(driver.pass())).toEqual(["open-socket"]);
  });

  it("tells before it closes, so that the page can keep the last picture", () => {
    const outputs = driver.do({ kind: "control-closed" });
    expect(outputs.map((output) => output.kind)).toEqual(["status", "unknown-room", "close-peer", "close-socket"]);
  });

  it("lets ICE mend a short disconnection and gives a longer one up", () => {
    driver.do({ kind: "peer-state", state: "disconnected" });
    const since = driver.now;
    driver.now += DISCONNECTED_LIMIT - 1;
    driver.do({ kind: "peer-state", state: "connected" });
    driver.now += 1;
    driver.hearControl({ type: "pong", sent: since });
    driver.do({ kind: "time" });
    expect(driver.status.phase).toBe("live");
    driver.do({ kind: "peer-state", state: "disconnected" });
    driver.now += DISCONNECTED_LIMIT;
    driver.do({ kind: "time" });
    expect(driver.status.phase).toBe("waiting");
  });

  it("comes back with the resume token, into a new peer connection", () => {
    driver.do({ kind: "control-closed" });
    driver.pass();
    expect(sent(driver.do({ kind: "socket-open" }))).toMatchObject([{ type: "hello", resume: "token", keep_media: false }]);
    expect(kinds(driver.hear(welcome()))).toEqual(["open-peer"]);
  });

  it("follows the schedule while attempts fail, and starts it anew after a stable connection", () => {
    const waits: number[] = [];
    const fail = (kind: "socket-closed" | "control-closed"): void => {
      driver.do({ kind });
      waits.push(Math.round(driver.machine.wakeAt - driver.now));
      driver.pass();
    };
    fail("control-closed");
    for (let i = 0; i < 4; i++) fail("socket-closed");
    expect(waits).toEqual([0, 300, 1200, 2000, 2000]);
    driver.do({ kind: "socket-open" });
    driver.goLive();
    fail("control-closed");
    expect(waits.at(-1)).toBe(2000);
    driver.do({ kind: "socket-open" });
    driver.goLive();
    const since = driver.now;
    while (driver.now < since + STABLE_AFTER) driver.passAnswering();
    fail("control-closed");
    expect(waits.at(-1)).toBe(0);
  });

  it("tries at once when the network is back", () => {
    driver.do({ kind: "control-closed" });
    driver.do({ kind: "nudge" });
    expect(driver.status.phase).toBe("connecting");
  });
});

describe("a picture that does not come", () => {
  it("is asked for again with another peer connection for the same seat", () => {
    expect(kinds(driver.do({ kind: "retry" }))).toEqual(["unknown-room", "close-peer", "open-socket"]);
    expect(driver.status).toMatchObject({ phase: "connecting", place: "call", again: true });
    expect(sent(driver.do({ kind: "socket-open" }))).toMatchObject([{ type: "hello", resume: "token", keep_media: false }]);
    driver.goLive();
    expect(driver.status.phase).toBe("live");
  });

  it("is not asked for again because the network is back", () => {
    expect(driver.do({ kind: "nudge" })).toEqual([]);
  });
});

describe("a server that was started again", () => {
  const restarted = (): Output[] => {
    driver.do({ kind: "control-closed" });
    driver.pass();
    driver.do({ kind: "socket-open" });
    return driver.hear(lobby());
  };

  it("is joined again by itself, with the same name, avatar and place", () => {
    driver.do({ kind: "presence", muted: true, camera: false });
    expect(sent(restarted())).toEqual([{ type: "join", name: "Ada", avatar: "ada", watch: false, order: 2, muted: true }]);
    expect(driver.status).toMatchObject({ phase: "connecting", place: "call", again: true });
    driver.hear(welcome({ resume: "new", participant: 1 }));
    expect(types(driver.do({ kind: "offer", sdp: "o" }))).toEqual(["offer", "presence"]);
    driver.hear({ type: "answer", sdp: "a" });
    driver.do({ kind: "control-open" });
    expect(driver.status).toMatchObject({ phase: "live", seat: { resume: "new", participant: 1 } });
  });

  it("is joined again on the socket alone, when the old media outlived it", () => {
    driver.do({ kind: "socket-closed" });
    driver.pass();
    expect(sent(driver.do({ kind: "socket-open" }))).toMatchObject([{ keep_media: true }]);
    expect(sent(driver.hear(lobby()))).toMatchObject([{ type: "join", order: 2 }]);
    expect(driver.status.phase).toBe("connecting");
    expect(kinds(driver.hear(welcome()))).toContain("open-peer");
  });
});

describe("losing only the socket of a live call", () => {
  const loseSocket = (): Output[] => driver.do({ kind: "socket-closed" });

  it("opens another one at once and asks the server to leave the media alone", () => {
    expect(kinds(loseSocket())).toEqual(["close-socket"]);
    expect(driver.status.phase).toBe("live");
    expect(kinds(driver.pass())).toEqual(["open-socket"]);
    expect(sent(driver.do({ kind: "socket-open" }))).toMatchObject([{ resume: "token", keep_media: true }]);
    expect(kinds(driver.hear(welcome({ media_kept: true })))).toEqual([]);
    expect(driver.status.phase).toBe("live");
  });

  it("makes a new peer connection on the open socket when the server does not know the old one", () => {
    loseSocket();
    driver.pass();
    expect(kinds(driver.resume())).toEqual(["open-peer"]);
    expect(driver.status).toMatchObject({ phase: "connecting", again: true, trouble: "lost" });
    driver.goLive();
    expect(driver.status).toMatchObject({ phase: "live", trouble: "none" });
  });

  it("goes on trying by the schedule, and forgets who is there", () => {
    const waits: number[] = [];
    const told: string[] = [];
    const since = driver.now;
    for (let i = 0; i < 4; i++) {
      told.push(...kinds(loseSocket()).filter((kind) => kind === "unknown-room"));
      driver.passUntil("open-socket");
      waits.push(driver.now - since);
    }
    expect(waits).toEqual([0, 300, 1500, 3500]);
    expect(told).toHaveLength(1);
    expect(driver.status.phase).toBe("live");
  });

  it("gives a socket up that opens without a word", () => {
    loseSocket();
    driver.pass();
    const since = driver.now;
    driver.passUntil("close-socket");
    expect(driver.now - since).toBe(GIVE_UP_AFTER);
    expect(driver.status.phase).toBe("live");
  });

  it("has nobody to say anything to meanwhile", () => {
    loseSocket();
    expect(types(driver.do({ kind: "moderate", act: "lock", participant: -1 }))).toEqual([]);
    expect(types(driver.do({ kind: "leave" }))).toEqual([]);
  });

  it("opens it at once when the network is back", () => {
    loseSocket();
    driver.pass();
    loseSocket();
    expect(kinds(driver.do({ kind: "nudge" }))).toEqual(["open-socket"]);
  });
});

it("sends what a host does, while there is a socket", () => {
  expect(sent(driver.do({ kind: "moderate", act: "mute", participant: 4 }))).toEqual([{ type: "moderate", act: "mute", participant: 4 }]);
});
