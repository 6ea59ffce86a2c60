/** Signing in at the server's OpenID provider: there and back. No DOM. */
import { send } from "./api_request";

export interface SignInWays {
  passwords: boolean;
  /** Name of the OpenID provider; empty without one. */
  provider: string;
}

const OUTCOMES: Record<string, string> = {
  refused: "The sign-in did not work: it took too long, or was begun in another browser. Sign in again.",
  failed: "The sign-in service cannot be reached now: try again in a moment.",
  disabled: "This account is disabled: ask an admin.",
  linked: "Your account is linked: that sign-in leads here from now on.",
  taken: "This sign-in has an account of its own here: use another one, or erase that account first.",
};

/** What became of a sign-in, as the fragment of the address says: `done`, a sentence for what went wrong, or empty without one. */
export function outcomeOf(hash: string): "" | "done" | { sentence: string } {
  const outcome = /^#sign-in\/([a-z]+)$/.exec(hash)?.[1];
  if (outcome === undefined) return "";
  return outcome === "done" ? "done" : { sentence: OUTCOMES[outcome] ?? "The sign-in did not work: sign in again." };
}

/** Where a sign-in begins. `back`: path of the page to come back to. */
export function signInAddress(back: string): string {
  return `/api/sign-in/begin?back=${encodeURIComponent(back)}`;
}

export async function readWays(fetcher: typeof fetch): Promise<SignInWays> {
  return (await (await send(fetcher, "/sign-in", {})).json()) as SignInWays;
}

/** The token of whoever has just come back. */
export async function fetchToken(fetcher: typeof fetch): Promise<string> {
  return ((await (await send(fetcher, "/sign-in/token", { method: "POST" })).json()) as { token: string }).token;
}
