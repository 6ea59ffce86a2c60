/** The server's REST API, as far as one's own avatars go. The guest's token is made on first need. */
import { ApiError, type Request, send } from "../api_request";
import type { TokenStore } from "./token_store";

export { ApiError };

export interface Avatar {
  id: string;
  name: string;
  state: "waiting" | "ready" | "failed";
  /** What is weak about it, one sentence each. */
  notes: string[];
  shared: boolean;
  mine: boolean;
  /** Counts changes. */
  version: number;
  job: string | null;
}

export interface Job {
  state: "waiting" | "running" | "done" | "failed" | "cancelled";
  stage: string;
  /** Part of all work that is done, [0, 1]. */
  progress: number;
  /** Jobs that come first. */
  ahead: number;
  /** Why it failed. */
  error: string;
}

/** What an avatar is made of. `subject`: who is seen. `consent`: the words that were agreed to. */
export interface Order {
  photo: Blob;
  name: string;
  subject: string;
  consent: string;
  /** The same for each try, so that it is made once. */
  key: string;
}

/** Pages of the list that are read at most. */
const MOST_PAGES = 10;

export class Api {
  /** Called with the new token, and after one was refused: avatars of this browser are gone then. */
  tokenChanged: (token: string, refused: boolean) => void = () => undefined;

  constructor(
    /** Of the room. */
    private readonly key: string,
    private readonly tokens: TokenStore,
    private readonly fetcher: typeof fetch = (...call) => fetch(...call),
  ) {}

  /** Orders an avatar; the answer names its job. */
  async enroll({ photo, name, subject, consent, key }: Order, signal: AbortSignal): Promise<Avatar> {
    const order = (): Promise<Response> => {
      const body = new FormData();
      body.append("photos", photo, "photo");
      for (const [field, value] of Object.entries({ name, subject, consent, agreed: "true", quality: "instant" })) body.append(field, value);
      return this.request("/avatars", { method: "POST", body, signal, headers: { "idempotency-key": key } });
    };
    if (!this.tokens.value) await this.becomeGuest(subject, signal);
    try {
      return (await (await order()).json()) as Avatar;
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 401) throw error;
      await this.becomeGuest(subject, signal);
      return (await (await order()).json()) as Avatar;
    }
  }

  async job(id: string, signal: AbortSignal): Promise<Job> {
    return (await (await this.request(`/jobs/${id}`, { signal })).json()) as Job;
  }

  async avatar(id: string): Promise<Avatar> {
    return (await (await this.request(`/avatars/${id}`)).json()) as Avatar;
  }

  /** The own ones. */
  async avatars(): Promise<Avatar[]> {
    const all: Avatar[] = [];
    let after = "";
    for (let page = 0; page < MOST_PAGES; page++) {
      const answer = await this.request(`/avatars?limit=100&after=${encodeURIComponent(after)}`);
      const { items, next } = (await answer.json()) as { items: Avatar[]; next: string | null };
      all.push(...items.filter(({ mine }) => mine));
      if (next === null) break;
      after = next;
    }
    return all;
  }

  /** Renames or shares, unless it has been changed elsewhere meanwhile. */
  async change(avatar: Avatar, change: { name?: string; shared?: boolean }): Promise<Avatar> {
    const headers = { "content-type": "application/json", "if-match": `"${avatar.version}"` };
    return (await (await this.request(`/avatars/${avatar.id}`, { method: "PATCH", body: JSON.stringify(change), headers })).json()) as Avatar;
  }

  /** Erases it and all that it was made of; one that is being made, too. */
  async erase(id: string): Promise<void> {
    await this.request(`/avatars/${id}`, { method: "DELETE" });
  }

  async preview(id: string): Promise<Blob> {
    return (await this.request(`/avatars/${id}/preview`)).blob();
  }

  /** For the page's own renderer (`render/web_avatar.ts`). */
  async webAvatar(id: string): Promise<ArrayBuffer> {
    return (await this.request(`/avatars/${id}/web`)).arrayBuffer();
  }

  async file(id: string): Promise<Blob> {
    return (await this.request(`/avatars/${id}/file`)).blob();
  }

  /** Everything that the server has of this guest, as a ZIP. */
  async exportAll(): Promise<Blob> {
    return (await this.request("/me/export")).blob();
  }

  /** Erases the guest with everything. */
  async eraseAll(): Promise<void> {
    await this.request("/me", { method: "DELETE" });
    this.forget(false);
  }

  /** The token is not valid any more. */
  forget(refused: boolean): void {
    this.tokens.drop();
    this.tokenChanged("", refused);
  }

  private async becomeGuest(name: string, signal: AbortSignal): Promise<void> {
    if (this.tokens.reread()) return this.tokenChanged(this.tokens.value, false);
    const body = JSON.stringify({ key: this.key, name: name.slice(0, 64) });
    const answer = await this.send("/guests", { method: "POST", body, headers: { "content-type": "application/json" }, signal });
    const { token } = (await answer.json()) as { token: string };
    this.tokens.set(token);
    this.tokenChanged(token, false);
  }

  private async request(path: string, request: Request = {}): Promise<Response> {
    try {
      return await this.send(path, { ...request, headers: { ...request.headers, authorization: `Bearer ${this.tokens.value}` } });
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) this.forget(true);
      throw error;
    }
  }

  private send(path: string, request: Request): Promise<Response> {
    return send(this.fetcher, path, request);
  }
}
