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
  new TokenStore(store).drop();
  expect(store.items.size).toBe(0);
});

it("shares it with another tab, whichever comes first", () => {
  const store = fakeStore();
  const [one, two] = [new TokenStore(store), new TokenStore(store)];
  expect(two.reread()).toBe(false);
  one.set("old");
  expect(two.reread()).toBe(true);
  expect(two.value).toBe("old");
  one.set("new");
  two.drop(); // the older one was refused
  expect(two.value).toBe("");
  expect(two.reread()).toBe(true);
  expect(two.value).toBe("new");
});

it("keeps it as long as the page where nothing can be stored", () => {
  const refuse = (): never => {
    throw new DOMException("no", "SecurityError");
  };
  for (const store of [null, { getItem: refuse, setItem: refuse, removeItem: refuse }]) {
    const tokens = new TokenStore(store);
    expect(tokens.value).toBe("");
    tokens.set("mine");
    expect(tokens.reread()).toBe(true);
    expect(tokens.value).toBe("mine");
    tokens.drop();
    expect(tokens.value).toBe("");
  }
});
