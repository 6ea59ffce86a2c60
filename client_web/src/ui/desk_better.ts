import { randomKey } from "../avatars/enrollment";
import type { DeskApi, DeskAvatar, Quality } from "../desk/api";
import { QUALITIES } from "../desk/words";
import { ConsentFields } from "./desk_consent";
import { DeskForm, selectField } from "./desk_form";
import { MaterialField } from "./desk_material";
import { openWorkDialog } from "./dialog";

const HINT = "Photos are erased after each enrollment, so they come once more. A clip of some fifteen seconds shows the sides, and how the person moves.";

/** Orders a better one in the place of an avatar that is there. `owner`: what its owner is called. */
export function betterDialog(api: DeskApi, avatar: DeskAvatar, owner: string, ordered: () => void): void {
  const consent = new ConsentFields();
  consent.subject.input.value = owner;
  const choices: [string, string][] = [
    ["standard", QUALITIES.standard],
    ["high", QUALITIES.high],
  ];
  const quality = selectField("better-quality", "Quality", choices, "standard");
  const material = new MaterialField(HINT, (trouble) => {
    form.say(trouble);
    const isClip = material.clip !== null;
    quality.input.disabled = isClip; // high is for photos
    if (isClip) quality.input.value = "standard";
  });
  const key = randomKey();
  const order = async (): Promise<void> => {
    await api.improve(avatar.id, { photos: material.photos, clip: material.clip, quality: quality.input.value as Quality, key, ...consent.value });
    dialog.close();
    ordered();
  };
  const form = new DeskForm("better", "Make it better", order, material.element, ...consent.elements, quality.element);
  const dialog = openWorkDialog(`Make ${avatar.name} better`, "better-dialog", "", form.element);
  dialog.addEventListener("close", () => material.close());
}
