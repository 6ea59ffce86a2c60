import type { Room } from "../room";
import { h, setText } from "./dom";
import { icon } from "./icons";

interface Plate {
  element: HTMLElement;
  name: HTMLElement;
}

/** Names over the picture, at the people they belong to. Screen readers have the list of participants instead. */
export class Nameplates {
  readonly element = h("div", { class: "nameplates", "aria-hidden": "true", "data-testid": "nameplates" });
  private readonly plates = new Map<number, Plate>();

  update(room: Room): void {
    const shown = new Set(room.labels.map((label) => label.participant));
    for (const [id, { element }] of this.plates) {
      if (shown.has(id)) continue;
      element.remove();
      this.plates.delete(id);
    }
    for (const { participant, left, top, width, height } of room.labels) {
      const person = room.people.find(({ id }) => id === participant);
      const { element, name } = this.plates.get(participant) ?? this.add(participant);
      setText(name, participant === room.own ? `${person?.name ?? ""} (you)` : (person?.name ?? ""));
      element.hidden = !person;
      element.classList.toggle("is-speaking", room.speaking.includes(participant));
      element.classList.toggle("is-muted", person?.muted === true);
      element.style.left = percent(left + width / 2);
      element.style.top = `min(${percent(Math.min(1, top + height))}, 100% - var(--below-plates, 0px))`;
      element.style.maxWidth = `calc(${percent(Math.min(1, Math.max(0.2, width)))} - 12px)`;
    }
  }

  private add(participant: number): Plate {
    const name = h("span", { class: "plate-name", dir: "auto" });
    const element = h("div", { class: "plate", "data-participant": participant }, icon("microphoneOff"), name);
    const plate = { element, name };
    this.plates.set(participant, plate);
    this.element.append(element);
    return plate;
  }
}

function percent(part: number): string {
  return `${(100 * part).toFixed(2)}%`;
}
