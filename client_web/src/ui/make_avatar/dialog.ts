import type { Order } from "../../avatars/api";
import type { OwnAvatars } from "../../avatars/own_avatars";
import { newName } from "../../avatars/words";
import type { LocalMedia } from "../../media";
import { openWorkDialog } from "../dialog";
import { h } from "../dom";
import { DetailsStep } from "./details_step";
import { type Photo, PhotoStep } from "./photo_step";
import { ProgressStep } from "./progress_step";
import type { Step } from "./step";

/** "Make your avatar": a photo, a few words, and the way to the finished avatar. Closing it leaves what is being made alone. */
export class MakeDialog {
  private readonly body = h("div", { class: "make-body" });
  private readonly dialog: HTMLDialogElement;
  private step: Step | null = null;
  private photo: Photo | null = null;
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
    this.place(new PhotoStep(this.media, (photo) => this.askDetails(photo)));
  }

  private askDetails(photo: Photo): void {
    this.photo = photo;
    const taken = (this.own.all ?? []).flatMap(({ name, state }) => (state === "ready" ? [name] : []));
    this.place(new DetailsStep(photo, this.name, newName(this.name, taken), { again: () => this.takePhoto(), make: (order) => this.make(order) }));
  }

  private make(order: Omit<Order, "key">): void {
    void this.own.enrollment.make(order);
    this.showProgress();
  }

  private showProgress(): void {
    this.place(
      new ProgressStep(this.own, this.photo, {
        again: () => this.takePhoto(),
        cancel: () => {
          void this.own.cancel();
          this.takePhoto();
        },
        use: () => {
          this.used = true;
          this.dialog.close();
        },
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
