/** Keeps the token of this browser's guest: whoever has it owns the avatars that were made here. */

type Store = Pick<Storage, "getItem" | "setItem" | "removeItem">;

const KEY = "visavis.token";

export class TokenStore {
  /** Empty while there is none. */
  private token: string;

  constructor(private readonly store: Store | null = storage()) {
    this.token = this.read();
  }

  get value(): string {
    return this.token;
  }

  /** Without a store that works the token lasts as long as the page. */
  set(token: string): void {
    this.token = token;
    try {
      this.store?.setItem(KEY, token);
    } catch {
      // A full or forbidden store.
    }
  }

  /** Forgets it, but not another one that another tab has put there meanwhile. */
  drop(): void {
    try {
      if (this.read() === this.token) this.store?.removeItem(KEY);
    } catch {
      // A forbidden store.
    }
    this.token = "";
  }

  /** Takes the token that another tab may have put there -> whether there is one. */
  reread(): boolean {
    this.token ||= this.read();
    return this.token !== "";
  }

  private read(): string {
    try {
      return this.store?.getItem(KEY) ?? "";
    } catch {
      return "";
    }
  }
}

/** Reading `localStorage` itself throws where the browser forbids it. */
function storage(): Store | null {
  try {
    return globalThis.localStorage ?? null;
  } catch {
    return null;
  }
}
