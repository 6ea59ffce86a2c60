import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { claimSeat, loadSeat, saveSeat } from "./seat_store";
import type { RememberedSeat } from "./signalling_types";

const SEAT: RememberedSeat = { resume: "token", order: 2, entry: { name: "Ada", avatar: "ada", watch: false } };

class FakeStore {
  items = new Map<string, string>();
  getItem(key: string): string | null {
    return this.items.get(key) ?? null;
  }
  setItem(key: string, value: string): void {
    this.items.set(key, value);
  }
  removeItem(key: string): void {
    this.items.delete(key);
  }
}

describe("the store", () => {
  let store: FakeStore;

  beforeEach(() => {
    store = new FakeStore();
  });

  it("gives a seat back, in its room only, until it is forgotten", () => {
    saveSeat("room", SEAT, store);
    expect(loadSeat("room", store)).toEqual(SEAT);
    expect(loadSeat("other", store)).toBeNull();
    saveSeat("room", null, store);
    expect(loadSeat("room", store)).toBeNull();
    expect(store.items.size).toBe(0);
  });

  it.each([
    "{", "null", "7", '{"room":"room"}', '{"room":"room","seat":{"resume":1,"order":0,"entry":{}}}',
    '{"room":"room","seat":{"resume":"t","order":"first","entry":{"name":"","avatar":""}}}',
    '{"room":"room","seat":{"resume":"t","order":0,"entry":null}}', '{"room":"room","seat":{"resume":"t","order":0,"entry":{"name":"A"}}}',
  ])("has no seat where what was saved is damaged: %s", (text) => {
    store.setItem("visavis.seat", text);
    expect(loadSeat("room", store)).toBeNull();
  });

  it("does without a store that refuses", () => {
    const refuse = (): never => {
      throw new DOMException("no", "SecurityError");
    };
    const refusing = { getItem: refuse, setItem: refuse, removeItem: refuse };
    expect(loadSeat("room", refusing)).toBeNull();
    expect(() => saveSeat("room", SEAT, refusing)).not.toThrow();
    expect(loadSeat("room", null)).toBeNull();
  });
});

describe("the claim", () => {
  const held = new Set<string>();
  const locks = {
    request: (name: string, _options: object, hold: (lock: object | null) => Promise<void> | undefined): Promise<void> => {
      const lock = held.has(name) ? null : { name };
      held.add(name);
      return Promise.resolve(hold(lock)).then(() => undefined);
    },
  };

  afterEach(() => {
    held.clear();
    vi.unstubAllGlobals();
  });

  it("keeps a duplicated tab off the seat", async () => {
    vi.stubGlobal("navigator", { locks });
    expect(await claimSeat(SEAT)).toBe(true);
    expect(await claimSeat(SEAT)).toBe(false);
    expect(await claimSeat({ ...SEAT, resume: "other" })).toBe(true);
  });

  it("is granted where the browser has no locks, or refuses them", async () => {
    vi.stubGlobal("navigator", {});
    expect(await claimSeat(SEAT)).toBe(true);
    vi.stubGlobal("navigator", { locks: { request: () => Promise.reject(new DOMException("no", "SecurityError")) } });
    expect(await claimSeat(SEAT)).toBe(true);
  });
});
