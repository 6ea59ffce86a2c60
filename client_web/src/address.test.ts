import { expect, it } from "vitest";
import { readAddress, roomAddress, testAddress } from "./address";

const at = (url: string): ReturnType<typeof readAddress> => readAddress(new URL(url));

it.each([
  ["http://h:1/room/k1", { key: "k1", autojoin: false, socket: "ws://h:1/ws" }],
  ["https://h/room/k2?autojoin=1", { key: "k2", autojoin: true, socket: "wss://h/ws" }],
  ["http://h/room/k?embed", { key: "k", bare: "embed" }],
  ["http://h/room/k?transparent&embed", { key: "k", bare: "transparent" }],
  ["http://h/room/k?embedded", { key: "k", bare: "" }],
  ["http://h/connection-test/k3", { key: "k3", isTest: true }],
  ["http://h/room/connection-test", { key: "connection-test", isTest: false }],
  ["http://h/", { key: "" }],
  ["http://h/room/", { key: "" }],
  ["http://h/call/k", { key: "" }],
  ["http://h/room/a%20b/", { key: "a b" }],
  ["http://h/room/%E0%A4%A", { key: "%E0%A4%A" }],
])("reads %s", (url, expected) => {
  expect(at(url)).toMatchObject(expected);
});

it("leads from a room to its connection test and back", () => {
  expect(testAddress("/room/a%2Fb")).toBe("/connection-test/a%2Fb");
  expect(roomAddress("/connection-test/a%2Fb")).toBe("/room/a%2Fb");
});
