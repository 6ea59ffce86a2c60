import type { Welcome } from "../protocol";
import { linkSentence } from "../words";
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
  const field = h("input", { class: "field", readonly: true, value: url, id: `link-${kind}`, "data-testid": `link-${kind}`, "aria-describedby": `what-${kind}` });
  const copy = h("button", { type: "button", class: "button", "data-testid": `copy-${kind}`, "aria-label": `Copy the link to ${kind === "person" ? "join" : "watch"}` }, "Copy");
  copy.addEventListener("click", () => {
    void copied(url, field).then((done) => {
      copy.textContent = done ? "Copied" : "Copy";
      outcome.textContent = done ? `The link ${title.toLowerCase()} is copied.` : "The browser did not let the page copy: the link is selected, copy it by hand.";
    });
  });
  return h(
    "section",
    { class: "invite-link" },
    h("label", { for: field.id }, title),
    h("div", { class: "invite-row" }, field, copy),
    h("p", { class: "soft small", id: `what-${kind}` }, ...unbroken(linkSentence(kind, url), "--host 0.0.0.0")),
  );
}

/** A sentence in which a command stays in one line. */
function unbroken(sentence: string, command: string): Node[] {
  return sentence.split(command).flatMap((text, index) => (index === 0 ? [new Text(text)] : [h("code", {}, command), new Text(text)]));
}

async function copied(text: string, field: HTMLInputElement): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    field.focus();
    field.select();
    return false;
  }
}
