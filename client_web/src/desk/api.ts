/** The server's REST API, as far as admins use it. */
import { ApiError, type Request, send } from "../api_request";
import type { Avatar, Job, Order } from "../avatars/api";
import type { EnrollmentApi } from "../avatars/enrollment";
import type { TokenStore } from "../avatars/token_store";

export type Role = "admin" | "member" | "guest";
export type Quality = "instant" | "standard" | "high";

export interface Person {
  id: string;
  /** null: a guest, who came by a room's link. */
  login: string | null;
  name: string;
  role: Role;
  disabled: boolean;
}

export interface PersonChange {
  name?: string;
  role?: Role;
  disabled?: boolean;
  password?: string;
}

export interface NewPerson {
  login: string;
  name: string;
  password: string;
  role: Role;
}

/** `owner`: id of the person whose avatar it is, where the server tells. */
export interface DeskAvatar extends Avatar {
  quality: Quality;
  owner?: string;
}

export interface DeskJob extends Job {
  id: string;
  /** Id of what is made. */
  avatar: string;
  quality: Quality;
}

/** `at`: seconds since 1970. `actor`, `object`: ids. */
export interface AuditEntry {
  id: number;
  at: number;
  actor: string;
  act: string;
  object: string;
  detail: Record<string, string | number | boolean>;
}

/** An avatar for somebody else. `others`: more photos of the same face. */
export interface DeskOrder extends Omit<Order, "photo" | "clip"> {
  photo: Blob;
  owner: string;
  quality: Quality;
  keepPhoto: boolean;
  others: Blob[];
}

/** Entries of the audit log in one answer. */
export const AUDIT_PAGE = 50;
const PEOPLE_PAGE = 200;
const AVATARS_PAGE = 100;
/** Parts of a list that are read at most. */
const MOST_PAGES = 20;

export class DeskApi implements EnrollmentApi<DeskOrder> {
  /** The token is not valid any more; called with the server's sentence. */
  signedOut: (sentence: string) => void = () => undefined;

  constructor(
    private readonly tokens: TokenStore,
    private readonly fetcher: typeof fetch = (...call) => fetch(...call),
  ) {}

  get isSignedIn(): boolean {
    return this.tokens.value !== "";
  }

  /** Makes the first admin, and is signed in as this admin. `key`: of the set-up link. */
  async setUp(admin: { key: string; login: string; name: string; password: string }): Promise<void> {
    this.tokens.set((await this.make<{ token: string }>("/setup", admin)).token);
  }

  async signIn(login: string, password: string): Promise<void> {
    this.tokens.set((await this.make<{ token: string }>("/sessions", { login, password })).token);
  }

  /** Here only. */
  signOut(): void {
    this.tokens.set("");
  }

  /** All tokens of this person end. */
  async signOutEverywhere(): Promise<void> {
    await this.request("/sessions", { method: "DELETE" });
    this.signOut();
  }

  me(): Promise<Person> {
    return this.read("/me");
  }

  async people(): Promise<Person[]> {
    const all: Person[] = [];
    for (let page = 0; page < MOST_PAGES; page++) {
      const found = await this.read<Person[]>(`/people?limit=${PEOPLE_PAGE}&after=${encodeURIComponent(all.at(-1)?.id ?? "")}`);
      all.push(...found);
      if (found.length < PEOPLE_PAGE) break;
    }
    return all;
  }

  addPerson(person: NewPerson): Promise<Person> {
    return this.make("/people", person, true);
  }

  async changePerson(id: string, change: PersonChange): Promise<Person> {
    return (await (await this.request(`/people/${id}`, json("PATCH", change))).json()) as Person;
  }

  async erasePerson(id: string): Promise<void> {
    await this.request(`/people/${id}`, { method: "DELETE" });
  }

  async avatars(): Promise<DeskAvatar[]> {
    const all: DeskAvatar[] = [];
    let after = "";
    for (let page = 0; page < MOST_PAGES; page++) {
      const { items, next } = await this.read<{ items: DeskAvatar[]; next: string | null }>(`/avatars?limit=${AVATARS_PAGE}&after=${encodeURIComponent(after)}`);
      all.push(...items);
      if (next === null) break;
      after = next;
    }
    return all;
  }

  avatar(id: string): Promise<DeskAvatar> {
    return this.read(`/avatars/${id}`);
  }

  /** Unless it has been changed elsewhere meanwhile. */
  async share(avatar: DeskAvatar, shared: boolean): Promise<DeskAvatar> {
    const { method, body, headers } = json("PATCH", { shared });
    const answer = await this.request(`/avatars/${avatar.id}`, { method, body, headers: { ...headers, "if-match": `"${avatar.version}"` } });
    return (await answer.json()) as DeskAvatar;
  }

  async erase(id: string): Promise<void> {
    await this.request(`/avatars/${id}`, { method: "DELETE" });
  }

  async preview(id: string): Promise<Blob> {
    return (await this.request(`/avatars/${id}/preview`)).blob();
  }

  async enroll({ photo, others, key, keepPhoto, ...fields }: DeskOrder, signal: AbortSignal): Promise<DeskAvatar> {
    const body = new FormData();
    for (const each of [photo, ...others]) body.append("photos", each, "photo");
    for (const [field, value] of Object.entries({ ...fields, agreed: "true", keep_photo: String(keepPhoto) })) body.append(field, value);
    return (await (await this.request("/avatars", { method: "POST", body, signal, headers: { "idempotency-key": key } })).json()) as DeskAvatar;
  }

  jobs(): Promise<DeskJob[]> {
    return this.read("/jobs");
  }

  async job(id: string, signal: AbortSignal): Promise<DeskJob> {
    return (await (await this.request(`/jobs/${id}`, { signal })).json()) as DeskJob;
  }

  async cancelJob(id: string): Promise<void> {
    await this.request(`/jobs/${id}/cancel`, { method: "POST" });
  }

  /** The newest entries, or the newest of those `before` an id. */
  audit(before: number | null): Promise<AuditEntry[]> {
    return this.read(`/audit?limit=${AUDIT_PAGE}${before === null ? "" : `&before=${before}`}`);
  }

  private async read<T>(path: string): Promise<T> {
    return (await (await this.request(path)).json()) as T;
  }

  private async make<T>(path: string, what: object, asAdmin = false): Promise<T> {
    const request = json("POST", what);
    return (await (await (asAdmin ? this.request(path, request) : send(this.fetcher, path, request))).json()) as T;
  }

  private async request(path: string, request: Request = {}): Promise<Response> {
    const token = this.tokens.value;
    try {
      return await send(this.fetcher, path, { ...request, headers: { ...request.headers, authorization: `Bearer ${token}` } });
    } catch (error) {
      if (error instanceof ApiError && error.status === 401 && token === this.tokens.value) {
        this.signOut();
        this.signedOut(error.message);
      }
      throw error;
    }
  }
}

function json(method: string, what: object): Required<Omit<Request, "signal">> {
  return { method, body: JSON.stringify(what), headers: { "content-type": "application/json" } };
}
