/** A guest's token lasts for some weeks; while it is used, the page has it renewed once a day. No DOM. */
import { send } from "../api_request";
import type { TokenStore } from "./token_store";

const DAY = 86_400;

/** `now`: seconds since 1970. What does not work is tried again the next time. */
export async function renew(tokens: TokenStore, now: number, fetcher: typeof fetch = (...call) => fetch(...call)): Promise<void> {
  const token = tokens.value;
  const { role, iat } = claimsOf(token);
  if (role !== "guest" || typeof iat !== "number" || now - iat < DAY) return;
  try {
    const answer = await send(fetcher, "/sessions/renewal", { method: "POST", headers: { authorization: `Bearer ${token}` } });
    const { token: next } = (await answer.json()) as { token: string };
    if (tokens.value === token) tokens.set(next);
  } catch {
    // Refused or unreachable: whatever needs the token says so.
  }
}

/** Whether it is an account's, not a guest's; this page cannot tell whether it still holds. */
export function isAccount(token: string): boolean {
  const { role } = claimsOf(token);
  return role === "admin" || role === "member";
}

/** What a token says of itself (RFC 7519); nothing for what is none. */
function claimsOf(token: string): { role?: unknown; iat?: unknown } {
  try {
    const part = (token.split(".")[1] ?? "").replace(/-/g, "+").replace(/_/g, "/");
    const claims: unknown = JSON.parse(atob(part));
    return typeof claims === "object" && claims !== null ? claims : {};
  } catch {
    return {};
  }
}
