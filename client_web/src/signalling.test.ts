/** The way in. What happens to a call that is live is in signalling_call.test.ts, failures in signalling_failures.test.ts. */
import { beforeEach, describe, expect, it } from "vitest";
import { ANYWHERE } from "./background";
import { BLOCKED_AFTER, GIVE_UP_AFTER, RESTART_AFTER, SLOW_AFTER } from "./approach";
import { VERSION } from "./protocol";
import { Driver, ENTRY, kinds, sent, types } from "./testing/driver";
import { lobby, roomState, welcome } from "./testing/messages";
import { waitForCall } from "./wait";

let driver: Driver;

beforeEach(() => {
  driver = new Driver();
});

describe("coming in", () => {
  it("goes from socket to hello, lobby, join, offer, answer and control channel", () => {
    expect(kinds(driver.do({ kind: "open" }))).toEqual(["open-socket"]);
    expect(driver.status.place).toBe("door");
    expect(sent(driver.do({ kind: "socket-open" }))).toEqual([
      { type: "hello", key: "key", resume: "", version: VERSION, keep_media: false, token: "" },
    ]);
    driver.hear(lobby({ role: "host" }));
    expect(driver.status).toMatchObject({ phase: "lobby", place: "lobby", lobby: { role: "host" }, asking: false });
    expect(driver.machine.wakeAt).toBe(Infinity);
    expect(sent(driver.join())).toEqual([{ type: "join", name: "Ada", avatar: "ada", watch: false, order: -1, muted: false }]);
    expect(driver.status).toMatchObject({ phase: "connecting", place: "lobby", asking: true });
    const ice_servers = [{ urls: ["stun:example.org"], username: "", credential: "" }];
    expect(driver.hear(welcome({ ice_servers }))).toContainEqual({ kind: "open-peer", iceServers: ice_servers });
    expect(driver.status.place).toBe("call");
    expect(sent(driver.do({ kind: "offer", sdp: "o" }))).toEqual([{ type: "offer", sdp: "o", place: ANYWHERE }]);
    expect(driver.hear({ type: "answer", sdp: "a" })).toEqual([{ kind: "answer", sdp: "a" }]);
    expect(driver.status.phase).toBe("connecting");
    const live = driver.do({ kind: "control-open" });
    expect(driver.status).toMatchObject({ phase: "live", seat: { person_link: "/room/p" } });
    expect(sent(live)).toEqual([{ type: "ping", sent: driver.now }]);
  });

  it("remembers the seat, and forgets it on leaving", () => {
    driver.greet();
    driver.join();
    const seat = { resume: "token", order: 2, entry: ENTRY };
    expect(driver.hear(welcome())).toContainEqual({ kind: "remember", seat });
    expect(driver.do({ kind: "leave" })).toContainEqual({ kind: "remember", seat: null });
  });

  it("joins as soon as the server has greeted it, when asked earlier", () => {
    driver.do({ kind: "open" });
    driver.join();
    driver.do({ kind: "socket-open" });
    expect(types(driver.hear(lobby()))).toEqual(["join"]);
  });

  it("greets the server again with an account, and stays in the lobby meanwhile", () => {
    driver.do({ kind: "account", token: "first" });
    driver.do({ kind: "open" });
    expect(sent(driver.do({ kind: "socket-open" }))).toMatchObject([{ token: "first" }]);
    expect(kinds(driver.do({ kind: "account", token: "mine" }))).toEqual(["open-socket"]); // the greeting named the older one
    expect(sent(driver.do({ kind: "socket-open" }))).toMatchObject([{ token: "mine" }]);
    driver.hear(lobby());
    expect(kinds(driver.do({ kind: "account", token: "mine" }))).toEqual(["open-socket"]);
    expect(driver.status).toMatchObject({ phase: "connecting", place: "lobby", trouble: "none", asking: false });
    driver.do({ kind: "socket-open" });
    driver.hear(lobby({ account: true }));
    expect(driver.status).toMatchObject({ phase: "lobby", lobby: { account: true } });
  });

  it("leaves a call alone when the account changes", () => {
    driver.enter();
    expect(driver.do({ kind: "account", token: "mine" })).toEqual([]);
    driver.do({ kind: "socket-closed" });
    driver.passUntil("open-socket");
    expect(sent(driver.do({ kind: "socket-open" }))).toMatchObject([{ token: "mine", keep_media: true }]);
  });

  it("shows a remembered token, and is back in the seat without a lobby", () => {
    driver = new Driver({ resume: "old", order: 5, entry: ENTRY });
    driver.do({ kind: "open" });
    expect(sent(driver.do({ kind: "socket-open" }))).toMatchObject([{ type: "hello", resume: "old", keep_media: false }]);
    expect(kinds(driver.hear(welcome()))).toEqual(["open-peer"]);
    expect(driver.status.place).toBe("call");
  });

  it("comes to the lobby with a token that the server does not know, and asks for the old place", () => {
    driver = new Driver({ resume: "old", order: 5, entry: ENTRY });
    driver.greet();
    expect(driver.status.phase).toBe("lobby");
    expect(sent(driver.join())).toMatchObject([{ type: "join", order: 5 }]);
  });

  it("ignores what comes out of order", () => {
    driver.do({ kind: "open" });
    expect(driver.hear({ type: "answer", sdp: "a" })).toEqual([]);
    expect(driver.hear(lobby())).toEqual([]);
    expect(driver.hear(welcome())).toEqual([]);
    expect(driver.do({ kind: "offer", sdp: "o" })).toEqual([]);
    expect(driver.do({ kind: "control-open" })).toEqual([]);
    expect(driver.do({ kind: "open" })).toEqual([]);
    expect(driver.status).toMatchObject({ phase: "connecting", place: "door" });
  });

  it("ignores messages of a newer server and text that is no message", () => {
    driver.greet();
    expect(driver.do({ kind: "socket-text", text: '{"type":"fireworks"}' })).toEqual([]);
    expect(driver.do({ kind: "socket-text", text: "hello" })).toEqual([]);
  });

  it("passes on what the server tells", () => {
    driver.enter();
    const state = roomState([]);
    expect(driver.hear(state)).toEqual([{ kind: "told", message: state }]);
    const speaking = { type: "speaking", participants: [1] } as const;
    expect(driver.hearControl({ ...speaking, participants: [1] })).toEqual([{ kind: "told", message: speaking }]);
  });
});

