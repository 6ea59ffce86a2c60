import { expect, it } from "vitest";
import { readAddress } from "./address";

const at = (url: string): ReturnType<typeof readAddress> => readAddress(new URL(url));

it.each([
  ["http://h:1/room/k1", { key: "k1", autojoin: false, socket: "ws://h:1/ws" }],
  ["https://h/room/k2?autojoin=1", { key: "k2", autojoin: true, socket: "wss://h/ws" }],
  ["http://h/", { key: "" }],
  ["http://h/room/", { key: "" }],
  ["http://h/call/k", { key: "" }],
  ["http://h/room/a%20b/", { key: "a b" }],
  ["http://h/room/%E0%A4%A", { key: "%E0%A4%A" }],
])("reads %s", (url, expected) => {
  expect(at(url)).toMatchObject(expected);
});
