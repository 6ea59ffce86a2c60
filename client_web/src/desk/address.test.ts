import { expect, it } from "vitest";
import { readDeskAddress, readSection } from "./address";

it.each([
  ["/admin", { setup: null }],
  ["/admin/", { setup: null }],
  ["/admin/x", null],
  ["/setup/k-1", { setup: "k-1" }],
  ["/setup/a%20b/c", { setup: "a b/c" }],
  ["/setup/%ff", { setup: "%ff" }],
  ["/setup", { setup: "" }],
  ["/room/k", null],
  ["/", null],
])("knows the desk's addresses: %s", (path, address) => {
  expect(readDeskAddress(path)).toEqual(address);
});

it.each([
  ["", "people", ""],
  ["#audit", "audit", ""],
  ["#enroll/p1", "enroll", "p1"],
  ["#enroll/%zz", "enroll", "%zz"],
  ["#nonsense/p1", "people", ""],
])("knows the section of %s", (hash, section, item) => {
  expect(readSection(hash)).toEqual({ section, item });
});
