import { beforeEach, expect, it } from "vitest";
import { TokenStore } from "../avatars/token_store";
import { AVATAR } from "../testing/fake_api";
import { DeskApi, type DeskOrder } from "./api";

type Answer = { status?: number; body?: unknown };

let asked: { line: string; request: RequestInit }[];
let answers: Answer[];
let tokens: TokenStore;
let api: DeskApi;
let signedOut: string[];

beforeEach(() => {
  [asked, answers, signedOut, tokens] = [[], [], [], new TokenStore(null)];
  api = new DeskApi(tokens, (path, request = {}) => {
    const token = (request.headers as Record<string, string> | undefined)?.authorization ?? "";
    asked.push({ line: `${request.method ?? "GET"} ${String(path)} ${token}`.trim(), request });
    const { status = 200, body = {} } = answers.shift() ?? {};
    return Promise.resolve(new Response(status === 204 ? null : JSON.stringify(body), { status }));
  });
  api.signedOut = (sentence) => signedOut.push(sentence);
});

it("is signed in after the set-up, and after signing in", async () => {
  answers.push({ body: { token: "t1" } }, { body: { token: "t2" } });
  await api.setUp({ key: "k", login: "ada", name: "Ada", password: "secret" });
  expect(JSON.parse(String(asked[0]?.request.body))).toEqual({ key: "k", login: "ada", name: "Ada", password: "secret" });
  expect(tokens.value).toBe("t1");
  await api.signIn("ada", "secret");
  expect(asked.map(({ line }) => line)).toEqual(["POST /api/setup", "POST /api/sessions"]);
  expect(tokens.value).toBe("t2");
  expect(api.isSignedIn).toBe(true);
});

it("is signed out when the server refuses the token, and says why", async () => {
  tokens.set("t");
  answers.push({ status: 401, body: { detail: "this sign-in has expired; sign in again" } });
  await expect(api.me()).rejects.toThrow("This sign-in has expired; sign in again.");
  expect(signedOut).toEqual(["This sign-in has expired; sign in again."]);
  expect(api.isSignedIn).toBe(false);
});

it("keeps a token that came while an older one was refused", async () => {
  tokens.set("old");
  answers.push({ status: 401, body: { detail: "no" } });
  const refused = api.me();
  tokens.set("new");
  await expect(refused).rejects.toThrow();
  expect(tokens.value).toBe("new");
  expect(signedOut).toEqual([]);
});

it("is not signed out by what is only not allowed", async () => {
  tokens.set("t");
  answers.push({ status: 409, body: { detail: "the last admin cannot be erased" } });
  await expect(api.erasePerson("p")).rejects.toMatchObject({ status: 409, message: "The last admin cannot be erased." });
  expect(tokens.value).toBe("t");
});

it("reads lists to their end", async () => {
  tokens.set("t");
  const people = Array.from({ length: 200 }, (_, index) => ({ id: `p${index}` }));
  answers.push({ body: { items: people, next: "p199" } }, { body: { items: [{ id: "last" }], next: null } }, { body: { items: [AVATAR], next: "a1" } }, { body: { items: [AVATAR], next: null } });
  expect(await api.people()).toHaveLength(201);
  expect(await api.avatars()).toHaveLength(2);
  expect(asked.map(({ line }) => line)).toEqual([
    "GET /api/people?limit=200&after= Bearer t",
    "GET /api/people?limit=200&after=p199 Bearer t",
    "GET /api/avatars?limit=200&after= Bearer t",
    "GET /api/avatars?limit=200&after=a1 Bearer t",
  ]);
});

it("orders an avatar for somebody else, with the consent on file", async () => {
  answers.push({ body: AVATAR });
  const order: DeskOrder = { photos: [new Blob(["one"]), new Blob(["two"])], clip: null, key: "k1", owner: "p1", name: "Bo", subject: "Bo B", consent: "Bo agreed.", quality: "high", keepPhoto: false };
  expect(await api.enroll(order, new AbortController().signal)).toEqual(AVATAR);
  const { body, headers } = asked[0]?.request ?? {};
  expect((headers as Record<string, string>)["idempotency-key"]).toBe("k1");
  expect((body as FormData).getAll("photos")).toHaveLength(2);
  const { photos: _, ...fields } = Object.fromEntries(body as FormData);
  expect(fields).toEqual({ owner: "p1", name: "Bo", subject: "Bo B", consent: "Bo agreed.", quality: "high", agreed: "true", keep_photo: "false" });
});

it("orders a better one of a clip", async () => {
  answers.push({ body: AVATAR });
  await api.improve("a1", { photos: [], clip: new Blob(["film"]), key: "k2", subject: "Bo B", consent: "Bo agreed.", quality: "standard", keepPhoto: true });
  expect(asked[0]?.line).toBe("POST /api/avatars/a1/better Bearer");
  const body = asked[0]?.request.body as FormData;
  expect([...body.keys()]).toEqual(["clip", "subject", "consent", "quality", "agreed", "keep_photo"]);
});

it("changes an avatar only as it was seen", async () => {
  answers.push({ body: AVATAR });
  await api.share({ ...AVATAR, quality: "instant", owner: "p1" }, true);
  expect((asked[0]?.request.headers as Record<string, string>)["if-match"]).toBe('"3"');
});
