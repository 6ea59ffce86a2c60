import type { Wait } from "../wait";
import type { Announcer } from "./announcer";
import { Cover } from "./cover";

/**
 * Says what a call waits for: on the cover where there is no picture yet, in a toast over the last one else. A screen reader
 * reads each sentence once in a wait: attempts in a row alternate between two or three.
 */
export class WaitNotice {
  readonly cover: Cover;
  private readonly said = new Set<string>();
  private toast = "";

  constructor(
    private readonly announcer: Announcer,
    private readonly tryNow: () => void,
  ) {
    this.cover = new Cover(tryNow);
  }

  /** `wait`: null where nothing is waited for. */
  show(wait: Wait | null, hasPicture: boolean): void {
    this.cover.element.hidden = hasPicture || wait === null;
    if (wait === null || !hasPicture) this.endToast();
    if (wait === null) {
      this.said.clear();
      return;
    }
    if (hasPicture) this.showToast(wait);
    else this.cover.show(wait);
    if (!this.said.has(wait.sentence)) this.announcer.say(wait.sentence);
    this.said.add(wait.sentence);
  }

  /** Another toast may lie over it for its few seconds. */
  private showToast(wait: Wait): void {
    const toast = JSON.stringify(wait);
    if (toast === this.toast && this.announcer.isShowing) return;
    this.toast = toast;
    this.announcer.busy(wait.sentence, wait.canTry ? this.tryNow : null);
  }

  private endToast(): void {
    if (this.toast !== "") this.announcer.endBusy();
    this.toast = "";
  }
}
