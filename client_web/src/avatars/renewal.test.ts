import { expect, it } from "vitest";
import { isAccount, renew } from "./renewal";
import { TokenStore } from "./token_store";

const NOW = 1_790_000_000;

function store(claims: unknown): TokenStore {
  const tokens = new TokenStore(null);
  tokens.set(`h.${btoa(JSON.stringify(claims)).replace(/=+$/, "")}.s`);
  return tokens;
}

async function asked(tokens: TokenStore, answer: () => Response = () => new Response('{"token": "next"}', { status: 201 })): Promise<string[]> {
  const calls: string[] = [];
  await renew(tokens, NOW, (path, request) => {
    calls.push(`${request?.method} ${String(path)} ${(request?.headers as Record<string, string>).authorization}`);
    return Promise.resolve(answer());
  });
  return calls;
}

it("has a guest's token renewed once a day", async () => {
  const tokens = store({ role: "guest", iat: NOW - 90_000 });
  const before = tokens.value;
  expect(await asked(tokens)).toEqual([`POST /api/sessions/renewal Bearer ${before}`]);
  expect(tokens.value).toBe("next");
});

it.each([{ role: "guest", iat: NOW - 100 }, { role: "member", iat: NOW - 90_000 }, { role: "guest" }, null, "x"])("leaves other tokens alone: %j", async (claims) => {
  expect(await asked(store(claims))).toEqual([]);
});

it.each(["", "nonsense", "a.%.b"])("leaves what is no token alone: %s", async (token) => {
  const tokens = new TokenStore(null);
  tokens.set(token);
  expect(await asked(tokens)).toEqual([]);
});

it("knows an account's token from a guest's", () => {
  expect(["admin", "member", "guest", undefined].map((role) => isAccount(store({ role }).value))).toEqual([true, true, false, false]);
  expect(isAccount("")).toBe(false);
});

it("keeps the token when it cannot be renewed, and one that came meanwhile", async () => {
  const tokens = store({ role: "guest", iat: 0 });
  const before = tokens.value;
  await asked(tokens, () => new Response("{}", { status: 401 }));
  expect(tokens.value).toBe(before);
  await asked(tokens, () => {
    tokens.set("newer");
    return new Response('{"token": "next"}', { status: 201 });
  });
  expect(tokens.value).toBe("newer");
});
