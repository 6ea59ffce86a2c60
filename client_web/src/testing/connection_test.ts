/** A connection test that is played through, for tests. */
import { expect } from "vitest";
import { type ConnectionTest, type PathOutcome, type Result } from "../connection_test/checks";
import type { IceServer, Role } from "../protocol";
import { lobby } from "./messages";

export const CONNECTED: PathOutcome = { kind: "connected", milliseconds: 20, relayed: false };
export const RELAYED: PathOutcome = { ...CONNECTED, relayed: true };
export const PICTURE: Result = { kind: "received", width: 512, height: 512, packets: 9, isReady: true };

/** Results that differ from a network where all is well, by the check's kind. */
type Script = Partial<Record<string, Result>>;

/** Runs the test to its end -> the checks that were made. */
export function play(test: ConnectionTest, script: Script = {}, { role = "host" as Role, relays = [] as IceServer[] } = {}): string[] {
  const well: Record<string, Result> = {
    page: { kind: "page", isSecure: true },
    signalling: { kind: "greeted", lobby: lobby({ role, ice_servers: relays }), milliseconds: 10 },
    camera: { kind: "device", trouble: null, label: "Webcam" },
    microphone: { kind: "device", trouble: null, label: "" },
    direct: { kind: "path", outcome: CONNECTED },
    relay: { kind: "path", outcome: RELAYED },
    sending: { kind: "sent", outcome: CONNECTED },
    receiving: PICTURE,
  };
  const made: string[] = [];
  for (let check = test.next(); check; check = test.next()) {
    expect(test.checks.filter(({ state }) => state === "running")).toEqual([check]);
    made.push(check.kind);
    test.done({ ...well, ...script }[check.kind] as Result);
  }
  expect(test.isOver).toBe(true);
  expect(test.checks.every(({ text }) => /[.!]$/.test(text))).toBe(true);
  return made;
}
