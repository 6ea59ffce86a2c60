import { expect, it } from "vitest";
import { defaults, loadPreferences, savePreferences } from "./preferences";

class FakeStore {
  items = new Map<string, string>();
  getItem(key: string): string | null {
    return this.items.get(key) ?? null;
  }
  setItem(key: string, value: string): void {
    this.items.set(key, value);
  }
}

it("remembers choices", () => {
  const store = new FakeStore();
  const chosen = { ...defaults(), name: "Ada", avatar: "a1", camera: "abc", cameraOn: false, stats: "full" as const };
  savePreferences(chosen, store);
  expect(loadPreferences(store)).toEqual(chosen);
});

it("starts with the defaults", () => {
  expect(loadPreferences(new FakeStore())).toEqual(defaults());
  expect(loadPreferences(null)).toEqual(defaults());
});

it.each(["{", "null", "7", '"x"', '{"name":7,"avatar":null,"camera":1,"cameraOn":"yes","stats":"huge","selfView":null}'])(
  "takes the default for what is damaged: %s",
  (text) => {
    const store = new FakeStore();
    store.setItem("visavis.preferences", text);
    expect(loadPreferences(store)).toEqual(defaults());
  },
);

it("does without a store that refuses", () => {
  const refuse = (): never => {
    throw new DOMException("no", "SecurityError");
  };
  const store = { getItem: refuse, setItem: refuse };
  expect(loadPreferences(store)).toEqual(defaults());
  expect(() => savePreferences(defaults(), store)).not.toThrow();
});
