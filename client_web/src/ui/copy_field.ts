import { h } from "./dom";

/** A text that is copied by a button. `outcome`: a live region that says whether it was. */
export function copyField(name: string, title: string, text: string, outcome: HTMLElement, ...below: HTMLElement[]): HTMLElement {
  const id = `link-${name}`;
  const field = h("input", { class: "field", readonly: true, value: text, id, "data-testid": id, "aria-describedby": below[0]?.id });
  const copy = h("button", { type: "button", class: "button", "data-testid": `copy-${name}`, "aria-label": `Copy: ${title}` }, "Copy");
  copy.addEventListener("click", () => {
    void copied(text, field).then((done) => {
      copy.textContent = done ? "Copied" : "Copy";
      outcome.textContent = done ? "It is copied." : "The browser did not let the page copy: it is selected, copy it by hand.";
    });
  });
  return h("section", { class: "invite-link" }, h("label", { for: id }, title), h("div", { class: "invite-row" }, field, copy), ...below);
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
