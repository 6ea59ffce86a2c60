/** What the page does where the server says no. */
import { beforeEach, describe, expect, it } from "vitest";
import { Driver, kinds, sent, types } from "./testing/driver";
import { failure, lobby, welcome } from "./testing/messages";

let driver: Driver;

beforeEach(() => {
  driver = new Driver();
});

describe("at the door", () => {
  it("stops at a final one and shows its sentence", () => {
    driver.do({ kind: "open" });
    driver.do({ kind: "socket-open" });
    expect(kinds(driver.hear(failure("not_found", { final: true })))).toEqual(["unknown-room", "close-peer", "close-socket"]);
    expect(driver.status).toMatchObject({ phase: "failed", message: "It is not_found.", again: false });
    expect(driver.machine.wakeAt).toBe(Infinity);
    expect(kinds(driver.do({ kind: "open" }))).toEqual(["open-socket"]);
    expect(driver.status.message).toBe("");
  });

  it.each([
    [5, 5000],
    [0, 0],
    [-3, 0],
    [1e9, 60_000],
  ])("tries again after another, when the server asks for %d s", (retry_after, wait) => {
    driver.do({ kind: "open" });
    driver.do({ kind: "socket-open" });
    driver.hear(failure("full", { retry_after }));
    expect(driver.status).toMatchObject({ phase: "waiting", trouble: "told", message: "It is full." });
    expect(driver.machine.wakeAt - driver.now).toBe(wait);
    expect(kinds(driver.pass())).toEqual(["open-socket"]);
  });
});

describe("in the lobby", () => {
  beforeEach(() => void driver.greet());

  it.each(["full", "busy", "avatar"])("stays there when it is %s, and lets the person choose again", (code) => {
    driver.join();
    driver.hear(failure(code, { may_watch: true }));
    expect(driver.status).toMatchObject({ phase: "lobby", place: "lobby", asking: false, refusal: { code, may_watch: true } });
    expect(driver.machine.wakeAt).toBe(Infinity);
    expect(sent(driver.join({ name: "Ada", avatar: "", watch: true }))).toMatchObject([{ type: "join", watch: true }]);
    driver.hear(welcome({ participant: -1 }));
    expect(driver.status).toMatchObject({ place: "call", refusal: null });
  });

  it("asks again where the server says when, until it is let in", () => {
    driver.join();
    driver.hear(failure("locked", { retry_after: 5 }));
    expect(driver.status).toMatchObject({ phase: "lobby", asking: true, refusal: { code: "locked" } });
    const since = driver.now;
    expect(types(driver.pass())).toEqual(["join"]);
    expect(driver.now - since).toBe(5000);
    driver.hear(failure("locked", { retry_after: 5 }));
    expect(types(driver.do({ kind: "nudge" }))).toEqual(["join"]);
    driver.hear(welcome());
    expect(driver.status.place).toBe("call");
  });

  it("no longer asks once the person has stopped waiting", () => {
    driver.join();
    driver.hear(failure("locked", { retry_after: 5 }));
    driver.do({ kind: "stay" });
    expect(driver.status).toMatchObject({ phase: "lobby", asking: false, refusal: null });
    expect(driver.machine.wakeAt).toBe(Infinity);
  });

  it("goes on asking after the socket was lost", () => {
    driver.join();
    driver.hear(failure("locked", { retry_after: 5 }));
    driver.do({ kind: "socket-closed" });
    expect(driver.status).toMatchObject({ phase: "waiting", place: "lobby" });
    driver.pass();
    driver.do({ kind: "socket-open" });
    expect(types(driver.hear(lobby()))).toEqual(["join"]);
  });

  it("takes a refused message as no news of itself, and a final word as the end", () => {
    expect(kinds(driver.hear(failure("bad_message")))).toEqual(["told"]);
    expect(driver.status.phase).toBe("lobby");
    driver.hear(failure("ended", { final: true }));
    expect(driver.status.phase).toBe("failed");
  });
});

describe("in a call", () => {
  beforeEach(() => driver.enter());

  it.each(["bad_message", "not_allowed", "not_found"])("goes on after %s, which is told", (code) => {
    expect(kinds(driver.hear(failure(code)))).toEqual(["told"]);
    expect(driver.status.phase).toBe("live");
  });

  it.each(["removed", "ended"])("is over when it was %s, and the seat is forgotten", (code) => {
    const outputs = driver.hear(failure(code, { final: true }));
    expect(outputs).toContainEqual({ kind: "remember", seat: null });
    expect(driver.status).toMatchObject({ phase: "failed", again: true, message: `It is ${code}.` });
    driver.do({ kind: "open" });
    expect(sent(driver.do({ kind: "socket-open" }))).toMatchObject([{ resume: "" }]);
  });

  it("connects again after others, not before the server wants it", () => {
    driver.hear(failure("media", { retry_after: 5 }));
    expect(driver.status).toMatchObject({ phase: "waiting", trouble: "told" });
    expect(driver.machine.wakeAt - driver.now).toBe(5000);
  });

  it("goes back to the lobby for another avatar when that one cannot be shown", () => {
    driver.hear(failure("avatar", { final: true }));
    expect(kinds(driver.pass())).toEqual(["open-socket"]);
    driver.do({ kind: "socket-open" });
    expect(types(driver.hear(lobby()))).toEqual([]);
    expect(driver.status).toMatchObject({ phase: "lobby", seat: null, asking: false, refusal: { code: "avatar" } });
  });

  it("falls back to the lobby when the room is full after a restart, and keeps the order", () => {
    driver.do({ kind: "control-closed" });
    driver.pass();
    driver.do({ kind: "socket-open" });
    driver.hear(lobby());
    expect(kinds(driver.hear(failure("full", { may_watch: true })))).toEqual(["unknown-room", "close-peer"]);
    expect(driver.status).toMatchObject({ phase: "lobby", place: "lobby", seat: null });
    expect(sent(driver.join())).toMatchObject([{ type: "join", order: 2 }]);
  });
});
