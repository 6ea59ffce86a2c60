/** The server's REST API, as far as admins use it. */
import { AccountApi } from "../account/api";
import { ApiError, type Request, send } from "../api_request";
import type { Avatar, Job, Order } from "../avatars/api";
import type { EnrollmentApi } from "../avatars/enrollment";
import type { TokenStore } from "../avatars/token_store";
import { fetchToken, readWays, type SignInWays } from "../sign_in";

export type Role = "admin" | "member" | "guest";
export type Quality = "instant" | "standard" | "high";

export interface Person {
  id: string;
  /** null: a guest, who came by a room's link. */
  login: string | null;
  name: string;
  role: Role;
  /** With a password, at an OpenID provider, or not at all, having come by a room's link. */
  signs_in: "password" | "provider" | "link";
  disabled: boolean;
  /** Counts changes. */
  version: number;
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
  owner: string | null;
}

export interface DeskJob extends Job {
  id: string;
  /** Id of what is made. */
  avatar: string;
  quality: Quality;
  owner: string | null;
  /** It has failed, and its photos are still there. */
  may_retry: boolean;
}

/** `created`: seconds since 1970. `pictures`: drawn a second. `links`: addresses for a host, a person, a viewer. */
export interface Room {
  id: string;
  name: string;
  owner: string | null;
  created: number;
  /** The one that is always there. */
  first: boolean;
  open: boolean;
  people: number;
  viewers: number;
  pictures: number;
  links: { host?: string; person?: string; viewer?: string };
}

/** `key`: there when it is made, and never again. */
export interface ApiKey {
  id: string;
  name: string;
  owner: string;
  created: number;
  key: string | null;
}

export interface Limits {
  avatars: number;
  jobs: number;
  rooms: number;
  rooms_each: number;
  /** Counts changes. */
  version: number;
}

export type LimitName = Exclude<keyof Limits, "version">;

/** `uptime`, `oldest`: seconds; `free`, `total`: bytes. */
export interface Health {
  uptime: number;
  versions: Record<string, string>;
  disk: { free: number; total: number; low: boolean } | null;
  queue: { waiting: number; running: number; failed: number; oldest: number };
  store: { database: string; encrypted: boolean; people: number; guests: number; avatars: number };
  rooms: { kept: number; open: number; people: number; viewers: number; pictures: number };
}

interface Part<T> {
  items: T[];
  /** Where the next part begins; null: this was the last. */
  next: string | null;
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

/** An avatar for somebody else, made of photos, the most frontal one first, of a clip, or of both. */
export interface DeskOrder extends Omit<Order, "photo" | "clip"> {
  photos: Blob[];
  clip: Blob | null;
  owner: string;
  quality: Quality;
  keepPhoto: boolean;
}

/** A better one in the place of an avatar that is there. */
export type BetterOrder = Omit<DeskOrder, "owner" | "name">;

/** Entries of the audit log in one answer. */
export const AUDIT_PAGE = 50;
const JOBS_PAGE = 100;
const LIST_PAGE = 200;
/** Parts of a list that are read at most. */
const MOST_PAGES = 20;

export class DeskApi implements Omit<EnrollmentApi<DeskOrder>, "improve"> {
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

  /** Of whoever sits here. */
  get account(): AccountApi {
    return new AccountApi((path, request) => this.request(path, request), (token) => this.tokens.set(token), this.fetcher);
  }

  /** After coming back from the OpenID provider. */
  async fetchToken(): Promise<void> {
    this.tokens.set(await fetchToken(this.fetcher));
  }

  ways(): Promise<SignInWays> {
    return readWays(this.fetcher);
  }

  me(): Promise<Person> {
    return this.read("/me");
  }

  people(): Promise<Person[]> {
    return this.all("/people");
  }

  addPerson(person: NewPerson): Promise<Person> {
    return this.make("/people", person, true);
  }

  /** Unless it has been changed elsewhere meanwhile. */
  changePerson({ id, version }: Person, change: PersonChange): Promise<Person> {
    return this.change(`/people/${id}`, version, change);
  }

  async erasePerson(id: string): Promise<void> {
    await this.request(`/people/${id}`, { method: "DELETE" });
  }

  avatars(): Promise<DeskAvatar[]> {
    return this.all("/avatars");
  }

  avatar(id: string): Promise<DeskAvatar> {
    return this.read(`/avatars/${id}`);
  }

