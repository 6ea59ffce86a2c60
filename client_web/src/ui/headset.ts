/** The buttons that lead into a headset, where there is one, and the call's way to the view in it. */
import { OwnDrive } from "../drive/own_drive";
import type { HeadsetCall } from "../headset/headset_call";
import { headsetModes, headsetTrouble, type Mode, requestHeadset } from "../headset/support";
import type { LocalMedia } from "../media";
import type { Room } from "../room";
import type { Announcer } from "./announcer";
import { IconButton } from "./button";

const TOLD_FOR = 8;
const ENTRANCES = [
  { mode: "immersive-vr", icon: "headset", label: "Enter with a headset" },
  { mode: "immersive-ar", icon: "headsetThrough", label: "Enter with a headset, in your own room" },
] as const;

export interface HeadsetParts {
  room: Room;
  /** The person's devices; null for a viewer. */
  media: LocalMedia | null;
  announcer: Announcer;
  /** On the channel of drive frames. */
  send(message: ArrayBuffer): void;
  isSynthetic: boolean;
  /** Whether the server sends drive frames, and no picture. */
  wear(on: boolean): void;
}

export class Headset {
  /** Hidden where there is no headset. */
  readonly buttons: readonly IconButton[];
  /** For whoever else says something of the own avatar. */
  readonly ownDrive: OwnDrive;
  private call: HeadsetCall | null = null;
  private isEntering = false;
  private isClosed = false;
  /** The camera was on before: nobody sees a face under a headset. */
  private hadCamera = false;

  constructor(private readonly parts: HeadsetParts) {
    this.ownDrive = new OwnDrive((message) => parts.send(message));
    this.buttons = ENTRANCES.map(({ mode, icon, label }) => new IconButton({ id: mode, icon, label, look: "round quiet", press: () => void this.press(mode) }));
    for (const button of this.buttons) button.visible(false);
    this.look();
    navigator.xr?.addEventListener("devicechange", this.look);
  }

  /** Who is here, or how they are, has changed. */
  update(): void {
    const { room } = this.parts;
    if (room.state) this.call?.seat(room.people, room.own);
  }

  driven(data: ArrayBuffer): void {
    this.call?.driven(data);
  }

  live(on: boolean): void {
    if (this.call) this.call.isLive = on;
  }

  close(): void {
    this.isClosed = true;
    navigator.xr?.removeEventListener("devicechange", this.look);
    this.call?.leave();
  }

  /** Headsets come and go. */
  private readonly look = (): void => {
    void headsetModes().then((found) => this.buttons.forEach((button, i) => button.visible(found.includes(ENTRANCES[i]!.mode))));
  };

  private async press(mode: Mode): Promise<void> {
    if (this.call) this.call.leave();
    else if (!this.isEntering) {
      this.isEntering = true;
      await this.enter(mode).catch((error: unknown) => this.parts.announcer.show(headsetTrouble(error), TOLD_FOR));
      this.isEntering = false;
    }
  }

  private async enter(mode: Mode): Promise<void> {
    const { parts } = this;
    const [granted, loaded] = await Promise.allSettled([requestHeadset(mode), import("../headset/headset_call")]);
    if (granted.status === "rejected") throw granted.reason;
    const session = granted.value;
    if (loaded.status === "rejected" || this.isClosed) {
      await session.end();
      if (loaded.status === "rejected") throw loaded.reason;
      return;
    }
    let call: HeadsetCall;
    try {
      call = loaded.value.HeadsetCall.make(parts.isSynthetic, {
        drive: ({ rotation, translation }, now) => this.ownDrive.turned(parts.room.own, rotation, translation, now),
        ended: (sentence) => this.left(sentence),
      });
    } catch (error) {
      await session.end();
      throw error;
    }
    this.call = call;
    this.update();
    try {
      await call.begin(session);
    } catch (error) {
      this.call = null;
      throw error;
    }
    this.entered();
  }

  private entered(): void {
    const { parts } = this;
    parts.wear(true);
    for (const button of this.buttons) {
      button.pressed(true);
      button.label("Leave the headset view");
    }
    this.hadCamera = parts.media?.isOn("video") ?? false;
    if (this.hadCamera) void parts.media?.turn("video", false);
    parts.announcer.say("You are in the headset view.");
  }

  private left(sentence: string): void {
    const { parts } = this;
    this.call = null;
    if (this.isClosed) return;
    parts.wear(false);
    this.buttons.forEach((button, i) => {
      button.element.removeAttribute("aria-pressed");
      button.label(ENTRANCES[i]!.label);
    });
    if (this.hadCamera) void parts.media?.turn("video", true);
    if (sentence !== "") parts.announcer.show(sentence, TOLD_FOR);
    else parts.announcer.say("You are back on the page.");
  }
}