describe("microphone and camera", () => {
  it("are told with the join and behind the offer, never before it", () => {
    driver.greet();
    driver.do({ kind: "presence", muted: true, camera: false });
    expect(sent(driver.join())).toMatchObject([{ type: "join", muted: true }]);
    expect(types(driver.hear(welcome()))).toEqual([]);
    expect(types(driver.do({ kind: "presence", muted: false, camera: false }))).toEqual([]);
    expect(sent(driver.do({ kind: "offer", sdp: "o" }))).toEqual([
      { type: "offer", sdp: "o", place: ANYWHERE },
      { type: "presence", muted: false, camera: false },
    ]);
  });

  it("are told only when the server does not know them yet", () => {
    driver.greet();
    driver.do({ kind: "presence", muted: true, camera: true });
    driver.join();
    driver.hear(welcome());
    expect(types(driver.do({ kind: "offer", sdp: "o" }))).toEqual(["offer"]);
    expect(types(driver.do({ kind: "presence", muted: true, camera: true }))).toEqual([]);
    expect(types(driver.do({ kind: "presence", muted: false, camera: true }))).toEqual(["presence"]);
  });

  it("are told by a page that was loaded again, as they may have changed", () => {
    driver = new Driver({ resume: "old", order: 5, entry: ENTRY });
    driver.do({ kind: "open" });
    driver.resume();
    driver.do({ kind: "presence", muted: false, camera: true });
    expect(types(driver.do({ kind: "offer", sdp: "o" }))).toEqual(["offer", "presence"]);
  });

  it("do not undo what the host did while the socket was away", () => {
    driver.greet();
    driver.do({ kind: "presence", muted: false, camera: true });
    driver.join();
    driver.goLive();
    driver.do({ kind: "socket-closed" });
    driver.pass();
    expect(types(driver.resume({ media_kept: true }))).toEqual([]);
  });

  it("are told late when they changed while the socket was away", () => {
    driver.enter();
    driver.do({ kind: "socket-closed" });
    driver.pass();
    expect(types(driver.do({ kind: "presence", muted: true, camera: true }))).toEqual([]);
    expect(types(driver.resume({ media_kept: true }))).toEqual(["presence"]);
  });

  it("are nobody's business where the page only watches", () => {
    driver.greet({ role: "viewer" });
    driver.join({ name: "", avatar: "", watch: true });
    driver.hear(welcome({ participant: -1 }));
    driver.do({ kind: "presence", muted: true, camera: false });
    expect(types(driver.do({ kind: "offer", sdp: "o" }))).toEqual(["offer"]);
  });
});

