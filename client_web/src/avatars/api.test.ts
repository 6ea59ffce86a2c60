import { expect, it } from "vitest";
import { AVATAR, FakeApi } from "../testing/fake_api";
import { ApiError } from "./api";

const ORDER = { photo: new Blob(["photo"]), name: "Ada", subject: "Ada L", consent: "I agree to this.", key: "k1" };
const signal = new AbortController().signal;

it("makes a guest on first need, and sends what the server asks for", async () => {
  const fake = new FakeApi({ "POST /guests": [{ body: { token: "t1" } }], "POST /avatars": [{ body: AVATAR }] });
  const told: unknown[] = [];
  fake.api.tokenChanged = (...change) => told.push(change);
  expect(await fake.api.enroll(ORDER, signal)).toEqual(AVATAR);
  await fake.api.enroll(ORDER, signal);
  expect(fake.asked).toEqual(["POST /api/guests", "POST /api/avatars t1", "POST /api/avatars t1"]);
  expect(JSON.parse(String(fake.requests[0]?.body))).toEqual({ key: "room-key", name: "Ada L" });
  const { body, headers } = fake.requests[1] ?? {};
  expect((headers as Record<string, string>)["idempotency-key"]).toBe("k1");
  const { photos, ...fields } = Object.fromEntries(body as FormData);
  expect(fields).toEqual({ name: "Ada", subject: "Ada L", consent: "I agree to this.", agreed: "true", quality: "instant" });
  expect((photos as File).size).toBe(5);
  expect(told).toEqual([["t1", false]]);
});

it("becomes another guest when its token is refused, and says that the earlier one is gone", async () => {
  const refused = { status: 401, body: { detail: "this sign-in has expired; sign in again" } };
  const fake = new FakeApi({ "POST /guests": [{ body: { token: "t2" } }], "POST /avatars": [refused, { body: AVATAR }], "GET /avatars": [refused] });
  fake.tokens.set("old");
  const told: unknown[] = [];
  fake.api.tokenChanged = (...change) => told.push(change);
  await fake.api.enroll(ORDER, signal);
  expect(fake.asked).toEqual(["POST /api/avatars old", "POST /api/guests", "POST /api/avatars t2"]);
  expect(told).toEqual([["", true], ["t2", false]]);
  await expect(fake.api.avatars()).rejects.toMatchObject({ status: 401 });
  expect(fake.tokens.value).toBe("");
});

it.each([
  [{ status: 422, body: { detail: "no face was found; use another photo" } }, "No face was found; use another photo.", false],
  [{ status: 413, body: "<html>", type: "text" }, "This photo is too large: choose a smaller one.", false],
  [{ status: 502, body: "<html>", type: "text" }, "The server refused (502): try again in a moment.", true],
  [{ status: 500, body: { detail: 7 } }, "The server refused (500): try again in a moment.", false],
  [{ status: 503, body: { detail: "the store cannot be used now" } }, "The store cannot be used now.", true],
  ["unreachable" as const, "The server cannot be reached: check the connection, then try again.", true],
])("tells a refusal in one sentence: %j", async (reply, sentence, passes) => {
  const fake = new FakeApi({ "GET /avatars/a1": [reply] });
  const error = await fake.api.avatar("a1").catch((refusal: unknown) => refusal);
  expect(error).toBeInstanceOf(ApiError);
  expect(error).toMatchObject({ message: sentence, passes });
});

it("reads all pages of the own avatars, and leaves those of others out", async () => {
  const fake = new FakeApi({ "GET /avatars": [{ body: { items: [AVATAR, { ...AVATAR, mine: false }], next: "a1" } }, { body: { items: [AVATAR], next: null } }] });
  expect(await fake.api.avatars()).toHaveLength(2);
  expect(fake.asked[1]).toContain("after=a1");
});

it("changes only what it has seen, and forgets the token with everything else", async () => {
  const fake = new FakeApi({ "PATCH /avatars/a1": [{ body: AVATAR }], "DELETE /me": [{ status: 204 }] });
  fake.tokens.set("t");
  await fake.api.change(AVATAR, { shared: true });
  expect(fake.requests[0]).toMatchObject({ body: '{"shared":true}', headers: { "if-match": '"3"' } });
  await fake.api.eraseAll();
  expect(fake.tokens.value).toBe("");
});
