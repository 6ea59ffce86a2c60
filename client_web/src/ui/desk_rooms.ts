import type { DeskApi, Room } from "../desk/api";
import type { Directory } from "../desk/directory";
import { roomFacts, roomName } from "../desk/words";
import type { Announcer } from "./announcer";
import { IconButton } from "./button";
import { copyField } from "./copy_field";
import { DeskForm, textField } from "./desk_form";
import { DeskSection, replaceRows } from "./desk_section";
import { confirmDialog, openDialog, openWorkDialog } from "./dialog";
import { h } from "./dom";

/** Milliseconds between two looks at the rooms. */
const LOOK_EVERY = 3_000;
const LINKS: ["host" | "person" | "viewer", string][] = [
  ["host", "For its host"],
  ["person", "To join"],
  ["viewer", "To watch"],
];

/** The rooms, and who is in them now. */
export class RoomsSection extends DeskSection {
  private readonly list = h("ul", { class: "desk-list", "data-testid": "rooms" });
  private timer: ReturnType<typeof setTimeout> | undefined;
  private shown = "";

  constructor(
    private readonly api: DeskApi,
    private readonly directory: Directory,
    private readonly announcer: Announcer,
  ) {
    super("Rooms", "Where people meet, and how many are there now. Whoever has one of a room's links may use it.");
    const add = new IconButton({ id: "add-room", icon: "plus", label: "Add a room", text: "Add a room", look: "primary", press: () => this.add() });
    this.tools.append(add.element);
    this.body.append(this.list);
  }

  async start(): Promise<void> {
    await this.directory.refresh();
    await this.look();
  }

  override close(): void {
    clearTimeout(this.timer);
    super.close();
  }

  private async look(): Promise<void> {
    clearTimeout(this.timer);
    await this.attempt(async () => this.draw(await this.api.rooms()));
    if (!this.isClosed) this.timer = setTimeout(() => void this.look(), LOOK_EVERY);
  }

  private draw(rooms: Room[]): void {
    const now = JSON.stringify(rooms);
    if (now === this.shown) return;
    this.shown = now;
    rooms.sort((a, b) => Number(b.first) - Number(a.first) || a.created - b.created);
    replaceRows(this.list, rooms.map((room) => this.row(room)));
  }

  private row(room: Room): HTMLElement {
    const { id, people, viewers } = room;
    const name = roomName(room);
    const tool = { look: "round quiet small-tool tip-left" };
    const links = new IconButton({ id: `links-${id}`, icon: "link", label: `Links of ${name}`, ...tool, press: () => this.showLinks(room) });
    const end = new IconButton({ id: `end-${id}`, icon: "leave", label: `End the meeting in ${name}`, ...tool, press: () => this.confirmEnd(id, name) });
    const remove = new IconButton({ id: `delete-${id}`, icon: "erase", label: `Delete ${name}`, look: `${tool.look} danger`, press: () => this.confirmDelete(id, name) });
    end.visible(people + viewers > 0);
    remove.visible(!room.first);
    return h(
      "li",
      { class: "person", "data-testid": `room-${id}` },
      h("div", { class: "person-words" }, h("span", { class: "person-name", dir: "auto" }, name), h("span", { class: "soft small" }, roomFacts(room, this.directory.nameOf(room.owner ?? "")))),
      h("div", { class: "person-tools" }, links.element, end.element, remove.element),
    );
  }

  private add(): void {
    const name = textField("room-name", "Name", { maxlength: 64 }, "Only you and other admins see it.");
    const make = async (): Promise<void> => {
      const made = await this.api.addRoom(name.input.value.trim());
      dialog.close();
      this.announcer.show(`${roomName(made)} is there now.`);
      await this.look();
    };
    const form = new DeskForm("add-room", "Add", make, name.element);
    const dialog = openWorkDialog("Add a room", "add-room-dialog", "", form.element);
    name.input.focus();
  }

  private confirmEnd(id: string, name: string): void {
    confirmDialog(`End the meeting in ${name}?`, "Everybody leaves it at once. The room and its links stay.", "End the meeting", () => void this.done(this.api.endRoom(id), "The meeting is over."));
  }

  private confirmDelete(id: string, name: string): void {
    confirmDialog(`Delete ${name}?`, "Everybody leaves it at once, and its links open nothing any more.", "Delete", () => void this.done(this.api.deleteRoom(id), `${name} is deleted.`));
  }

  private async done(work: Promise<void>, sentence: string): Promise<void> {
    if (!(await this.attempt(() => work))) return;
    this.announcer.show(sentence);
    await this.look();
  }

  private showLinks(room: Room): void {
    const renew = h("button", { type: "button", class: "button danger", "data-testid": "renew-links" }, "Make new links");
    const dialog = linksDialog(room, renew);
    const make = async (): Promise<void> => {
      let made: Room | null = null;
      if (await this.attempt(async () => (made = await this.api.renewRoom(room.id)))) this.announcer.show("The old links open nothing any more.");
      await this.look();
      if (made) this.showLinks(made);
    };
    renew.addEventListener("click", () => {
      dialog.close();
      const sentence = "The old links open nothing any more, and everybody leaves the room. For links that got into wrong hands.";
      confirmDialog(`New links for ${roomName(room)}?`, sentence, "Make new links", () => void make());
    });
  }
}

function linksDialog(room: Room, renew: HTMLElement): HTMLDialogElement {
  const outcome = h("p", { class: "soft small invite-outcome", role: "status", "data-testid": "copy-outcome" });
  const fields = LINKS.flatMap(([role, title]) => {
    const address = room.links[role];
    return address === undefined ? [] : [copyField(role, title, address, outcome)];
  });
  const words = h("p", { class: "soft" }, "Each link is a password: give it only to those who may come.");
  return openDialog(`Links of ${roomName(room)}`, "links-dialog", words, ...fields, outcome, h("div", { class: "dialog-actions" }, renew));
}
