import type { ApiKey, DeskApi } from "../desk/api";
import type { Directory } from "../desk/directory";
import { timeWords } from "../desk/words";
import type { Announcer } from "./announcer";
import { IconButton } from "./button";
import { copyField } from "./copy_field";
import { DeskForm, selectField, textField } from "./desk_form";
import { DeskSection, replaceRows } from "./desk_section";
import { confirmDialog, openWorkDialog } from "./dialog";
import { h } from "./dom";

/** API keys of everybody: made, shown once, and revoked. */
export class KeysSection extends DeskSection {
  private readonly list = h("ul", { class: "desk-list", "data-testid": "keys" });

  constructor(
    private readonly api: DeskApi,
    private readonly directory: Directory,
    private readonly announcer: Announcer,
  ) {
    super("API keys", "What programs sign in with. A key may do all that its person may, until it is deleted.");
    const add = new IconButton({ id: "add-key", icon: "plus", label: "Make a key", text: "Make a key", look: "primary", press: () => this.add() });
    this.tools.append(add.element);
    this.body.append(this.list, h("p", { class: "soft small" }, "What programs may ask is at ", h("a", { href: "/docs" }, "/docs"), "."));
  }

  async start(): Promise<void> {
    await this.attempt(async () => {
      const [keys] = await Promise.all([this.api.keys(), this.directory.readPeople()]);
      this.draw(keys);
    });
  }

  private draw(keys: ApiKey[]): void {
    keys.sort((a, b) => b.created - a.created);
    const empty = h("li", { class: "soft", "data-testid": "no-keys" }, "There are no keys.");
    replaceRows(this.list, keys.length > 0 ? keys.map((key) => this.row(key)) : [empty]);
  }

  private row(key: ApiKey): HTMLElement {
    const owner = this.directory.nameOf(key.owner) || "somebody";
    const remove = new IconButton({ id: `delete-${key.id}`, icon: "erase", label: `Delete the key ${key.name} of ${owner}`, look: "round quiet small-tool tip-left danger", press: () => this.confirmDelete(key) });
    return h(
      "li",
      { class: "person", "data-testid": `key-${key.id}` },
      h("div", { class: "person-words" }, h("span", { class: "person-name", dir: "auto" }, key.name), h("span", { class: "soft small" }, `Of ${owner} · made ${timeWords(key.created)}`)),
      h("div", { class: "person-tools" }, remove.element),
    );
  }

  private add(): void {
    const people = this.directory.accounts.filter(({ disabled }) => !disabled);
    const owner = selectField("key-owner", "Whose key it is", people.map(({ id, name }) => [id, name]), this.directory.me.id);
    const name = textField("key-name", "What it is for", { maxlength: 64 });
    const make = async (): Promise<void> => {
      const made = await this.api.addKey(owner.input.value, name.input.value.trim());
      dialog.close();
      await this.start();
      showKey(made);
    };
    const form = new DeskForm("add-key", "Make the key", make, name.element, owner.element);
    const dialog = openWorkDialog("Make a key", "add-key-dialog", "", form.element);
    name.input.focus();
  }

  private confirmDelete(key: ApiKey): void {
    confirmDialog(`Delete the key ${key.name}?`, "Programs that use it are refused from now on.", "Delete", () => {
      void this.attempt(() => this.api.deleteKey(key)).then(async (done) => {
        if (!done) return;
        this.announcer.show(`The key ${key.name} is deleted.`);
        await this.start();
      });
    });
  }
}

/** This once. */
function showKey({ name, key }: ApiKey): void {
  const outcome = h("p", { class: "soft small invite-outcome", role: "status", "data-testid": "copy-outcome" });
  const words = h("p", { class: "soft" }, "Copy it now: the server keeps only its fingerprint, and cannot show it again.");
  openWorkDialog(`The key ${name}`, "key-dialog", "", words, copyField("key", "The key", key ?? "", outcome), outcome);
}
