import type { OwnAvatars } from "../avatars/own_avatars";
import { makingLine } from "../avatars/words";
import { LevelMeter } from "../level";
import type { LocalMedia } from "../media";
import { type Lobby as LobbyMessage, MAX_NAME } from "../protocol";
import type { Entry, Status } from "../signalling_types";
import { AccountLine } from "./account_line";
import { AvatarPicker } from "./avatar_picker";
import { IconButton } from "./button";
import { showDevices } from "./controls";
import { DevicePickers } from "./device_pickers";
import { h, setText } from "./dom";
import { brand } from "./header";
import { icon } from "./icons";
import { LobbyNotice, type NoticeActions } from "./lobby_notice";
import { MakeDialog } from "./make_avatar/dialog";
import { MyAvatars } from "./my_avatars";
import { CameraPreview } from "./preview";
import { testLink } from "./test_link";

const SENT = "Others see your avatar and hear your microphone. Your camera picture goes to this server only, to move the avatar.";
const KEPT = "Others see your avatar and hear your microphone. Your camera picture stays on this device.";

export interface LobbyActions extends Omit<NoticeActions, "watch"> {
  /** Name, avatar or devices were chosen. */
  chosen(name: string, avatar: string): void;
  join(entry: Entry): void;
}

/** Before the call: a name, an avatar, a look at oneself, devices, and in. */
export class Lobby {
  readonly element: HTMLElement;
  private readonly preview = new CameraPreview("lobby-preview");
  private readonly meter = new LevelMeter();
  private readonly bar = h("div", { class: "meter-bar" });
  private readonly promise = h("p", { class: "soft" });
  private readonly resting = h("p", { class: "resting" });
  private readonly trouble = h("div", { class: "notice", role: "alert", "data-testid": "trouble", hidden: true });
  private readonly name = h("input", { class: "field", type: "text", name: "name", maxlength: MAX_NAME, autocomplete: "nickname", placeholder: "Guest", "data-testid": "name" });
  /** Somebody has made an avatar to join with. */
  private joinsNext = false;
  private readonly joinButton = h("button", { type: "submit", class: "button primary wide", "data-testid": "join" }, "Join");
  private readonly watchButton = h("button", { type: "button", class: "button quiet", "data-testid": "watch" }, "Only watch");
  private readonly notice: LobbyNotice;
  private readonly avatars: AvatarPicker;
  private readonly noAvatars = noAvatars();
  private readonly account: AccountLine;
  private dialog: MakeDialog | MyAvatars | null = null;
  private readonly pickers: DevicePickers;
  private readonly camera: IconButton;
  private readonly microphone: IconButton;
  private frame = 0;

  constructor(
    private readonly media: LocalMedia,
    private readonly own: OwnAvatars,
    lobby: LobbyMessage,
    private readonly preferred: { name: string; avatar: string },
    private readonly actions: LobbyActions,
  ) {
    this.microphone = this.toggle("audio");
    this.camera = this.toggle("video");
    this.pickers = new DevicePickers(media, () => this.choose());
    this.avatars = new AvatarPicker(lobby.enrolls, { chosen: () => this.choose(), make: () => this.makeAvatar(), manage: () => this.manage() });
    this.account = new AccountLine(lobby.enrolls, own);
    this.name.value = preferred.name;
    this.name.addEventListener("change", () => this.choose());
    this.notice = new LobbyNotice({ ...actions, watch: () => this.enter(true) });
    this.watchButton.addEventListener("click", () => this.enter(true));
    this.element = h(
      "main",
      { class: "lobby" },
      brand(),
      h(
        "section",
        { class: "mirror-card", "aria-label": "Preview" },
        this.preview.element,
        this.resting,
        h("div", { class: "mirror-controls" }, this.microphone.element, this.camera.element),
      ),
      this.form(),
    );
    this.meterLoop();
    this.offer(lobby);
    this.refreshOwn();
    this.refreshMedia();
  }

  /** The server offers these avatars now; what was typed and chosen stays. */
  offer({ avatars, enrolls }: LobbyMessage): void {
    this.avatars.show(avatars, this.preferred.avatar);
    this.avatars.element.hidden = avatars.length === 0 && !enrolls;
    this.noAvatars.hidden = avatars.length > 0 || enrolls;
  }

  /** The own avatars have changed, or the one that is being made. */
  refreshOwn(): void {
    const { isNewcomer: newcomer, enrollment } = this.own;
    this.avatars.setOwn({ newcomer, making: enrollment.isBusy ? makingLine(enrollment.making) : "" });
    this.dialog?.draw();
  }

