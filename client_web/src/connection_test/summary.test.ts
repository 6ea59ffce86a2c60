import { expect, it } from "vitest";
import { explain } from "../media_errors";
import type { IceServer, Role } from "../protocol";
import { play } from "../testing/connection_test";
import { ConnectionTest, type Result } from "./checks";
import { reportOf, summaryOf } from "./summary";

const RELAYS: IceServer[] = [{ urls: ["turn:relay.example.org"], username: "user", credential: "secret" }];
const NO_CAMERA: Result = { kind: "device", trouble: explain("missing", ["video"], "chromium"), label: "" };
const BLOCKED: Result = { kind: "path", outcome: { kind: "blocked" } };
const DEAD: Result = { kind: "path", outcome: { kind: "no-relay", code: 701, words: "" } };
const THROUGH: Result = { kind: "sent", outcome: { kind: "connected", milliseconds: 30, relayed: true } };
const INSECURE: Result = { kind: "page", isSecure: false };

it("says what is tested now", () => {
  const test = new ConnectionTest();
  expect(summaryOf(test)).toEqual({ verdict: "running", sentence: "Testing…" });
  test.next();
  expect(summaryOf(test).sentence).toBe("Testing: secure page…");
});

it.each<[string, Record<string, Result>, { role?: Role; relays?: IceServer[] }, string, RegExp]>([
  ["all is well", {}, {}, "good", /^Your calls will work\.$/],
  ["a viewer on plain http", { page: INSECURE }, { role: "viewer" }, "good", /^Your calls will work\.$/],
  ["only the relay works", { direct: BLOCKED, sending: THROUGH }, { relays: RELAYS }, "good", /^Your calls will work through the relay\.$/],
  ["only the relay fails", { relay: DEAD }, { relays: RELAYS }, "limited", /^Your calls will work from this network\. A relay fails/],
  ["there is no camera", { camera: NO_CAMERA }, {}, "limited", /^Your calls will work, but not with your camera\. No camera was found/],
  ["the page is insecure", { page: INSECURE }, {}, "limited", /but not with your camera and microphone\. .*--tls/],
  ["UDP is blocked", { direct: BLOCKED }, {}, "bad", /^Calls will not work yet\. No UDP packet/],
  ["neither way works", { direct: BLOCKED, relay: DEAD }, { relays: RELAYS }, "bad", /^Calls will not work yet\. Nothing answers at relay\.example\.org/],
  ["no picture comes", { receiving: { kind: "received", width: 0, height: 0, packets: 0, isReady: true } }, {}, "bad", /no picture comes/],
  ["there is no server", { signalling: { kind: "not-greeted", why: "unreachable", message: "" } }, {}, "bad", /^No WebSocket/],
  ["the room is locked", { direct: { kind: "path", outcome: { kind: "refused", code: "locked", message: "it is locked" } } }, {}, "unknown", /^Nothing is wrong as far as .* It is locked\.$/],
])("sums up that %s", (_, script, room, verdict, sentence) => {
  const test = new ConnectionTest();
  play(test, script, room);
  expect(summaryOf(test)).toEqual({ verdict, sentence: expect.stringMatching(sentence) });
});

it("reports in plain text, without a secret", () => {
  const test = new ConnectionTest();
  play(test, { relay: DEAD }, { relays: RELAYS });
  const report = reportOf(test, "call.example.org", "Browser/1.0", new Date("2026-01-02T03:04:05Z"));
  expect(report).toMatch(/^Visavis connection test\n2026-01-02 03:04 UTC, server call\.example\.org\nBrowser\/1\.0\n\nYour calls/);
  expect(report).toContain("[Fails] Relay over UDP (relay.example.org:3478): Nothing answers");
  expect(report).toContain("[Works] Camera: “Webcam” gives a signal.");
  expect(report).not.toContain("secret");
});
