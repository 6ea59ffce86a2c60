import { beforeEach, expect, it, vi } from "vitest";
import { AVATAR } from "../testing/fake_api";
import { lobby } from "../testing/messages";
import { OwnAvatars } from "./own_avatars";
import { TokenStore } from "./token_store";
import { TOKEN_REFUSED } from "./words";

let told: unknown[][];
let tokens: TokenStore;
let own: OwnAvatars;

beforeEach(() => {
  [told, tokens] = [[], new TokenStore(null)];
  tokens.set("t");
  own = new OwnAvatars("key", { account: (...a) => told.push(["account", ...a]), told: (...a) => told.push(["told", ...a]), made: ({ id }) => told.push(["made", id]), improved: ({ id }) => told.push(["improved", id]) }, tokens);
  vi.spyOn(own.api, "avatars").mockResolvedValue([AVATAR]);
});

it("reads the list once for each greeting", async () => {
  const here = lobby({ account: true, enrolls: true });
  own.met(here);
  own.met(here);
  expect(own.api.avatars).toHaveBeenCalledTimes(1);
  await vi.waitFor(() => expect(own.all).toEqual([AVATAR]));
  expect(own.isNewcomer).toBe(false);
  expect(told).toEqual([]);
});

it("drops a token that the server does not know, and says what that means", () => {
  own.met(lobby({ account: false, enrolls: false })); // a server without accounts
  expect(own.token).toBe("t");
  own.met(lobby({ account: false, enrolls: true }));
  expect(told).toEqual([["told", TOKEN_REFUSED], ["account", ""]]);
  expect(own.isNewcomer).toBe(true);
  own.met(lobby({ account: false, enrolls: true }));
  expect(told).toHaveLength(2);
});

it("chooses the new avatar, and greets the server again", () => {
  own.enrollment.making = { state: "done", avatar: AVATAR, trouble: "" };
  own.enrollment.changed();
  expect(told).toEqual([["made", "a1"], ["account", "t"]]);
});

it("tells once that an avatar can be used, and then that it is better; one that did not get better is not told again", () => {
  const better = { state: "better" as const, avatar: AVATAR, job: "j1", ahead: 0, stage: "refining", progress: 0.1, previews: 0 };
  for (const progress of [0.1, 0.2]) {
    own.enrollment.making = { ...better, progress };
    own.enrollment.changed();
  }
  own.enrollment.making = { state: "done", avatar: AVATAR, trouble: "no face" };
  own.enrollment.changed();
  expect(told).toEqual([["made", "a1"], ["account", "t"]]);
  own.enrollment.making = { state: "done", avatar: { ...AVATAR, quality: "standard" }, trouble: "" };
  own.enrollment.changed();
  expect(told.slice(2)).toEqual([["improved", "a1"], ["account", "t"]]);
});

it("goes on with what is made better after the page was loaded again", async () => {
  const busy = { ...AVATAR, improving: "j7" };
  vi.spyOn(own.api, "avatars").mockResolvedValue([AVATAR, busy]);
  const resume = vi.spyOn(own.enrollment, "resume").mockResolvedValue();
  await own.refresh();
  expect(resume).toHaveBeenCalledWith(busy);
});
