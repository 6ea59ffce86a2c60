import type { Welcome } from "../protocol";
import { linkSentence } from "../words";
import { copyField } from "./copy_field";
import { openDialog } from "./dialog";
import { h } from "./dom";

/** A dialog with the links for others: what each allows, and a button that copies it. */
export function showInvite({ person_link, viewer_link }: Welcome): void {
  // In the dialog: what lies behind it is hidden from screen readers.
  const outcome = h("p", { class: "soft small invite-outcome", role: "status", "data-testid": "copy-outcome" });
  openDialog("Invite others", "invite", link("person", "To join", person_link, outcome), link("viewer", "To watch", viewer_link, outcome), outcome);
}

function link(kind: "person" | "viewer", title: string, address: string, outcome: HTMLElement): HTMLElement {
  const url = new URL(address, location.href).href;
  const words = h("p", { class: "soft small", id: `what-${kind}` }, ...unbroken(linkSentence(kind, url), "--host 0.0.0.0"));
  return copyField(kind, title, url, outcome, words);
}

/** A sentence in which a command stays in one line. */
function unbroken(sentence: string, command: string): Node[] {
  return sentence.split(command).flatMap((text, index) => (index === 0 ? [new Text(text)] : [h("code", {}, command), new Text(text)]));
}