  refresh(status: Status): void {
    const { asking, refusal, phase } = status;
    this.notice.show(status);
    const busy = phase !== "lobby" || asking;
    this.joinButton.disabled = busy || this.avatars.value === "";
    this.focusJoin();
    this.watchButton.disabled = busy;
    setText(this.joinButton, !asking ? "Join" : refusal ? "Waiting for a place…" : "Joining…");
  }

  refreshMedia(): void {
    const [cameraOn, microphoneOn] = [this.media.isOn("video"), this.media.isOn("audio")];
    this.preview.show(this.media.tracks.video);
    this.preview.element.hidden = !cameraOn;
    this.resting.hidden = cameraOn;
    setText(this.resting, this.whyNoPicture());
    showDevices(this.microphone, this.camera, this.media);
    this.meter.listen(microphoneOn ? this.media.tracks.audio : null);
    setText(this.promise, this.media.choices.isPrivate ? KEPT : SENT);
    this.showTrouble();
    void this.pickers.refresh();
  }

  close(): void {
    cancelAnimationFrame(this.frame);
    this.meter.close();
    this.preview.show(null);
    this.element.remove();
  }

  private form(): HTMLElement {
    const form = h(
      "form",
      { class: "lobby-side" },
      h("h1", { tabindex: -1 }, "Ready to join?"),
      this.promise,
      this.notice.element,
      this.trouble,
      h("label", { class: "labelled" }, h("span", {}, "Your name"), this.name),
      this.noAvatars,
      this.avatars.element,
      this.account.element,
      this.pickers.element,
      h("div", { class: "meter", role: "img", "aria-label": "Microphone level", "data-testid": "meter" }, this.bar),
      h("div", { class: "lobby-actions" }, this.joinButton, this.watchButton),
      testLink(),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.enter(false);
    });
    return form;
  }

  private enter(watch: boolean): void {
    this.choose();
    this.actions.join({ name: this.name.value.trim(), avatar: this.avatars.value, watch });
  }

  private choose(): void {
    this.actions.chosen(this.name.value.trim(), this.avatars.value);
  }

  private makeAvatar(): void {
    this.choose();
    this.dialog = new MakeDialog(this.own, this.media, this.name.value.trim(), (used) => {
      this.dialog = null;
      this.joinsNext = used;
      this.focusJoin();
      if (this.element.isConnected) void this.media.start();
    });
  }

  /** The button may have to wait for the new avatar's place in the list. */
  private focusJoin(): void {
    if (!this.joinsNext || this.joinButton.disabled) return;
    this.joinsNext = false;
    this.joinButton.focus();
  }

  private manage(): void {
    this.dialog = new MyAvatars(this.own, () => (this.dialog = null));
  }

  private toggle(kind: "audio" | "video"): IconButton {
    const [on, id] = kind === "video" ? (["camera", "lobby-camera"] as const) : (["microphone", "lobby-microphone"] as const);
    return new IconButton({
      id,
      icon: on,
      label: on,
      look: "round on-picture",
      press: () => {
        void this.media.turn(kind, !this.media.isOn(kind));
        this.choose();
      },
    });
  }

  private whyNoPicture(): string {
    if (!this.media.choices.on.video) return "Your camera is off: your avatar will rest.";
    return this.media.trouble.video ? "No camera: your avatar will rest." : "Allow your camera, and you see yourself here.";
  }

  private showTrouble(): void {
    const { audio, video } = this.media.trouble;
    const sentences = this.media.troubles();
    this.trouble.hidden = sentences.length === 0;
    if (sentences.length === 0) return;
    const again = h("button", { type: "button", class: "button quiet", "data-testid": "ask-again" }, "Ask again");
    again.addEventListener("click", () => void this.media.retry());
    const curable = [audio, video].some((trouble) => trouble && trouble.cause !== "insecure");
    this.trouble.replaceChildren(
      icon("warning"),
      h(
        "div",
        {},
        ...sentences.map((sentence) => h("p", {}, sentence)),
        this.avatars.value ? h("p", { class: "soft" }, "You can join all the same and be seen as your avatar at rest, or only watch.") : null,
        curable ? again : null,
      ),
    );
  }

  private meterLoop(): void {
    this.bar.style.transform = `scaleX(${this.meter.level().toFixed(3)})`;
    this.frame = requestAnimationFrame(() => this.meterLoop());
  }
}

function noAvatars(): HTMLElement {
  const command = h("code", {}, "visavis enroll");
  const words = h("p", {}, "This server has no avatar yet. Whoever runs it can make one with ", command, "; until then you can watch.");
  return h("div", { class: "notice", "data-testid": "no-avatars" }, words);
}
