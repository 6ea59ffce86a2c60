import type { LocalMedia } from "../media";
import type { Kind } from "../peer";
import { openDialog } from "./dialog";
import { h } from "./dom";
import { privateSwitch } from "./private_switch";

const NAMES: Record<Kind, string> = { video: "Camera", audio: "Microphone" };

/** A dialog to choose them in. */
export function openDevices(media: LocalMedia, chosen: () => void): void {
  const pickers = new DevicePickers(media, chosen);
  void pickers.refresh();
  openDialog("Camera and microphone", "devices-dialog", pickers.element);
}

/** One labelled list of devices for each kind; choosing takes effect at once. */
export class DevicePickers {
  readonly element = h("div", { class: "pickers" });
  private readonly lists: Record<Kind, HTMLSelectElement>;

  constructor(
    private readonly media: LocalMedia,
    private readonly chosen: () => void,
  ) {
    this.lists = { video: this.picker("video"), audio: this.picker("audio") };
    this.element.append(privateSwitch(media, chosen));
  }

  async refresh(): Promise<void> {
    for (const kind of ["video", "audio"] as const) {
      const list = this.lists[kind];
      const devices = await this.media.devices(kind);
      const current = this.media.tracks[kind]?.getSettings().deviceId ?? this.media.choices.device[kind];
      const options = devices.map((device) => h("option", { value: device.deviceId }, device.label));
      list.replaceChildren(...(options.length > 0 ? options : [h("option", { value: "" }, "None available")]));
      list.disabled = options.length === 0;
      if (devices.some((device) => device.deviceId === current)) list.value = current;
    }
  }

  private picker(kind: Kind): HTMLSelectElement {
    const list = h("select", { "data-testid": `${kind}-device` });
    list.addEventListener("change", () => {
      void this.media.choose(kind, list.value);
      this.chosen();
    });
    this.element.append(h("label", { class: "picker" }, h("span", {}, NAMES[kind]), list));
    return list;
  }
}
