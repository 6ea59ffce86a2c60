import { describe, expect, it, vi } from "vitest";
import type { Participant } from "../protocol";
import { type WebAvatar, WebAvatarError } from "../render/web_avatar";
import { AvatarUnavailable } from "./fetch_avatar";
import { RoomAvatars } from "./room_avatars";

const person = (id: number, web_avatar: string): Participant => ({ id, name: `P${id}`, host: false, seated: true, muted: false, camera: true, web_avatar });
const avatar = (name: string): WebAvatar => ({ coefficients: [name] }) as unknown as WebAvatar;

type Coarse = (avatar: WebAvatar) => void;

function room(load: (address: string, coarse: Coarse) => Promise<WebAvatar>): { avatars: RoomAvatars; told: string[]; asked: string[] } {
  const [told, asked]: string[][] = [[], []];
  const avatars = new RoomAvatars(
    {
      arrived: (id, { coefficients }) => told!.push(`${id} has ${coefficients[0]}`),
      left: (id) => told!.push(`${id} left`),
      failed: (id, sentence) => told!.push(`${id} failed: ${sentence}`),
    },
    (address, _signal, coarse) => {
      asked!.push(address);
      return load(address, coarse);
    },
  );
  return { avatars, told: told!, asked: asked! };
}

const settle = (): Promise<void> => vi.advanceTimersByTimeAsync(0).then(() => undefined);

describe("the avatars of a room", () => {
  it("are fetched once, again when they change, and forgotten when their people go", async () => {
    vi.useFakeTimers();
    const { avatars, told, asked } = room((address) => Promise.resolve(avatar(address)));
    const people = [person(1, "/a"), person(2, "/b"), person(3, "")];
    avatars.update(people);
    expect(avatars.hasAll(people.slice(0, 2))).toBe(false);
    await settle();
    expect([avatars.hasAll(people.slice(0, 2)), avatars.hasAll(people)]).toEqual([true, false]);
    avatars.update([person(1, "/a"), person(2, "/c"), person(3, "/d")]);
    await settle();
    avatars.update([person(1, "/a")]);
    expect(asked).toEqual(["/a", "/b", "/c", "/d"]);
    expect(told).toEqual(["1 has /a", "2 has /b", "2 has /c", "3 has /d", "2 left", "3 left"]);
  });

  it("are tried twice where the server does not give them, and not where they are none", async () => {
    vi.useFakeTimers();
    const { avatars, told, asked } = room((address) => Promise.reject(address === "/gone" ? new AvatarUnavailable("Gone.") : new WebAvatarError("None.")));
    avatars.update([person(1, "/gone"), person(2, "/none")]);
    await settle();
    expect(told).toEqual(["2 failed: None."]);
    await vi.advanceTimersByTimeAsync(1_100);
    expect(told).toEqual(["2 failed: None.", "1 failed: Gone."]);
    expect(asked).toEqual(["/gone", "/none", "/gone"]);
  });

  it("that were swapped while they were fetched are not shown, not even coarse", async () => {
    vi.useFakeTimers();
    const late: (() => void)[] = [];
    const { avatars, told } = room((address, coarse) => new Promise((resolve) => late.push(() => (coarse(avatar(`${address} coarse`)), resolve(avatar(address))))));
    avatars.update([person(1, "/old")]);
    avatars.update([person(1, "/new")]);
    late[1]!();
    await settle();
    late[0]!();
    await settle();
    expect(told).toEqual(["1 has /new coarse", "1 has /new"]);
    expect(avatars.hasAll([person(1, "/new")])).toBe(true);
  });

  it("are of use once the coarse ones of all are there", async () => {
    vi.useFakeTimers();
    const { avatars } = room((address, coarse) => (address === "/slow" ? new Promise(() => undefined) : new Promise(() => coarse(avatar(address)))));
    const people = [person(1, "/a"), person(2, "/slow")];
    avatars.update(people);
    await settle();
    expect([avatars.hasSomeOfAll(people), avatars.hasSomeOfAll(people.slice(0, 1)), avatars.hasAll(people.slice(0, 1))]).toEqual([false, true, false]);
    avatars.close();
  });

  it("that come too late are not shown", async () => {
    vi.useFakeTimers();
    const { avatars, told } = room((address) => Promise.resolve(avatar(address)));
    avatars.update([person(1, "/a")]);
    avatars.close();
    await settle();
    expect(told).toEqual([]);
  });
});
