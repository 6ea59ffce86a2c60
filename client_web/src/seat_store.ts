/** Keeps the seat of this tab, so that a page that was loaded again (a crash, a phone short of memory) finds back into it. */
import type { RememberedSeat } from "./signalling_types";

type Store = Pick<Storage, "getItem" | "setItem" | "removeItem">;

const KEY = "visavis.seat";

export function loadSeat(room: string, store: Store | null = storage()): RememberedSeat | null {
  try {
    const saved = JSON.parse(store?.getItem(KEY) ?? "null") as { room?: unknown; seat?: RememberedSeat } | null;
    if (saved?.room !== room || !saved.seat) return null;
    const { resume, order, entry } = saved.seat;
    const sound = typeof resume === "string" && Number.isSafeInteger(order) && typeof entry === "object" && entry !== null;
    if (!sound || typeof entry.name !== "string" || typeof entry.avatar !== "string") return null;
    return { resume, order, entry: { name: entry.name, avatar: entry.avatar, watch: entry.watch === true } };
  } catch {
    return null;
  }
}

export function saveSeat(room: string, seat: RememberedSeat | null, store: Store | null = storage()): void {
  try {
    if (seat) store?.setItem(KEY, JSON.stringify({ room, seat }));
    else store?.removeItem(KEY);
  } catch {
    // A full or forbidden store only means that the page starts in the lobby.
  }
}

/**
 * Takes the seat for this page for as long as it lives -> whether it was free. A tab that was duplicated has the same token as
 * the first one; the two would take the seat from each other for ever.
 */
export function claimSeat(seat: RememberedSeat): Promise<boolean> {
  const locks = globalThis.navigator?.locks;
  if (!locks) return Promise.resolve(true); // an insecure page
  return new Promise((resolve) => {
    const hold = (lock: unknown): Promise<void> | undefined => {
      resolve(lock !== null);
      return lock === null ? undefined : new Promise(() => undefined);
    };
    locks.request(`visavis.seat.${seat.resume}`, { ifAvailable: true }, hold).catch(() => resolve(true));
  });
}

/** Reading `sessionStorage` itself throws where the browser forbids it. */
function storage(): Store | null {
  try {
    return globalThis.sessionStorage ?? null;
  } catch {
    return null;
  }
}
