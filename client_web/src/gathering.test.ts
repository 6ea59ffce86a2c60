import { expect, it } from "vitest";
import { type CandidateType, GATHER_LIMIT, Gathering, RELAY_LIMIT } from "./gathering";

const server = (...urls: string[]): { urls: string[]; username: string; credential: string } => ({ urls, username: "", credential: "" });
const STUN = server("stun:a.example");
const TURN = server("stun:a.example", "turns:a.example:443?transport=tcp");

it.each<[string, (typeof STUN)[], boolean, CandidateType[], number]>([
  ["without a relay", [], false, [], GATHER_LIMIT],
  ["with STUN alone", [STUN], true, ["host"], GATHER_LIMIT],
  ["for a relay that has not answered", [STUN, TURN], false, ["host", null], RELAY_LIMIT],
  ["where the relay has answered", [TURN], true, ["host", "relay"], GATHER_LIMIT],
  ["where UDP leads out", [TURN], false, ["host", "srflx"], GATHER_LIMIT],
  ["where UDP leads out, but media were blocked", [TURN], true, ["host", "srflx"], RELAY_LIMIT],
])("waits %s", (_what, servers, wasBlocked, found, limit) => {
  const gathering = new Gathering(servers, wasBlocked);
  for (const type of found) gathering.add(type);
  expect(gathering.limit).toBe(limit);
  gathering.complete();
  expect(gathering.limit).toBe(0);
});
