import { ApiError, type Avatar } from "../avatars/api";
import type { OwnAvatars } from "../avatars/own_avatars";
import { stateWords } from "../avatars/words";
import { MAX_NAME } from "../protocol";
import { asSentence } from "../words";
import { picture } from "./avatar_picker";
import { IconButton } from "./button";
import { confirmDialog, openDialog } from "./dialog";
import { h, setText } from "./dom";

/** The own avatars: rename, share, export, erase; and all of one's own at once. */
export class MyAvatars {
  private readonly list = h("ul", { class: "own-list", "data-testid": "own-avatars" });
  private readonly outcome = h("p", { class: "outcome", role: "status", "data-testid": "own-outcome" });
  private readonly addresses: string[] = [];
  private readonly pictures = new Map<string, string>();
  private queue: Promise<void> = Promise.resolve();

  constructor(
    private readonly own: OwnAvatars,
    closed: () => void,
  ) {
    const save = h("button", { type: "button", class: "button", "data-testid": "export-all" }, "Download all of mine");
    const erase = h("button", { type: "button", class: "button danger", "data-testid": "erase-all" }, "Erase all of mine");
    save.addEventListener("click", () => void this.try(async () => this.download(await own.api.exportAll(), "visavis.zip"), "Everything is downloaded."));
    erase.addEventListener("click", () => this.confirmAll(dialog));
    const words = h("p", { class: "soft small" }, "They belong to this browser: nobody else can take one unless you share it.");
    const dialog = openDialog("Your avatars", "my-avatars", words, this.list, this.outcome, h("div", { class: "own-end" }, save, erase));
    dialog.classList.add("own-dialog");
    dialog.addEventListener("close", () => {
      for (const address of this.addresses) URL.revokeObjectURL(address);
      closed();
    });
    this.draw();
    void own.refresh();
  }

  /** The list has changed. */
  draw(): void {
    const { all } = this.own;
    if (all === null) return;
    const focused = document.activeElement instanceof HTMLElement && this.list.contains(document.activeElement) ? document.activeElement.dataset.testid : undefined;
    const empty = h("li", { class: "soft" }, "You have no avatar here yet.");
    this.list.replaceChildren(...(all.length > 0 ? all.map((avatar) => this.row(avatar)) : [empty]));
    if (focused) this.list.querySelector<HTMLElement>(`[data-testid="${focused}"]`)?.focus();
  }

  private row(avatar: Avatar): HTMLElement {
    const { id, name, shared, state } = avatar;
    const field = h("input", { class: "field own-name", type: "text", maxlength: MAX_NAME, value: name, "aria-label": "Name", autocomplete: "off", "data-testid": `own-name-${id}` });
    field.addEventListener("change", () => {
      const text = field.value.trim();
      if (text === "") field.value = name;
      else if (text !== name) this.change(avatar, { name: text }, `It is called ${text} now.`);
    });
    field.addEventListener("keydown", ({ key }) => {
      if (key === "Enter") field.blur();
    });
    const share = h("input", { type: "checkbox", role: "switch", checked: shared, "data-testid": `own-share-${id}` });
    share.addEventListener("change", () => {
      const told = share.checked ? `Everybody on this server can take ${name} now.` : `${name} is only yours now.`;
      this.change(avatar, { shared: share.checked }, told);
    });
    const save = new IconButton({ id: `own-save-${id}`, icon: "save", label: `Download ${name}`, look: "round quiet tip-left", press: () => void this.export(avatar) });
    const erase = new IconButton({ id: `own-erase-${id}`, icon: "erase", label: `Erase ${name}`, look: "round quiet danger tip-left", press: () => this.confirmErase(avatar) });
    const look = new IconButton({ id: `own-look-${id}`, icon: "turn", label: `Look at ${name}`, look: "round quiet tip-left", press: () => void this.look(avatar) });
    const ready = state === "ready";
    save.enabled(ready);
    look.enabled(ready);
    const facts = ready ? h("label", { class: "switch own-facts" }, share, h("span", {}, "Share with everybody on this server")) : h("p", { class: "soft small own-facts" }, stateWords(state));
    return h("li", { class: "own-row" }, this.picture(avatar), field, facts, h("div", { class: "own-tools" }, look.element, save.element, erase.element));
  }

  private picture({ id, name, state }: Avatar): HTMLElement {
    const known = this.pictures.get(id);
    const frame = h("div", { class: "own-picture" }, picture(name, known ?? ""));
    if (known === undefined && state === "ready") void this.load(id, name, frame);
    return frame;
  }

  private async load(id: string, name: string, frame: HTMLElement): Promise<void> {
    try {
      const address = URL.createObjectURL(await this.own.api.preview(id));
      this.addresses.push(address);
      this.pictures.set(id, address);
      frame.replaceChildren(picture(name, address));
    } catch {
      // The letter stays.
    }
  }

  /** One change after the other, each of what the one before has left. */
  private change(avatar: Avatar, change: { name?: string; shared?: boolean }, told: string): void {
    this.queue = this.queue.then(async () => {
      const redraw = async (): Promise<void> => {
        await this.own.touched();
        this.draw();
      };
      await this.try(async () => Object.assign(avatar, await this.own.api.change(avatar, change)), told, redraw);
    });
  }

  private async export({ id, name }: Avatar): Promise<void> {
    await this.try(async () => this.download(await this.own.api.file(id), `${fileName(name)}.avatar`), `${name} is downloaded.`);
  }

  private async look({ id, name }: Avatar): Promise<void> {
    const { lookAtAvatar } = await import("./look_at_avatar");
    lookAtAvatar(name, () => this.own.api.webAvatar(id));
  }

  private confirmErase({ id, name }: Avatar): void {
    const sentence = "It is gone for good, with its picture and all that belongs to it. Whoever uses it in a call has to take another one.";
    confirmDialog(`Erase ${name}?`, sentence, "Erase", () => {
      void this.try(() => this.own.api.erase(id), `${name} is erased.`, () => this.own.touched());
    });
  }

  private confirmAll(dialog: HTMLDialogElement): void {
    const sentence = "All your avatars on this server are erased, and everything that it knows of you. This cannot be undone.";
    confirmDialog("Erase all of mine?", sentence, "Erase all", () => {
      void this.try(() => this.own.api.eraseAll(), "Everything of yours is erased.").then((done) => done && dialog.close());
    });
  }

  /** Does something that may fail, shows what is left, and then says how it went -> whether it went well. */
  private async try(work: () => Promise<unknown>, told: string, redraw = async (): Promise<void> => undefined): Promise<boolean> {
    setText(this.outcome, "");
    let trouble = "";
    try {
      await work();
    } catch (error) {
      trouble = error instanceof ApiError ? asSentence(error.message) : "That did not work: try again.";
    }
    await redraw();
    setText(this.outcome, trouble || told);
    this.outcome.classList.toggle("is-bad", trouble !== "");
    return trouble === "";
  }

  private download(data: Blob, name: string): void {
    const address = URL.createObjectURL(data);
    this.addresses.push(address);
    h("a", { href: address, download: name }).click();
  }
}

/** Without what file systems do not like. */
function fileName(name: string): string {
  return name.replace(/[\\/:*?"<>|\u0000-\u001f]+/g, "_").replace(/^\.+/, "") || "avatar";
}
