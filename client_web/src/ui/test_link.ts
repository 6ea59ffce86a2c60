import { testAddress } from "../address";
import { h } from "./dom";

/** A link to the connection test of this room. */
export function testLink(): HTMLElement {
  return h("a", { class: "test-link", href: testAddress(location.pathname), "data-testid": "test-link" }, "Connection test");
}
