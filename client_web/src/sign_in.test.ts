import { expect, it } from "vitest";
import { fetchToken, outcomeOf, readWays, signInAddress } from "./sign_in";

it.each([
  ["", ""],
  ["#people", ""],
  ["#sign-in/done", "done"],
  ["#sign-in/DONE", ""],
])("knows what became of a sign-in: %s", (hash, outcome) => {
  expect(outcomeOf(hash)).toBe(outcome);
});

it.each(["refused", "failed", "disabled", "something"])("has a sentence for what went wrong: %s", (outcome) => {
  expect(outcomeOf(`#sign-in/${outcome}`)).toHaveProperty("sentence", expect.stringMatching(/^The|^This/));
});

it("asks the server", async () => {
  const asked: string[] = [];
  const fetcher = (path: unknown, request?: RequestInit): Promise<Response> => {
    asked.push(`${request?.method ?? "GET"} ${String(path)}`);
    return Promise.resolve(new Response(JSON.stringify({ passwords: false, provider: "p", token: "t" })));
  };
  expect((await readWays(fetcher)).provider).toBe("p");
  expect(await fetchToken(fetcher)).toBe("t");
  expect(asked).toEqual(["GET /api/sign-in", "POST /api/sign-in/token"]);
  expect(signInAddress("/room/a&b")).toBe("/api/sign-in/begin?back=%2Froom%2Fa%26b");
});
