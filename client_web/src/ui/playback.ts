import { h, setText } from "./dom";
import { icon } from "./icons";

/**
 * Starts the picture at once and the sound as soon as the browser allows it: without a click many play only muted video,
 * and some (a phone that saves power) not even that. What is missing is one button away.
 */
export class Playback {
  /** The button for what the browser held back. */
  readonly prompt = h("button", { type: "button", class: "button primary prompt", "data-testid": "unmute", hidden: true });
  private readonly words = h("span", {});

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly withSound: boolean,
    private readonly changed: () => void,
  ) {
    this.prompt.append(icon("sound"), this.words);
    this.prompt.addEventListener("click", () => this.setSound(this.withSound));
    video.muted = !withSound;
  }

  get hasSound(): boolean {
    return !this.video.muted;
  }

  /** Call when a track arrived. */
  async start(): Promise<void> {
    if (await this.tryPlay()) return;
    this.video.muted = true;
    await this.tryPlay();
  }

  /** In answer to a click or a key: the browser lets it through. */
  setSound(on: boolean): void {
    this.video.muted = !on;
    void this.tryPlay();
  }

  private async tryPlay(): Promise<boolean> {
    let refused = false;
    try {
      await this.video.play();
    } catch (error) {
      refused = error instanceof DOMException && error.name === "NotAllowedError";
    }
    setText(this.words, this.video.paused ? "Watch" : "Unmute");
    this.prompt.hidden = !refused && !(this.withSound && this.video.muted);
    this.changed();
    return !refused;
  }
}
