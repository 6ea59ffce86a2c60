/** The server's REST API, as far as one's own avatars go. The guest's token is made on first need. */
import { ApiError, type Request, send } from "../api_request";
import { AccountApi } from "../account/api";
import type { TokenStore } from "./token_store";

export { ApiError };

/** Something good or weak about an avatar. `advice`: what to do; may be empty. */
export interface Remark {
  topic: string;
  good: boolean;
  sentence: string;
  advice: string;
}

export interface Avatar {
  id: string;
  name: string;
  state: "waiting" | "ready" | "failed";
  quality: "instant" | "standard" | "high";
  /** What is weak about it, one sentence each. */
  notes: string[];
  /** What is weak about it first, then what is good. */
  report: Remark[];
  /** Whether there are pictures from all around. */
  turntable: boolean;
  /** The job that makes it better at the moment. */
  improving: string | null;
  may_improve: boolean;
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
  /** Whether its avatar can be used already. */
  usable: boolean;
  /** Counts the pictures of what it is at. */
  previews: number;
}

/** What an avatar is made of: a photo or a clip. `subject`: who is seen. `consent`: the words that were agreed to. */
export interface Order {
  photo: Blob | null;
  clip?: Blob | null;
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

  /** Of whoever has signed in. */
  get account(): AccountApi {
    return new AccountApi((path, request) => this.request(path, request), (token) => this.adopt(token), this.fetcher);
  }

  /** Signs in to an account, instead of being a guest. */
  async signIn(login: string, password: string): Promise<void> {
    const request = { method: "POST", body: JSON.stringify({ login, password }), headers: { "content-type": "application/json" } };
    this.adopt(((await (await this.send("/sessions", request)).json()) as { token: string }).token);
  }

  /** Orders an avatar; the answer names its job. */
  async enroll(wanted: Order, signal: AbortSignal): Promise<Avatar> {
    const { name, subject, key, clip } = wanted;
    const order = (): Promise<Response> => {
      const body = bodyOf(wanted, { name, quality: clip ? "standard" : "instant" });
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

  /** Orders that an avatar that is there is made better; the answer names the job. */
  async improve(id: string, wanted: Order, signal: AbortSignal): Promise<Avatar> {
    const body = bodyOf(wanted, { quality: "standard" });
    return (await (await this.request(`/avatars/${id}/better`, { method: "POST", body, signal, headers: { "idempotency-key": wanted.key } })).json()) as Avatar;
  }

  /** What it has made so far stays. */
  async cancelJob(id: string): Promise<void> {
    await this.request(`/jobs/${id}/cancel`, { method: "POST" });
  }

  /** A picture of what the job is at. */
  async jobPreview(id: string): Promise<Blob> {
    return (await this.request(`/jobs/${id}/preview`)).blob();
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

  /** Square pictures from all around, side by side. */
  async turntable(id: string): Promise<Blob> {
    return (await this.request(`/avatars/${id}/turntable`)).blob();
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
    this.adopt(((await answer.json()) as { token: string }).token);
  }

  private adopt(token: string): void {
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

function bodyOf({ photo, clip, subject, consent }: Order, fields: Record<string, string>): FormData {
  const body = new FormData();
  if (photo) body.append("photos", photo, "photo");
  if (clip) body.append("clip", clip, "clip");
  for (const [field, value] of Object.entries({ ...fields, subject, consent, agreed: "true" })) body.append(field, value);
  return body;
}
