import type { Avatar, Order } from "../../avatars/api";
import type { OwnAvatars } from "../../avatars/own_avatars";
import { newName } from "../../avatars/words";
import type { LocalMedia } from "../../media";
import { openWorkDialog } from "../dialog";
import { h } from "../dom";
import { ClipStep } from "./clip_step";
import { DetailsStep } from "./details_step";
import { PhotoStep } from "./photo_step";
import { ProgressStep } from "./progress_step";
import type { Source } from "./source";
import type { Step } from "./step";

/** "Make your avatar": a photo or a clip, a few words, and the way to the finished avatar. Closing it leaves what is being made alone. */
export class MakeDialog {
  private readonly body = h("div", { class: "make-body" });
  private readonly dialog: HTMLDialogElement;
  private step: Step | null = null;
  private source: Source | null = null;
  private used = false;

  constructor(
    private readonly own: OwnAvatars,
    private readonly media: LocalMedia,
    private readonly name: string,
    /** The camera is free again. `used`: the new avatar is what somebody wants to join with. */
    closed: (used: boolean) => void,
  ) {
    this.dialog = openWorkDialog("Make your avatar", "make-avatar", "make-dialog", this.body);
    const open = new AbortController();
    // A file that is dropped where nothing takes it would replace the page.
    for (const kind of ["dragover", "drop"]) document.addEventListener(kind, (event) => event.preventDefault(), { signal: open.signal });
    this.dialog.addEventListener("close", () => {
      open.abort();
      this.step?.close();
      this.step = null;
      this.own.enrollment.reset();
      closed(this.used);
    });
    if (own.enrollment.making.state === "idle") this.takePhoto();
    else this.showProgress();
  }

  /** The enrollment has changed. */
  draw(): void {
    if (this.step instanceof ProgressStep) this.step.draw();
  }

  private takePhoto(): void {
    this.own.enrollment.reset();
    this.place(new PhotoStep(this.media, (photo) => this.askDetails({ photo, clip: null }, null), () => this.film(null)));
  }

  /** `better`: the avatar that learns from it; null: a new one. */
  private film(better: Avatar | null): void {
    this.place(new ClipStep(this.media, { recorded: (clip) => this.askDetails({ photo: null, clip }, better), photo: () => (better ? this.showProgress() : this.takePhoto()) }, better !== null));
  }

  private askDetails(source: Source, better: Avatar | null): void {
    const taken = (this.own.all ?? []).flatMap(({ name, state }) => (state === "ready" ? [name] : []));
    const name = better?.name ?? newName(this.name, taken);
    const actions = {
      again: () => (source.clip ? this.film(better) : this.takePhoto()),
      make: (order: Omit<Order, "key">) => {
        this.source = source;
        void (better ? this.own.enrollment.improve(better, order) : this.own.enrollment.make(order));
        this.showProgress();
      },
    };
    this.place(new DetailsStep(source, this.name, name, better !== null, actions));
  }

  private showProgress(): void {
    const { enrollment } = this.own;
    this.place(
      new ProgressStep(this.own, this.source, {
        again: () => this.takePhoto(),
        cancel: () => {
          const keeps = enrollment.making.state === "better";
          void this.own.cancel();
          if (!keeps) this.takePhoto();
        },
        use: () => {
          this.used = true;
          this.dialog.close();
        },
        better: enrollment.order?.photo ? (avatar) => enrollment.order && void enrollment.improve(avatar, enrollment.order) : null,
        film: (avatar) => this.film(avatar),
      }),
    );
  }

  private place(step: Step): void {
    this.step?.close();
    this.step = step;
    this.body.replaceChildren(step.element);
    step.focus();
  }
}
