import type { OwnAvatars } from "../../avatars/own_avatars";
import { h, reducedMotion } from "../dom";
import { icon } from "../icons";

const SECONDS = 8;

/** An avatar from all around: it turns by itself, or by hand with a slider; where less motion is wished for, only by hand. */
export class Turntable {
  readonly element = h("div", { class: "turntable" });
  private readonly view = h("div", { class: "result-picture", role: "img", "data-testid": "turntable" }, icon("portrait"));
  private address = "";
  private count = 0;
  private frame = 0;
  private turning = false;
  private closed = false;
  private readonly slider = h("input", { type: "range", class: "turntable-slider", min: 0, max: 1, value: 0, "aria-label": "Turn it", "data-testid": "turn-it" });

  constructor(
    private readonly own: OwnAvatars,
    private readonly id: string,
    name: string,
  ) {
    this.view.setAttribute("aria-label", `The avatar ${name} from all around`);
    this.element.append(this.view);
    this.slider.addEventListener("input", () => {
      this.turning = false;
      this.show(Number(this.slider.value));
    });
  }

  /** What it shows is not there: a picture from the front will do. Resolves to whether it could be shown. */
  async load(): Promise<boolean> {
    try {
      const address = URL.createObjectURL(await this.own.api.turntable(this.id));
      const image = new Image();
      image.src = address;
      await image.decode();
      if (this.closed) return (URL.revokeObjectURL(address), true);
      this.address = address;
      this.count = Math.max(1, Math.round(image.naturalWidth / image.naturalHeight));
      this.slider.max = String(this.count);
      this.view.replaceChildren();
      this.view.style.backgroundImage = `url("${address}")`;
      this.view.style.backgroundSize = `${this.count * 100}% 100%`;
      this.view.classList.add("is-loaded");
      this.element.append(this.slider);
      this.show(0);
      this.turning = !reducedMotion();
      this.turn(null);
      return true;
    } catch {
      return false;
    }
  }

  close(): void {
    this.closed = true;
    cancelAnimationFrame(this.frame);
    if (this.address) URL.revokeObjectURL(this.address);
  }

  private turn(start: number | null): void {
    this.frame = requestAnimationFrame((now) => {
      if (!this.turning || this.closed) return;
      const at = Math.floor((((now - (start ?? now)) / 1_000 / SECONDS) % 1) * this.count);
      this.show(at);
      this.slider.value = String(at);
      this.turn(start ?? now);
    });
  }

  private show(index: number): void {
    const part = this.count > 1 ? (index % this.count) / (this.count - 1) : 0;
    this.view.style.backgroundPositionX = `${(100 * part).toFixed(3)}%`;
  }
}
