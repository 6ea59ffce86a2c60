import type { Participant } from "../protocol";
import type { Room } from "../room";
import { countSentence, factsOf, initialOf, watchingSentence } from "../words";
import { IconButton } from "./button";
import { h, setText } from "./dom";
import { icon } from "./icons";

export interface PeopleActions {
  lookAt(participant: number): void;
  mute(participant: number): void;
  remove(person: Participant): void;
  lock(on: boolean): void;
  end(): void;
  invite(): void;
  close(): void;
}

interface Row {
  element: HTMLElement;
  initial: HTMLElement;
  name: HTMLElement;
  state: HTMLElement;
  muted: SVGSVGElement;
  look: IconButton;
  mute: IconButton;
  remove: IconButton;
}

/** Who is in the room: beside the picture, or a sheet over it on a small screen. */
export class PeoplePanel {
  readonly element: HTMLElement;
  private readonly heading = h("h2", { tabindex: -1 }, "People");
  private readonly list = h("ul", { class: "people-list" });
  private readonly count = h("p", { class: "soft small" });
  private readonly rows = new Map<number, Row>();
  private readonly lock = h("button", { type: "button", class: "button", "data-testid": "lock" });
  private readonly hostPart: HTMLElement;
  private readonly inviteButton: IconButton;
  private isLocked = false;

  constructor(
    private readonly isHost: boolean,
    mayInvite: boolean,
    private readonly actions: PeopleActions,
  ) {
    const close = new IconButton({ id: "people-close", icon: "close", label: "Close the list", look: "round quiet", press: actions.close });
    delete close.element.dataset.tip; // the edge of the panel would cut it
    this.inviteButton = new IconButton({ id: "people-invite", icon: "link", label: "Invite others", text: "Invite others", look: "primary wide-flat", press: actions.invite });
    this.inviteButton.visible(mayInvite);
    const end = h("button", { type: "button", class: "button danger", "data-testid": "end" }, "End the room");
    end.addEventListener("click", actions.end);
    this.lock.addEventListener("click", () => actions.lock(!this.isLocked));
    this.hostPart = h("div", { class: "people-host", role: "group", "aria-label": "Host" }, this.lock, end);
    this.hostPart.hidden = !isHost;
    this.element = h(
      "aside",
      { class: "people", "aria-label": "People", "data-testid": "people", hidden: true },
      h("div", { class: "people-head" }, this.heading, close.element),
      this.count,
      this.list,
      h("div", { class: "people-foot" }, this.inviteButton.element, this.hostPart),
    );
  }

  get isOpen(): boolean {
    return !this.element.hidden;
  }

  open(on: boolean): void {
    this.element.hidden = !on;
    if (on) this.heading.focus({ preventScroll: true });
  }

  /** `focus`: whom the page looks at, -1: nobody in particular. */
  update(room: Room, focus: number): void {
    const { state } = room;
    const here = new Set(room.people.map((person) => person.id));
    for (const [id, { element }] of this.rows) {
      if (here.has(id)) continue;
      if (element.contains(document.activeElement)) this.heading.focus();
      element.remove();
      this.rows.delete(id);
    }
    for (const [index, person] of room.people.entries()) {
      const row = this.rows.get(person.id) ?? this.add(person);
      if (this.list.children[index] !== row.element) this.list.insertBefore(row.element, this.list.children[index] ?? null);
      this.show(row, person, room, focus);
    }
    setText(this.count, state ? countSentence(state.people.length) + watchingSentence(state.viewers) : "Not known at the moment.");
    this.isLocked = state?.locked === true;
    setText(this.lock, this.isLocked ? "Unlock the room" : "Lock the room");
    this.lock.setAttribute("aria-pressed", String(this.isLocked));
  }

  private show(row: Row, person: Participant, room: Room, focus: number): void {
    const { name, id, muted, seated } = person;
    const isMe = id === room.own;
    setText(row.initial, initialOf(name));
    setText(row.name, name);
    const speaks = room.speaking.includes(id) && !muted;
    setText(row.state, factsOf(person, isMe, speaks));
    row.element.classList.toggle("is-speaking", speaks);
    row.muted.toggleAttribute("hidden", !muted);
    row.look.visible(!isMe);
    row.look.enabled(seated);
    row.look.pressed(focus === id);
    row.look.label(focus === id ? `Stop looking at ${name} only` : `Look at ${name}`);
    row.mute.visible(this.isHost && !isMe);
    row.mute.enabled(!muted);
    row.mute.label(`Mute ${name}`);
    row.remove.visible(this.isHost && !isMe);
    row.remove.label(`Remove ${name}`);
  }

  private add(person: Participant): Row {
    const { id } = person;
    const tool = { look: "round quiet small-tool tip-left" };
    const look = new IconButton({ id: `look-${id}`, icon: "watchers", label: "Look at", ...tool, press: () => this.actions.lookAt(id) });
    const mute = new IconButton({ id: `mute-${id}`, icon: "microphoneOff", label: "Mute", ...tool, press: () => this.actions.mute(id) });
    const remove = new IconButton({ id: `remove-${id}`, icon: "door", label: "Remove", ...tool, press: () => this.actions.remove(person) });
    const [initial, name, state] = [h("span", { class: "person-initial", "aria-hidden": "true" }), h("span", { class: "person-name", dir: "auto" }), h("span", { class: "soft small" })];
    const muted = icon("microphoneOff");
    const element = h(
      "li",
      { class: "person", "data-testid": `person-${id}` },
      initial,
      h("div", { class: "person-words" }, h("div", { class: "person-line" }, name, muted), state),
      h("div", { class: "person-tools" }, look.element, mute.element, remove.element),
    );
    const row = { element, initial, name, state, muted, look, mute, remove };
    this.rows.set(id, row);
    return row;
  }
}
