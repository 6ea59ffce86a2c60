import type { Address } from "./address";
import { LocalMedia } from "./media";
import { loadPreferences, savePreferences } from "./preferences";
import { Signalling } from "./signalling";
import type { Status } from "./signalling_types";
import { Announcer } from "./ui/announcer";
import { Call } from "./ui/call";
import { endingScreen } from "./ui/ending";
import { Lobby } from "./ui/lobby";
import { asSentence } from "./words";

/** A browser's question may stay unanswered; the call begins without the devices, and they join when they come. */
const ASKING_LIMIT = 3_000;

/** Moves between the rooms of the page: lobby, call, ending. `data-phase` of the document says where it is. */
export class App {
  private readonly preferences = loadPreferences();
  private readonly announcer = new Announcer();
  /** Outlives a call, so that its resume token serves the next try. */
  private readonly machine: Signalling;
  private readonly media: LocalMedia | null;
  private lobby: Lobby | null = null;
  private call: Call | null = null;

  constructor(
    private readonly root: HTMLElement,
    private readonly address: Address,
  ) {
    const { preferences } = this;
    this.machine = new Signalling(address.role, address.key);
    this.media =
      address.role === "person"
        ? new LocalMedia({
            on: { video: preferences.cameraOn, audio: preferences.microphoneOn },
            device: { video: preferences.camera, audio: preferences.microphone },
          })
        : null;
    document.body.append(this.announcer.element);
    // Firefox closes sockets before `pagehide`, iOS knows no `beforeunload`: whichever comes first says goodbye.
    for (const going of ["beforeunload", "pagehide"]) addEventListener(going, () => this.call?.leave());
    addEventListener("online", () => this.call?.nudge());
  }

  start(): void {
    if (this.media && !this.address.autojoin) this.showLobby(this.media);
    else void this.enterCall();
  }

  private showLobby(media: LocalMedia): void {
    this.clear("lobby");
    const lobby = new Lobby(media, () => this.remember(), () => void this.enterCall());
    this.lobby = lobby;
    media.changed = () => lobby.refresh();
    this.place(lobby.element);
    void media.start();
  }

  private async enterCall(): Promise<void> {
    this.remember();
    this.clear("connecting");
    const call = new Call({
      role: this.address.role,
      socket: this.address.socket,
      machine: this.machine,
      media: this.media,
      preferences: this.preferences,
      announcer: this.announcer,
      preferencesChanged: () => this.remember(),
      statusChanged: (status) => this.follow(status),
    });
    this.call = call;
    this.place(call.element);
    await Promise.race([this.media?.start(), sleep(ASKING_LIMIT)]);
    if (this.call === call) call.join();
  }

  private follow(status: Status): void {
    document.documentElement.dataset.phase = status.phase;
    if (status.phase === "failed") this.showFailure(status);
    if (status.phase === "left") this.showGoodbye();
  }

  private showFailure({ again, message }: Status): void {
    this.end("failed", {
      testId: "failure",
      icon: "warning",
      title: again ? "The call has ended" : "You could not join the call",
      sentence: asSentence(message),
      action: "Try again",
      actionId: "try-again",
      press: () => void this.enterCall(),
    });
  }

  private showGoodbye(): void {
    this.end("left", {
      testId: "goodbye",
      icon: "door",
      title: "You left the call",
      sentence: this.media ? "Your camera and microphone are off." : "You can come back with the same link.",
      action: this.media ? "Join again" : "Watch again",
      actionId: "join-again",
      press: () => this.start(),
    });
  }

  private end(phase: string, ending: Parameters<typeof endingScreen>[0]): void {
    this.clear(phase);
    this.media?.stop();
    this.place(endingScreen(ending));
    this.announcer.say(`${ending.title}. ${ending.sentence}`);
  }

  private clear(phase: string): void {
    document.documentElement.dataset.phase = phase;
    if (this.media) this.media.changed = () => undefined;
    this.lobby?.close();
    this.call?.close();
    this.lobby = this.call = null;
    document.querySelector("dialog[open]")?.remove();
    this.root.replaceChildren();
  }

  /** Shows a room and moves the focus to where reading starts. */
  private place(element: HTMLElement): void {
    this.root.replaceChildren(element);
    element.querySelector<HTMLElement>("[tabindex='-1']")?.focus({ preventScroll: true });
  }

  private remember(): void {
    if (this.media) {
      const { on, device } = this.media.choices;
      Object.assign(this.preferences, {
        cameraOn: on.video,
        microphoneOn: on.audio,
        camera: device.video,
        microphone: device.audio,
      });
    }
    savePreferences(this.preferences);
  }
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
