import type { DeskApi, DeskAvatar } from "../desk/api";
import type { Directory } from "../desk/directory";
import { avatarFacts } from "../desk/words";
import type { Announcer } from "./announcer";
import { picture } from "./avatar_picker";
import { IconButton } from "./button";
import { betterDialog } from "./desk_better";
import { DeskSection, replaceRows } from "./desk_section";
import { confirmDialog } from "./dialog";
import { h } from "./dom";

/** Everybody's avatars. */
export class AvatarsSection extends DeskSection {
  private readonly list = h("ul", { class: "own-list", "data-testid": "avatars" });
  /** Id -> address of the picture. */
  private readonly pictures = new Map<string, string>();

  constructor(
    private readonly api: DeskApi,
    private readonly directory: Directory,
    private readonly announcer: Announcer,
  ) {
    super("Avatars", "All that were made on this server. Erased ones leave every call at once.");
    this.body.append(this.list);
  }

  async start(): Promise<void> {
    const isRead = await this.attempt(async () => Promise.all([this.directory.readAvatars(), this.directory.readPeople()]));
    if (!this.isClosed) this.draw();
    if (isRead) await this.loadPictures();
  }

  override close(): void {
    for (const address of this.pictures.values()) URL.revokeObjectURL(address);
    super.close();
  }

  private draw(): void {
    const { avatars } = this.directory;
    if (avatars === null) return;
    const empty = h("li", { class: "soft", "data-testid": "no-avatars" }, "Nobody has an avatar yet. ", h("a", { href: "#enroll" }, "Enroll a colleague"));
    replaceRows(this.list, avatars.length > 0 ? avatars.map((avatar) => this.row(avatar)) : [empty]);
  }

  private row(avatar: DeskAvatar): HTMLElement {
    const { id, name, shared, state, may_improve } = avatar;
    const share = h("input", { type: "checkbox", role: "switch", checked: shared, "data-testid": `share-${id}` });
    share.addEventListener("change", () => void this.share(avatar, share.checked));
    const erase = new IconButton({ id: `erase-${id}`, icon: "erase", label: `Erase ${name}`, look: "round quiet danger tip-left", press: () => this.confirmErase(avatar) });
    const better = new IconButton({ id: `better-${id}`, icon: "better", label: `Make ${name} better`, look: "round quiet tip-left", press: () => this.improve(avatar) });
    better.visible(may_improve);
    const owner = avatar.mine ? "Yours" : `Of ${this.directory.nameOf(avatar.owner ?? "") || "somebody"}`;
    return h(
      "li",
      { class: "own-row", "data-testid": `avatar-${id}` },
      h("div", { class: "own-picture", "data-avatar": id }, picture(name, this.pictures.get(id) ?? "")),
      h("div", { class: "desk-name" }, h("p", { class: "person-name", dir: "auto" }, name), h("p", { class: "soft small" }, avatarFacts(avatar, owner))),
      state === "ready" ? h("label", { class: "switch own-facts" }, share, h("span", {}, "Shared with everybody")) : null,
      h("div", { class: "own-tools" }, better.element, erase.element),
    );
  }

  private async share(avatar: DeskAvatar, shared: boolean): Promise<void> {
    const done = await this.attempt(async () => Object.assign(avatar, await this.api.share(avatar, shared)));
    if (done) this.announcer.show(shared ? `Everybody may take ${avatar.name} now.` : `Only its owner may take ${avatar.name} now.`);
    else await this.directory.refresh(); // with the version that the server has now
    this.draw();
  }

  private improve(avatar: DeskAvatar): void {
    const owner = this.directory.nameOf(avatar.owner ?? "");
    betterDialog(this.api, avatar, owner, () => {
      this.announcer.show(`${avatar.name} gets better now: Jobs says how far it is.`);
      void this.start();
    });
  }

  private confirmErase({ id, name }: DeskAvatar): void {
    confirmDialog(`Erase ${name}?`, "It is gone for good, with its picture, photos, consent and jobs.", "Erase", () => void this.erase(id, name));
  }

  private async erase(id: string, name: string): Promise<void> {
    if (await this.attempt(() => this.api.erase(id))) {
      this.announcer.show(`${name} is erased.`);
      await this.start();
    }
  }

  /** One after the other: they are many. */
  private async loadPictures(): Promise<void> {
    for (const { id, name, state } of this.directory.avatars ?? []) {
      if (state !== "ready" || this.pictures.has(id)) continue;
      const data = await this.api.preview(id).catch(() => null);
      if (this.isClosed) return;
      if (data === null) continue;
      const address = URL.createObjectURL(data);
      this.pictures.set(id, address);
      this.list.querySelector(`[data-avatar="${id}"]`)?.replaceChildren(picture(name, address));
    }
  }
}
