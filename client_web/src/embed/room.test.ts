import { expect, it } from "vitest";
import { ReadError } from "./read";
import { roomAddress } from "./room";

const BASE = "https://www.example.org/page";

it.each([
  ["https://call.example.org/room/KEY", "", "https://call.example.org/room/KEY?embed"],
  ["https://call.example.org/room/KEY?autojoin=1#x", "white", "https://call.example.org/room/KEY?embed"],
  ["/room/KEY", "transparent", "https://www.example.org/room/KEY?transparent"],
])("shows %s", (link, background, address) => {
  expect(roomAddress(link, BASE, background)).toBe(address);
});

it.each(["https://call.example.org/admin", "javascript:alert(1)//room/x", "data:text/html,/room/x", "https://", "https://call.example.org/room/", "https://call.example.org/setup/room/x"])("does not show %s", (link) => {
  expect(() => roomAddress(link, BASE, "")).toThrow(ReadError);
});
