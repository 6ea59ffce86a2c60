/** A server's REST API for tests: answers from a list, and remembers what it was asked. */
import { Api, type Avatar } from "../avatars/api";
import { TokenStore } from "../avatars/token_store";

export type Reply = { status?: number; body?: unknown; type?: string } | "unreachable";

export const AVATAR: Avatar = { id: "a1", name: "Ada", state: "waiting", quality: "instant", notes: [], report: [], turntable: false, improving: null, may_improve: false, shared: false, mine: true, version: 3, job: "j1" };

export class FakeApi {
  /** "POST /api/guests guest-token" */
  readonly asked: string[] = [];
  readonly requests: RequestInit[] = [];
  readonly tokens = new TokenStore(null);
  readonly api: Api;

  /** `replies`: what is asked ("GET /avatars") -> answers in order, of which the last stays. */
  constructor(private readonly replies: Record<string, Reply[]>) {
    this.api = new Api("room-key", this.tokens, async (path, request = {}) => {
      const { method = "GET", headers, signal } = request;
      const authorization = (headers as Record<string, string> | undefined)?.authorization?.replace("Bearer ", "") ?? "";
      this.asked.push(`${method} ${String(path)} ${authorization}`.trim());
      this.requests.push(request);
      await Promise.resolve();
      signal?.throwIfAborted();
      const list = this.replies[`${method} ${String(path).replace("/api", "").replace(/\?.*/, "")}`] ?? [{ status: 404, body: { detail: "nothing here" } }];
      const reply = (list.length > 1 ? list.shift() : list[0]) ?? "unreachable";
      if (reply === "unreachable") throw new TypeError("Failed to fetch");
      const { status = 200, body = {}, type = "json" } = reply;
      return new Response(status === 204 ? null : type === "json" ? JSON.stringify(body) : String(body), { status });
    });
  }
}
