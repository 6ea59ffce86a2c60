import type { LocalMedia } from "../media";
import type { Announcer } from "./announcer";

/** Turns microphone or camera on or off, and says so, or why not. changed: the choice is worth remembering. */
export function toggleDevice(kind: "audio" | "video", media: LocalMedia, announcer: Announcer, changed: () => void): void {
  const name = kind === "audio" ? "Microphone" : "Camera";
  void media.turn(kind, !media.isOn(kind)).then(() => {
    const trouble = media.trouble[kind];
    if (trouble) announcer.show(trouble.sentence, 8);
    else announcer.say(`${name} ${media.isOn(kind) ? "on" : "off"}.`);
    changed();
  });
}
