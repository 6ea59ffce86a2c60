/** The order of the checks and what each outcome comes to. */
import { beforeEach, describe, expect, it } from "vitest";
import { explain } from "../media_errors";
import type { IceServer } from "../protocol";
import { PICTURE, play, RELAYED } from "../testing/connection_test";
import { ConnectionTest, type PathOutcome, type Result, withoutRelays } from "./checks";

const NO_RELAY: PathOutcome = { kind: "no-relay", code: 701, words: "" };
const FULL: PathOutcome = { kind: "refused", code: "full", message: "all seats are taken" };
const TURN: IceServer = { urls: ["stun:a", "turn:a:80?transport=tcp", "turns:a"], username: "u", credential: "secret" };

let test: ConnectionTest;

beforeEach(() => {
  test = new ConnectionTest();
});

function states(): string[] {
  return test.checks.map(({ kind, state }) => `${kind} ${state}`);
}

it("makes every check once, one after the other", () => {
  expect(play(test)).toEqual(["page", "signalling", "camera", "microphone", "direct", "sending", "receiving"]);
  expect(test.checks.every(({ state }) => state === "passed")).toBe(true);
  expect(test.next()).toBeNull();
  test.done(PICTURE);
  expect(test.isOver).toBe(true);
});

it("checks each relay by its own URL, once it knows them", () => {
  expect(play(test, {}, { relays: [TURN] })).toEqual(["page", "signalling", "camera", "microphone", "direct", "relay", "relay", "sending", "receiving"]);
  expect(test.of("relay").map(({ title, relay }) => [title, relay])).toEqual([
    ["Relay over TCP (a:80)", { ...TURN, urls: ["turn:a:80?transport=tcp"] }],
    ["Relay over TLS (a:5349)", { ...TURN, urls: ["turns:a"] }],
  ]);
  expect(withoutRelays([TURN, { ...TURN, urls: ["turn:a"] }])).toEqual([{ ...TURN, urls: ["stun:a"] }]);
});

it("asks for no device on an insecure page, but goes on", () => {
  expect(play(test, { page: { kind: "page", isSecure: false } })).not.toContain("camera");
  expect(states()).toEqual(["page failed", "signalling passed", "camera untested", "microphone untested", "direct passed", "sending passed", "receiving passed"]);
  expect(test.of("page")[0]?.text).toContain("--tls");
});

it("wants no device and no secure page of whoever only watches", () => {
  expect(play(test, { page: { kind: "page", isSecure: false } }, { role: "viewer" })).toEqual(["page", "signalling", "direct", "sending", "receiving"]);
  expect(states().slice(0, 4)).toEqual(["page untested", "signalling passed", "camera untested", "microphone untested"]);
});

it("tests no media without a server", () => {
  expect(play(test, { signalling: { kind: "not-greeted", why: "unreachable", message: "" } })).toEqual(["page", "signalling", "camera", "microphone"]);
  expect(states().slice(4)).toEqual(["direct untested", "sending untested", "receiving untested"]);
});

it.each(["silent", "refused"] as const)("says what is wrong with a server that is %s", (why) => {
  play(test, { signalling: { kind: "not-greeted", why, message: "there is no room" } });
  expect(test.of("signalling")[0]).toMatchObject({ state: "failed", text: why === "silent" ? expect.stringContaining("says nothing") : "There is no room." });
});

it("names the device's trouble, and goes on", () => {
  const trouble = explain("denied", ["video"], "firefox");
  play(test, { camera: { kind: "device", trouble, label: "" }, microphone: { kind: "unanswered" } });
  expect(test.of("camera")[0]).toMatchObject({ state: "failed", text: trouble.sentence });
  expect(test.of("microphone")[0]).toMatchObject({ state: "untested", text: expect.stringContaining("not answered") });
  expect(test.state("receiving")).toBe("passed");
});

describe("a room without a place", () => {
  it.each(["full", "busy", "locked"])("that is %s leaves the media untested, with the server's words", (code) => {
    const outcome: PathOutcome = { ...FULL, code };
    expect(play(test, { direct: { kind: "path", outcome } }, { relays: [TURN] })).not.toContain("relay");
    expect(test.checks.filter(({ state }) => state === "untested")).toHaveLength(5);
    expect(test.of("receiving")[0]?.text).toContain("All seats are taken.");
  });

  it("may become so in the middle", () => {
    play(test, { sending: { kind: "sent", outcome: FULL } });
    expect(states().slice(4)).toEqual(["direct passed", "sending untested", "receiving untested"]);
  });

  it("is something else than a server that cannot give media", () => {
    play(test, { direct: { kind: "path", outcome: { kind: "refused", code: "media", message: "no UDP port is free" } } });
    expect(test.of("direct")[0]).toMatchObject({ state: "failed", text: "No UDP port is free." });
  });
});

describe("without UDP", () => {
  const direct: Result = { kind: "path", outcome: { kind: "blocked" } };

  it("a call that has no relay is not tried", () => {
    expect(play(test, { direct })).not.toContain("sending");
    expect(test.of("direct")[0]?.text).toContain("UDP ports");
    expect(test.state("receiving")).toBe("untested");
  });

  it("a relay carries the call", () => {
    expect(play(test, { direct, sending: { kind: "sent", outcome: RELAYED } }, { relays: [TURN] })).toContain("receiving");
    expect(test.of("sending")[0]?.text).toContain("through the relay");
  });

  it("a relay that fails leaves the call untried", () => {
    expect(play(test, { direct, relay: { kind: "path", outcome: NO_RELAY } }, { relays: [TURN] })).not.toContain("sending");
  });
});

it.each([
  [NO_RELAY, "port 80 (TCP)"],
  [{ ...NO_RELAY, words: "STUN host lookup received error." }, "The name a is not known"],
  [{ ...NO_RELAY, code: 401 }, "password"],
  [{ ...NO_RELAY, code: 486 }, "quota"],
  [{ ...NO_RELAY, code: 403 }, "error 403"],
  [{ ...NO_RELAY, code: 0 }, "Nothing answers at a"],
  [{ kind: "blocked" }, "do not reach the server"],
  [{ kind: "silent" }, "did not answer"],
  [{ kind: "no-webrtc" }, "WebRTC"],
] as [PathOutcome, string][])("a relay's check that ends with %j says %s, and never the password", (outcome, words) => {
  play(test, { relay: { kind: "path", outcome } }, { relays: [TURN] });
  const [check] = test.of("relay");
  expect(check).toMatchObject({ state: "failed", text: expect.stringContaining(words) });
  expect(check?.text).not.toContain("secret");
});

it("says of a relay over TLS that it may be the certificate", () => {
  play(test, { relay: { kind: "path", outcome: NO_RELAY } }, { relays: [{ ...TURN, urls: ["turns:[::1]:443"] }] });
  expect(test.of("relay")[0]).toMatchObject({ title: "Relay over TLS ([::1]:443)", text: expect.stringMatching(/certificate .* port 443 \(TCP\)/) });
});

it.each([
  [{ packets: 3, isReady: true }, "decode"],
  [{ packets: 0, isReady: false }, "makes no pictures yet"],
  [{ packets: 0, isReady: true }, "log"],
])("says why no picture is seen: %j", (found, word) => {
  play(test, { receiving: { kind: "received", width: 0, height: 0, ...found } });
  expect(test.of("receiving")[0]).toMatchObject({ state: "failed", text: expect.stringContaining(word) });
});

it("goes on after a check that broke off", () => {
  play(test, { direct: { kind: "broken" } });
  expect(states().slice(4)).toEqual(["direct failed", "sending untested", "receiving untested"]);
});
