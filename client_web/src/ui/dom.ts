/** Building elements without markup in strings. */

type Child = Node | string | null;
type Attributes = Record<string, string | boolean | number | undefined>;

/** An element with attributes (`true`: present, `false` or undefined: absent) and children (null: none). */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== undefined) element.setAttribute(name, String(value));
  }
  for (const child of children) if (child !== null) element.append(child);
  return element;
}

/** Sets text only when it differs, so that screen readers and layout are left alone. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

export const LESS_MOTION = "(prefers-reduced-motion: reduce)";

export function reducedMotion(): boolean {
  return matchMedia(LESS_MOTION).matches;
}
