/** Which of the desk's pages an address is: `/setup/KEY`, or `/admin#SECTION/ITEM`. */

export const SECTIONS = ["people", "enroll", "avatars", "jobs", "rooms", "keys", "limits", "health", "audit"] as const;
export type Section = (typeof SECTIONS)[number];

/** `setup`: key of the one-time set-up link; null at `/admin`. */
export interface DeskAddress {
  setup: string | null;
}

/** null: not one of the desk's. */
export function readDeskAddress(pathname: string): DeskAddress | null {
  const [, place = "", ...rest] = pathname.split("/");
  if (place === "admin" && rest.join("") === "") return { setup: null };
  return place === "setup" ? { setup: decode(rest.join("/")) } : null;
}

/** `item`: a person's id for "enroll"; else empty. */
export function readSection(hash: string): { section: Section; item: string } {
  const [name, item = ""] = hash.replace(/^#/, "").split("/");
  const section = SECTIONS.find((known) => known === name);
  return section ? { section, item: decode(item) } : { section: "people", item: "" };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
