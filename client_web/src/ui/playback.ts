import type { RoomSound } from "../sound";
import { h, setText } from "./dom";
import { icon } from "./icons";

/**
 * Starts the picture at once and the sound as soon as the browser allows it: many let nothing be heard before a click, and some
 * (a phone that saves power) play not even the picture. What is missing is one button away.
 */
export class Playback {
  /** The button for what the browser held back. */
  readonly prompt = h("button", { type: "button", class: "button primary prompt", "data-testid": "unmute", hidden: true });
  private readonly words = h("span", {});
  /** Whether the browser shows the picture only after a click. */
  isRefused = false;

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly sound: RoomSound,
  ) {
    this.prompt.append(icon("sound"), this.words);
    this.prompt.addEventListener("click", () => {
      this.sound.turn(true);
      void this.start();
    });
    video.muted = true; // voices come by `RoomSound`
  }

  /** Call when the picture's track arrived. */
  async start(): Promise<void> {
    this.isRefused = false;
    try {
      await this.video.play();
    } catch (error) {
      this.isRefused = error instanceof DOMException && error.name === "NotAllowedError";
    }
    this.draw();
  }

  draw(): void {
    setText(this.words, this.isRefused ? "Watch" : "Turn sound on");
    this.prompt.hidden = !this.isRefused && !this.sound.isBlocked;
  }
}
