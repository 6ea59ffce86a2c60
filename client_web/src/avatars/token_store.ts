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
      if (token) this.store?.setItem(KEY, token);
      else this.store?.removeItem(KEY);
    } catch {
      // A full or forbidden store.
    }
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
