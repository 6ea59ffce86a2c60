import { describe, expect, test } from "vitest";
import type { Request } from "../api_request";
import { AccountApi } from "./api";

function api(answers: Record<string, object>): { account: AccountApi; asked: [string, Request][]; tokens: string[] } {
  const [asked, tokens]: [[string, Request][], string[]] = [[], []];
  const request = async (path: string, request: Request = {}): Promise<Response> => {
    asked.push([path, request]);
    return new Response(JSON.stringify(answers[path] ?? {}));
  };
  return { account: new AccountApi(request, (token) => tokens.push(token)), asked, tokens };
}

describe("the own account", () => {
  test("a link begins with the own password, and says where to go", async () => {
    const { account, asked } = api({ "/me/identities": { address: "https://id.example/authorize" } });
    expect(await account.link("secret", "/admin")).toBe("https://id.example/authorize");
    expect(asked[0]?.[1]).toMatchObject({ method: "POST", body: '{"password":"secret","back":"/admin"}' });
  });

  test("what ends all sign-ins goes on with a new one", async () => {
    const { account, tokens, asked } = api({ "/me/identities/a%2Fb": { token: "one" }, "/me/password": { token: "two" } });
    await account.unlink("a/b");
    await account.changePassword("old", "new");
    expect(tokens).toEqual(["one", "two"]);
    expect(asked.map(([path, { method }]) => [path, method])).toEqual([["/me/identities/a%2Fb", "DELETE"], ["/me/password", "PUT"]]);
  });
});
