import type { DeskApi, Person } from "../desk/api";
import type { Directory } from "../desk/directory";
import { personFacts } from "../desk/words";
import { initialOf } from "../words";
import type { Announcer } from "./announcer";
import { IconButton } from "./button";
import { addPersonDialog, changePersonDialog } from "./desk_person";
import { DeskSection, replaceRows } from "./desk_section";
import { confirmDialog } from "./dialog";
import { h } from "./dom";

/** Accounts, and guests who came by a room's link. */
export class PeopleSection extends DeskSection {
  private readonly accounts = h("ul", { class: "desk-list", "data-testid": "accounts" });
  private readonly guests = h("ul", { class: "desk-list", "data-testid": "guests" });
  private readonly guestPart = h("div", { class: "desk-part", hidden: true }, h("h2", {}, "Guests"), h("p", { class: "soft small" }, "They came by a room's link and made an avatar; their browser is all that they sign in with."), this.guests);

  constructor(
    private readonly api: DeskApi,
    private readonly directory: Directory,
    private readonly announcer: Announcer,
  ) {
    super("People", "Who has an account or an avatar on this server.");
    const add = new IconButton({ id: "add-person", icon: "plus", label: "Add a person", text: "Add a person", look: "primary", press: () => addPersonDialog(api, (person) => void this.said(`${person.name} has an account now.`)) });
    this.tools.append(add.element);
    this.body.append(this.accounts, this.guestPart);
  }

  async start(): Promise<void> {
    await this.attempt(async () => this.directory.readPeople());
    this.draw();
  }

  private async said(sentence: string): Promise<void> {
    this.announcer.show(sentence);
    await this.start();
  }

  private draw(): void {
    const { accounts, guests } = this.directory;
    replaceRows(this.accounts, accounts.map((person) => this.row(person)));
    replaceRows(this.guests, guests.map((person) => this.row(person)));
    this.guestPart.hidden = guests.length === 0;
  }

  private row(person: Person): HTMLElement {
    const { id, name } = person;
    const isMe = id === this.directory.me.id;
    const tool = { look: "round quiet small-tool tip-left" };
    const enroll = new IconButton({ id: `enroll-${id}`, icon: "portrait", label: `Enroll ${name}`, ...tool, press: () => (location.hash = `enroll/${id}`) });
    const change = new IconButton({ id: `change-${id}`, icon: "rename", label: `Change ${name}`, ...tool, press: () => this.change(person, isMe) });
    const erase = new IconButton({ id: `erase-${id}`, icon: "erase", label: `Erase ${name}`, look: `${tool.look} danger`, press: () => this.confirmErase(person) });
    erase.visible(!isMe);
    return h(
      "li",
      { class: `person ${person.disabled ? "is-disabled" : ""}`, "data-testid": `person-${id}` },
      h("span", { class: "person-initial", "aria-hidden": "true" }, initialOf(name)),
      h("div", { class: "person-words" }, h("span", { class: "person-name", dir: "auto" }, name), h("span", { class: "soft small" }, personFacts(person, isMe))),
      h("div", { class: "person-tools" }, enroll.element, change.element, erase.element),
    );
  }

  private change(person: Person, isMe: boolean): void {
    changePersonDialog(this.api, person, isMe, (sentence) => void this.said(sentence));
  }

  private confirmErase({ id, name }: Person): void {
    const sentence = "Account, avatars, photos and consents are gone for good. Calls in which the avatars are seen lose them at once.";
    confirmDialog(`Erase ${name}?`, sentence, "Erase", () => {
      void this.attempt(() => this.api.erasePerson(id)).then((done) => (done ? this.said(`${name} is erased.`) : undefined));
    });
  }
}
