import { expect, it } from "vitest";
import { TokenStore } from "./token_store";

function fakeStore(): Pick<Storage, "getItem" | "setItem" | "removeItem"> & { items: Map<string, string> } {
  const items = new Map<string, string>();
  return {
    items,
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => void items.set(key, value),
    removeItem: (key) => void items.delete(key),
  };
}

it("keeps the token, and forgets it without a trace", () => {
  const store = fakeStore();
  new TokenStore(store).set("mine");
  expect(new TokenStore(store).value).toBe("mine");
  new TokenStore(store).set("");
  expect(store.items.size).toBe(0);
});

it("keeps it as long as the page where nothing can be stored", () => {
  const refuse = (): never => {
    throw new DOMException("no", "SecurityError");
  };
  for (const store of [null, { getItem: refuse, setItem: refuse, removeItem: refuse }]) {
    const tokens = new TokenStore(store);
    expect(tokens.value).toBe("");
    tokens.set("mine");
    expect(tokens.value).toBe("mine");
  }
});
