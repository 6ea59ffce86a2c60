import { expect, it } from "vitest";
import { AVATAR } from "../testing/fake_api";
import type { Person } from "./api";
import { Directory } from "./directory";

const person = (id: string, name: string, login: string | null = id): Person => ({
  id,
  name,
  login,
  role: login === null ? "guest" : "member",
  signs_in: login === null ? "link" : "password",
  disabled: false,
  version: 1,
});
const ADA = person("p1", "Ada");

it("knows who is who, accounts before guests, by name", async () => {
  const api = { people: () => Promise.resolve([person("p3", "Zoe", null), person("p2", "Bo"), ADA]), avatars: () => Promise.resolve([{ ...AVATAR, quality: "high" as const, owner: "p1" }]) };
  const directory = new Directory(api, { ...ADA, name: "Ada before" });
  expect(directory.nameOf("p1")).toBe("");
  await directory.refresh();
  expect(directory.accounts.map(({ name }) => name)).toEqual(["Ada", "Bo"]);
  expect(directory.guests.map(({ name }) => name)).toEqual(["Zoe"]);
  expect(directory.nameOf("p3")).toBe("Zoe");
  expect(directory.nameOf(AVATAR.id)).toBe(AVATAR.name);
  expect(directory.nameOf("gone")).toBe("");
  expect(directory.me).toEqual(ADA);
});

it("keeps what it knew when the server cannot be asked", async () => {
  let fails = false;
  const api = { people: () => (fails ? Promise.reject(new Error()) : Promise.resolve([ADA])), avatars: () => Promise.reject(new Error()) };
  const directory = new Directory(api, ADA);
  await directory.refresh();
  fails = true;
  await directory.refresh();
  expect(directory.nameOf("p1")).toBe("Ada");
  expect(directory.avatars).toBeNull();
});
