import { IconButton } from "./button";
import { h } from "./dom";
import { CameraPreview } from "./preview";

/** The own webcam in a corner of the call, which can be folded away. */
export class SelfView {
  readonly element: HTMLElement;
  private readonly preview = new CameraPreview("self-view");
  private readonly hide: IconButton;
  private readonly reveal: IconButton;
  private readonly card: HTMLElement;
  private track: MediaStreamTrack | null = null;

  constructor(
    private open: boolean,
    private readonly changed: (open: boolean) => void,
  ) {
    this.hide = new IconButton({ id: "self-hide", icon: "close", label: "Hide self view", look: "round tiny on-picture", press: () => this.toggle() });
    this.reveal = new IconButton({ id: "self-show", icon: "self", label: "Show self view", key: "V", look: "round quiet tip-left", press: () => this.toggle() });
    this.card = h("div", { class: "self-card" }, this.preview.element, this.hide.element);
    this.element = h("div", { class: "self-view" }, this.card, this.reveal.element);
    this.draw();
  }

  show(track: MediaStreamTrack | null): void {
    this.track = track;
    this.draw();
  }

  toggle(): void {
    const focused = this.element.contains(document.activeElement);
    this.open = !this.open;
    this.draw();
    if (focused) (this.open ? this.hide : this.reveal).element.focus();
    this.changed(this.open);
  }

  private draw(): void {
    this.card.hidden = !this.open || !this.track;
    this.reveal.visible(!this.open && this.track !== null);
    this.preview.show(this.open ? this.track : null);
  }
}
