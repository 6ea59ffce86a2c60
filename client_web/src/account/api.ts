/** One's own account: what it is called, its password, and the sign-ins at an OpenID provider that lead to it. No DOM. */
import type { Request } from "../api_request";
import { readWays, type SignInWays } from "../sign_in";

export interface Account {
  login: string | null;
  name: string;
  signs_in: "password" | "provider" | "link";
}

/** `provider`: its host name. `created`: seconds since 1970. */
export interface Linked {
  id: string;
  provider: string;
  created: number;
}

export class AccountApi {
  constructor(
    /** Asks with the account's token; throws an `ApiError` unless the answer is a success. */
    private readonly request: (path: string, request?: Request) => Promise<Response>,
    /** All sign-ins have ended, and this token is a new one. */
    private readonly adopt: (token: string) => void,
    private readonly fetcher: typeof fetch = (...call) => fetch(...call),
  ) {}

  async me(): Promise<Account> {
    return (await (await this.request("/me")).json()) as Account;
  }

  ways(): Promise<SignInWays> {
    return readWays(this.fetcher);
  }

  async linked(): Promise<Linked[]> {
    return ((await (await this.request("/me/identities")).json()) as { items: Linked[] }).items;
  }

  /** Begins to link a sign-in -> where to go for it. `password`: the own one. `back`: path of the page to come back to. */
  async link(password: string, back: string): Promise<string> {
    return ((await (await this.request("/me/identities", json("POST", { password, back }))).json()) as { address: string }).address;
  }

  async unlink(id: string): Promise<void> {
    await this.renewed(this.request(`/me/identities/${encodeURIComponent(id)}`, { method: "DELETE" }));
  }

  async changePassword(current: string, password: string): Promise<void> {
    await this.renewed(this.request("/me/password", json("PUT", { current, password })));
  }

  async signOutEverywhere(): Promise<void> {
    await this.request("/sessions", { method: "DELETE" });
  }

  private async renewed(answer: Promise<Response>): Promise<void> {
    this.adopt(((await (await answer).json()) as { token: string }).token);
  }
}

function json(method: string, what: object): Request {
  return { method, body: JSON.stringify(what), headers: { "content-type": "application/json" } };
}