  /** Unless it has been changed elsewhere meanwhile. */
  share(avatar: DeskAvatar, shared: boolean): Promise<DeskAvatar> {
    return this.change(`/avatars/${avatar.id}`, avatar.version, { shared });
  }

  async erase(id: string): Promise<void> {
    await this.request(`/avatars/${id}`, { method: "DELETE" });
  }

  async preview(id: string): Promise<Blob> {
    return (await this.request(`/avatars/${id}/preview`)).blob();
  }

  async enroll(order: DeskOrder, signal: AbortSignal): Promise<DeskAvatar> {
    return this.order("/avatars", order, signal);
  }

  async improve(id: string, order: BetterOrder): Promise<DeskAvatar> {
    return this.order(`/avatars/${id}/better`, order);
  }

  /** The newest ones. */
  async jobs(): Promise<DeskJob[]> {
    return (await this.read<Part<DeskJob>>(`/jobs?limit=${JOBS_PAGE}`)).items;
  }

  async job(id: string, signal: AbortSignal): Promise<DeskJob> {
    return (await (await this.request(`/jobs/${id}`, { signal })).json()) as DeskJob;
  }

  async retryJob(id: string): Promise<void> {
    await this.request(`/jobs/${id}/retry`, { method: "POST" });
  }

  async cancelJob(id: string): Promise<void> {
    await this.request(`/jobs/${id}/cancel`, { method: "POST" });
  }

  /** The newest entries, or those `after` the end of what was read before. */
  audit(after: string): Promise<Part<AuditEntry>> {
    return this.read(`/audit?limit=${AUDIT_PAGE}${after ? `&after=${after}` : ""}`);
  }

  rooms(): Promise<Room[]> {
    return this.all("/rooms");
  }

  addRoom(name: string): Promise<Room> {
    return this.make("/rooms", { name }, true);
  }

  /** Everybody leaves; the room stays. */
  async endRoom(id: string): Promise<void> {
    await this.request(`/rooms/${id}/end`, { method: "POST" });
  }

  /** Other links; everybody leaves, and the old ones open nothing. */
  async renewRoom(id: string): Promise<Room> {
    return (await (await this.request(`/rooms/${id}/links`, { method: "POST" })).json()) as Room;
  }

  async deleteRoom(id: string): Promise<void> {
    await this.request(`/rooms/${id}`, { method: "DELETE" });
  }

  keys(): Promise<ApiKey[]> {
    return this.all("/keys");
  }

  addKey(owner: string, name: string): Promise<ApiKey> {
    return this.make(`/people/${owner}/keys`, { name }, true);
  }

  async deleteKey({ id, owner }: ApiKey): Promise<void> {
    await this.request(`/people/${owner}/keys/${id}`, { method: "DELETE" });
  }

  limits(): Promise<Limits> {
    return this.read("/limits");
  }

  changeLimits({ version }: Limits, change: Partial<Record<LimitName, number>>): Promise<Limits> {
    return this.change("/limits", version, change);
  }

  health(): Promise<Health> {
    return this.read("/health");
  }

  private async all<T>(path: string): Promise<T[]> {
    const all: T[] = [];
    let after = "";
    for (let page = 0; page < MOST_PAGES; page++) {
      const { items, next } = await this.read<Part<T>>(`${path}?limit=${LIST_PAGE}&after=${encodeURIComponent(after)}`);
      all.push(...items);
      if (next === null) break;
      after = next;
    }
    return all;
  }

  private async order(path: string, { photos, clip, key, keepPhoto, ...fields }: BetterOrder, signal?: AbortSignal): Promise<DeskAvatar> {
    const body = new FormData();
    for (const photo of photos) body.append("photos", photo, "photo");
    if (clip) body.append("clip", clip, "clip");
    for (const [field, value] of Object.entries({ ...fields, agreed: "true", keep_photo: String(keepPhoto) })) body.append(field, value);
    return (await (await this.request(path, { method: "POST", body, headers: { "idempotency-key": key }, ...(signal && { signal }) })).json()) as DeskAvatar;
  }

  private async change<T>(path: string, version: number, what: object): Promise<T> {
    const { method, body, headers } = json("PATCH", what);
    return (await (await this.request(path, { method, body, headers: { ...headers, "if-match": `"${version}"` } })).json()) as T;
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
