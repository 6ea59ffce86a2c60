import type { LocalMedia } from "../media";
import { IconButton } from "./button";
import { h } from "./dom";
import { isFullscreen } from "./fullscreen";

/** What the bar's buttons do; the call decides how. */
export interface Actions {
  microphone(): void;
  camera(): void;
  sound(): void;
  sitDown(): void;
  autoTurn(): void;
  relax(): void;
  stats(): void;
  invite(): void;
  background(): void;
  devices(): void;
  fullscreen(): void;
  shortcuts(): void;
  leave(): void;
}

/** The bar under the stage: views to the left, the call in the middle, tools to the right. */
export class Controls {
  readonly element: HTMLElement;
  readonly microphone: IconButton;
  readonly camera: IconButton;
  readonly sound: IconButton;
  readonly autoTurn: IconButton;
  readonly relax: IconButton;
  readonly stats: IconButton;
  readonly invite: IconButton;
  readonly sit: IconButton;
  readonly fullscreen: IconButton;

  /** `person`: has a seat, camera and microphone; else a viewer. headset: buttons that lead into one. */
  constructor(person: boolean, mayInvite: boolean, actions: Actions, headset: readonly IconButton[]) {
    const tool = { look: "round quiet" };
    const main = { look: "round main" };
    this.microphone = new IconButton({ id: "mic", icon: "microphone", label: "Microphone", key: "M", ...main, press: actions.microphone });
    this.camera = new IconButton({ id: "camera", icon: "camera", label: "Camera", key: "C", ...main, press: actions.camera });
    this.sound = new IconButton({ id: "sound", icon: "sound", label: "Sound", key: "M", ...main, press: actions.sound });
    const leave = new IconButton({ id: "leave", icon: "leave", label: "Leave the call", text: "Leave", look: "leave", press: actions.leave });

    const sit = { label: person ? "Sit down again" : "See everybody", key: "0", ...tool };
    this.sit = new IconButton({ id: "sit", icon: person ? "sit" : "people", ...sit, press: actions.sitDown });
    this.autoTurn = new IconButton({ id: "turn", icon: "turn", label: "Turn slowly", key: "T", ...tool, press: actions.autoTurn });
    this.relax = new IconButton({ id: "relax", icon: "relax", label: "Relax your face", key: "R", ...tool, press: actions.relax });

    this.stats = new IconButton({ id: "stats", icon: "stats", label: "Statistics", key: "S", ...tool, press: actions.stats });
    this.invite = new IconButton({ id: "invite-button", icon: "link", label: "Invite others", key: "I", ...tool, press: actions.invite });
    const devices = new IconButton({ id: "devices", icon: "devices", label: "Camera and microphone", ...tool, press: actions.devices });
    this.fullscreen = new IconButton({ id: "fullscreen", icon: "fullscreen", label: "Full screen", ...tool, press: actions.fullscreen });
    const shortcuts = new IconButton({ id: "help", icon: "keyboard", label: "Keyboard shortcuts", key: "?", look: "round quiet tip-left", press: actions.shortcuts });
    this.fullscreen.visible(document.fullscreenEnabled === true);

    const group = (name: string, label: string, buttons: IconButton[]): HTMLElement =>
      h("div", { class: `group ${name}`, role: "group", "aria-label": label }, ...buttons.map((button) => button.element));
    const views = [this.sit, this.autoTurn, ...(person ? [this.relax] : [])];
    const call = person ? [this.microphone, this.camera, leave] : [this.sound, leave];
    const background = new IconButton({ id: "background", icon: "background", label: "Picture and background", key: "B", ...tool, press: actions.background });
    const tools = [background, this.stats, ...(mayInvite ? [this.invite] : []), ...(person ? [devices] : []), ...headset, this.fullscreen, shortcuts];
    this.element = h(
      "footer",
      { class: "controls" },
      group("views", "View", views),
      group("call-group", "Call", call),
      group("tools", "Tools", tools),
    );
    this.autoTurn.pressed(false);
    this.relax.enabled(false);
    this.sit.enabled(false);
  }

  /** Brings the switches in line with the devices (null: a viewer) and with whether `sound` is heard. */
  show(media: LocalMedia | null, sound: boolean): void {
    const isFull = isFullscreen();
    this.fullscreen.icon(isFull ? "fullscreenExit" : "fullscreen");
    this.fullscreen.label(isFull ? "Leave full screen" : "Full screen");
    this.fullscreen.pressed(isFull);
    this.sound.icon(sound ? "sound" : "soundOff");
    this.sound.label(sound ? "Mute sound" : "Unmute sound");
    this.sound.muted(!sound);
    if (!media) return;
    showDevices(this.microphone, this.camera, media);
  }
}

/** The two switches of the person's devices, in the lobby and in the call. */
export function showDevices(microphone: IconButton, camera: IconButton, media: LocalMedia): void {
  const [hears, sees] = [media.isOn("audio"), media.isOn("video")];
  microphone.icon(hears ? "microphone" : "microphoneOff");
  microphone.label(hears ? "Mute microphone" : "Unmute microphone");
  microphone.muted(!hears);
  camera.icon(sees ? "camera" : "cameraOff");
  camera.label(sees ? "Turn camera off" : "Turn camera on");
  camera.muted(!sees);
}