describe("what is said of an attempt", () => {
  it("tells which step failed", () => {
    driver.do({ kind: "open" });
    driver.do({ kind: "socket-closed" });
    expect(driver.status).toMatchObject({ phase: "waiting", trouble: "unreachable" });
    driver.pass();
    driver.do({ kind: "socket-open" });
    expect(driver.status.trouble).toBe("none");
    driver.do({ kind: "socket-closed" });
    expect(driver.status.trouble).toBe("silent");
    driver.pass();
    driver.do({ kind: "socket-open" });
    driver.hear(lobby());
    expect(driver.status.trouble).toBe("none");
    driver.do({ kind: "socket-closed" });
    expect(driver.status).toMatchObject({ phase: "waiting", place: "lobby", trouble: "lost" });
    driver.pass();
    driver.do({ kind: "socket-open" });
    driver.hear(lobby());
    driver.join();
    driver.hear(welcome());
    driver.do({ kind: "peer-error" });
    expect(driver.status.trouble).toBe("no-webrtc");
  });

  it.each([
    ["an answer to the socket", "socket", "unreachable", 0],
    ["a greeting", "greeting", "silent", 1],
    ["a welcome", "welcome", "silent", 2],
    ["an offer of the browser", "offer", "no-webrtc", 3],
    ["an answer to the offer", "answer", "silent", 4],
  ])("says after a while that an attempt waits for %s, offers another one and gives it up later", (_what, step, trouble, steps) => {
    const way = [
      () => driver.do({ kind: "socket-open" }),
      () => (driver.hear(lobby()), driver.join()),
      () => driver.hear(welcome()),
      () => driver.do({ kind: "offer", sdp: "a=candidate:" }),
    ];
    driver.do({ kind: "open" });
    const since = driver.now;
    for (const take of way.slice(0, steps)) take();
    expect(waitForCall(driver.status).canTry).toBe(false);
    expect(driver.pass()).toEqual([{ kind: "status", status: driver.status }]);
    expect(driver.now - since).toBe(SLOW_AFTER);
    expect(driver.status).toMatchObject({ phase: "connecting", trouble: "none", slowStep: step });
    expect(waitForCall(driver.status).canTry).toBe(true);
    expect(kinds(driver.pass())).toEqual(["unknown-room", "close-peer", "close-socket"]);
    expect(driver.now - since).toBe(GIVE_UP_AFTER);
    expect(driver.status).toMatchObject({ phase: "waiting", trouble });
  });

  it("says of a slow attempt what it waits for now, and nothing once it is live", () => {
    driver.do({ kind: "open" });
    driver.pass();
    expect(driver.do({ kind: "socket-open" }).at(-1)).toMatchObject({ kind: "status", status: { slowStep: "greeting" } });
    driver.hear(lobby());
    expect(driver.status.slowStep).toBeNull();
    driver.join();
    driver.pass();
    expect(driver.status.slowStep).toBe("welcome");
    driver.goLive();
    expect(driver.status.slowStep).toBeNull();
  });

  it("offers to try at once all the time, from the first trouble until the call is live", () => {
    driver.do({ kind: "open" });
    driver.pass(); // slow
    for (let i = 0; i < 30; i++) {
      expect(waitForCall(driver.status).canTry).toBe(true);
      const outputs = driver.pass();
      if (outputs.some(({ kind }) => kind === "open-socket") && i % 2) {
        expect(waitForCall(driver.status).canTry).toBe(true);
        driver.do({ kind: "socket-open" }); // and then says nothing
      }
    }
    expect(driver.status.attempt).toBeGreaterThan(5);
  });

  it.each(["retry", "nudge"] as const)("begins an attempt under way anew at a %s, unless it is young", (kind) => {
    driver.greet();
    driver.join();
    driver.hear(welcome());
    driver.now += RESTART_AFTER - 1;
    expect(driver.do({ kind })).toEqual([]);
    driver.now += 1;
    expect(kinds(driver.do({ kind }))).toEqual(["unknown-room", "close-peer", "open-socket"]);
    expect(driver.status).toMatchObject({ phase: "connecting", attempt: 1, slowStep: null });
    expect(waitForCall(driver.status).canTry).toBe(true);
    expect(sent(driver.do({ kind: "socket-open" }))).toMatchObject([{ type: "hello", resume: "token", keep_media: false }]);
    const since = driver.now;
    driver.goLive();
    expect(driver.now).toBe(since);
    expect(driver.status.phase).toBe("live");
  });

  it.each([
    ["a=candidate:1", "blocked"],
    ["", "no-network"],
  ])("calls media that do not connect after the answer to '%s' %s, goes on waiting and tries again", (candidates, trouble) => {
    const answered = (): void => {
      driver.do({ kind: "offer", sdp: candidates });
      driver.hear({ type: "answer", sdp: "answer" });
    };
    driver.greet();
    driver.join();
    driver.hear(welcome());
    answered();
    const since = driver.now;
    driver.pass();
    expect(driver.now - since).toBe(BLOCKED_AFTER);
    expect(driver.status).toMatchObject({ phase: "connecting", trouble });
    expect(waitForCall(driver.status)).toMatchObject({ canTry: true, sentence: expect.stringContaining("no") });
    driver.pass();
    expect(driver.status).toMatchObject({ phase: "waiting", trouble });
    expect(kinds(driver.pass())).toEqual(["open-socket"]);
    driver.resume();
    answered();
    expect(driver.status.trouble).toBe(trouble);
    driver.do({ kind: "control-open" });
    expect(driver.status.trouble).toBe("none");
  });

  it.each([
    ["before its offer", false, "no-network"],
    ["after the answer", true, "blocked"],
  ])("says of a peer connection that fails %s what is likely", (_when, isAnswered, trouble) => {
    driver.greet();
    driver.join();
    driver.hear(welcome());
    if (isAnswered) {
      driver.do({ kind: "offer", sdp: "a=candidate:1" });
      driver.hear({ type: "answer", sdp: "a" });
    }
    driver.do({ kind: "peer-state", state: "failed" });
    expect(driver.status).toMatchObject({ phase: "waiting", trouble });
  });
});

describe("leaving", () => {
  it("says goodbye and stops everything", () => {
    driver.enter();
    const outputs = driver.do({ kind: "leave" });
    expect(types(outputs)).toEqual(["bye"]);
    expect(kinds(outputs)).toEqual(["send", "unknown-room", "close-peer", "close-socket"]);
    expect(driver.machine.wakeAt).toBe(Infinity);
    expect(driver.do({ kind: "socket-closed" })).toEqual([]);
    expect(driver.status).toMatchObject({ phase: "left", seat: null });
  });

  it("says goodbye from the lobby, too, and to nobody before the socket is open", () => {
    driver.do({ kind: "open" });
    expect(types(driver.do({ kind: "leave" }))).toEqual([]);
    driver.greet();
    expect(types(driver.do({ kind: "leave" }))).toEqual(["bye"]);
  });

  it("leads back to the lobby, without the old seat", () => {
    driver.enter();
    driver.do({ kind: "leave" });
    driver.do({ kind: "open" });
    expect(sent(driver.do({ kind: "socket-open" }))).toMatchObject([{ type: "hello", resume: "" }]);
    driver.hear(lobby());
    expect(driver.status).toMatchObject({ phase: "lobby", asking: false, again: false });
  });
});
