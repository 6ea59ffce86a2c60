/** This browser's own avatars: what the server has of them, and the one that is being made. No DOM. */
import type { AccountApi } from "../account/api";
import type { Lobby } from "../protocol";
import { fetchToken, outcomeOf } from "../sign_in";
import { Api, ApiError, type Avatar } from "./api";
import { Enrollment } from "./enrollment";
import { isAccount, renew } from "./renewal";
import { TokenStore } from "./token_store";
import { TOKEN_REFUSED } from "./words";

export interface OwnAvatarEvents {
  /** The server should be greeted with this token, and asked again which avatars there are. */
  account(token: string): void;
  /** A sentence for whoever sits here. */
  told(sentence: string): void;
  /** This avatar was just made, and is what somebody wants to be. */
  made(avatar: Avatar): void;
  /** This avatar is better now; where it is shown, it changes by itself. */
  improved(avatar: Avatar): void;
}

export class OwnAvatars {
  readonly api: Api;
  readonly enrollment: Enrollment;
  /** null: not known yet. */
  all: Avatar[] | null = null;
  /** Called when `all` or the enrollment has changed. */
  changed: () => void = () => undefined;
  private lobby: Lobby | null = null;
  /** Avatars that can be used, as far as somebody was told. */
  private readonly told = new Set<string>();

  constructor(
    key: string,
    private readonly events: OwnAvatarEvents,
    private readonly tokens = new TokenStore(),
  ) {
    this.api = new Api(key, tokens);
    this.api.tokenChanged = (token, refused) => {
      if (token === "") this.all = [];
      if (refused) events.told(TOKEN_REFUSED);
      events.account(token);
      this.changed();
    };
    this.enrollment = new Enrollment(this.api);
    this.enrollment.changed = () => this.follow();
  }

  /** Has the guest's token renewed when it is due, or takes the one of somebody who has just signed in -> what went wrong. */
  async arrive(hash: string): Promise<string> {
    const outcome = outcomeOf(hash);
    if (typeof outcome === "object") return outcome.sentence;
    try {
      if (outcome === "done") this.tokens.set(await fetchToken((...call) => fetch(...call)));
      else await renew(this.tokens, Date.now() / 1000);
      return "";
    } catch (error) {
      return error instanceof ApiError ? error.message : "";
    }
  }

  /** Of the guest; empty without one. */
  get token(): string {
    return this.tokens.value;
  }

  /** Whether somebody has signed in, instead of being a guest. */
  get isSignedIn(): boolean {
    return isAccount(this.token);
  }

  get account(): AccountApi {
    return this.api.account;
  }

  /** Throws an `ApiError`. The avatars are those of the account then, not those of this browser's guest. */
  async signIn(login: string, password: string): Promise<void> {
    await this.api.signIn(login, password);
    this.all = null;
  }

  /** Here only. */
  signOut(): void {
    this.api.forget(false);
  }

  /** Whether somebody comes who has made none yet. */
  get isNewcomer(): boolean {
    return this.token === "" || this.all?.length === 0;
  }

  /** The server has told who is in the lobby. */
  met(lobby: Lobby): void {
    if (lobby === this.lobby) return;
    this.lobby = lobby;
    if (!lobby.enrolls) return;
    if (lobby.account) void this.refresh();
    else if (this.token !== "") this.api.forget(true);
  }

  /** Reads the list again. */
  async refresh(): Promise<void> {
    try {
      this.all = await this.api.avatars();
      const busy = this.all.find(({ improving }) => improving !== null);
      if (busy && this.enrollment.making.state === "idle") {
        this.told.add(busy.id);
        void this.enrollment.resume(busy);
      }
      this.changed();
    } catch {
      // What was known stays; whoever manages them is told why.
    }
  }

  /** Something was renamed, shared or erased: the lobby's avatars change with it. */
  async touched(): Promise<void> {
    await this.refresh();
    if (this.token !== "") this.events.account(this.token);
  }

  /** Stops what is being made. */
  async cancel(): Promise<void> {
    await this.enrollment.cancel();
    if (this.token !== "") await this.refresh();
  }

  private tell(avatar: Avatar): void {
    this.told.add(avatar.id);
    this.events.made(avatar);
    this.events.account(this.token);
  }

  private follow(): void {
    const { making } = this.enrollment;
    if (making.state === "failed" && this.token !== "") void this.refresh();
    if (making.state === "better" && !this.told.has(making.avatar.id)) this.tell(making.avatar);
    if (making.state === "done") {
      if (!this.told.has(making.avatar.id)) this.tell(making.avatar);
      else if (making.trouble === "" && making.avatar.quality !== "instant") {
        this.events.improved(making.avatar);
        this.events.account(this.token);
      }
    }
    this.changed();
  }
}
