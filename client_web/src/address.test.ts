import { expect, it } from "vitest";
import { readAddress } from "./address";

const at = (url: string): ReturnType<typeof readAddress> => readAddress(new URL(url));

it.each([
  ["http://h:1/call/k1", { role: "person", key: "k1", autojoin: false, socket: "ws://h:1/ws" }],
  ["https://h/view/k2?autojoin=1", { role: "viewer", key: "k2", autojoin: true, socket: "wss://h/ws" }],
  ["http://h/", { role: "person", key: "" }],
  ["http://h/call/", { role: "person", key: "" }],
  ["http://h/other/k", { role: "person", key: "" }],
  ["http://h/call/a%20b/", { role: "person", key: "a b" }],
  ["http://h/call/%E0%A4%A", { role: "person", key: "%E0%A4%A" }],
])("reads %s", (url, expected) => {
  expect(at(url)).toMatchObject(expected);
});
