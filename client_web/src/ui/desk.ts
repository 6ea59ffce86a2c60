import { Enrollment } from "../avatars/enrollment";
import { TokenStore } from "../avatars/token_store";
import { type DeskAddress, readSection, type Section } from "../desk/address";
import { DeskApi, type DeskOrder } from "../desk/api";
import { Directory } from "../desk/directory";
import { outcomeOf } from "../sign_in";
import { initialOf } from "../words";
import { openAccount } from "./account_dialog";
import { Announcer } from "./announcer";
import { AuditSection } from "./desk_audit";
import { AvatarsSection } from "./desk_avatars";
import { EnrollSection } from "./desk_enroll";
import { sentenceOf } from "./desk_form";
import { HealthSection } from "./desk_health";
import { JobsSection } from "./desk_jobs";
import { KeysSection } from "./desk_keys";
import { LimitsSection } from "./desk_limits";
import { PeopleSection } from "./desk_people";
import { RoomsSection } from "./desk_rooms";
import type { DeskSection } from "./desk_section";
import { noSetupScreen, setupScreen, signInScreen } from "./desk_sign_in";
import { closeDialogs } from "./dialog";
import { h, setText } from "./dom";
import { brand } from "./header";

const TITLES: Record<Section, string> = {
  people: "People",
  enroll: "Enroll",
  avatars: "Avatars",
  jobs: "Jobs",
  rooms: "Rooms",
  keys: "API keys",
  limits: "Limits",
  health: "Health",
  audit: "Audit log",
};
const WITH_PASSWORD = { passwords: true, provider: "" };
const NOT_AN_ADMIN = "Only admins may use this desk: sign in as one.";

/** The pages of admins: set-up, sign-in, and the desk. `data-phase` of the document says where it is. */
export class Desk {
  private readonly announcer = new Announcer();
  private readonly api = new DeskApi(new TokenStore(tabStorage()));
  private readonly enrollment = new Enrollment<DeskOrder>(this.api);
  private directory: Directory | null = null;
  private section: DeskSection | null = null;
  private readonly accountInitial = h("span", { class: "person-initial", "aria-hidden": "true" });
  private readonly accountName = h("span", { class: "desk-account" });
  private readonly place = h("main", { class: "desk-place" });
  private readonly nav = h("nav", { class: "desk-nav", "aria-label": "Desk" });

  constructor(
    private readonly root: HTMLElement,
    private readonly address: DeskAddress,
  ) {
    document.body.append(this.announcer.element);
    this.api.signedOut = (sentence) => void this.signIn(sentence);
    this.enrollment.changed = () => this.followEnrollment();
    addEventListener("hashchange", () => this.showSection());
  }

  async start(): Promise<void> {
    const outcome = outcomeOf(location.hash);
    if (outcome !== "") history.replaceState(null, "", location.pathname);
    if (this.address.setup !== null) await this.setUp(this.address.setup);
    else if (typeof outcome === "object") await this.comeBackWith(outcome.sentence);
    else if (outcome === "done") await this.comeBack();
    else await this.open();
  }

  /** From the OpenID provider. */
  private async comeBack(): Promise<void> {
    try {
      await this.api.fetchToken();
    } catch (error) {
      return this.signIn(sentenceOf(error));
    }
    await this.open();
  }

  /** Nobody new has signed in there; whoever sat here still does. */
  private async comeBackWith(sentence: string): Promise<void> {
    if (!this.api.isSignedIn) return this.signIn(sentence);
    await this.open();
    this.announcer.show(sentence, 8);
  }

  private async setUp(key: string): Promise<void> {
    const answer = await fetch(location.pathname, { method: "HEAD" }).catch(() => null); // unreachable: the form will say so
    if (answer !== null && (answer.status === 404 || answer.status === 410)) {
      this.show("no-setup", noSetupScreen(answer.status, () => this.toDesk()));
    } else this.show("setup", setupScreen(this.api, key, () => this.toDesk()));
  }

  /** The key does not stay in the address. */
  private async toDesk(): Promise<void> {
    history.replaceState(null, "", "/admin");
    await this.open();
  }

  private async open(): Promise<void> {
    if (!this.api.isSignedIn) return this.signIn("");
    try {
      const me = await this.api.me();
      if (me.role !== "admin") {
        this.api.signOut();
        return this.signIn(NOT_AN_ADMIN);
      }
      this.directory = new Directory(this.api, me);
    } catch (error) {
      const sentence = sentenceOf(error);
      if (this.api.isSignedIn) this.show("sign-in", signInScreen(this.api, WITH_PASSWORD, sentence, () => this.open()));
      return;
    }
    const account = h("button", { type: "button", class: "chip", "data-testid": "account" }, this.accountInitial, this.accountName, h("span", { class: "visually-hidden" }, ": your account"));
    account.addEventListener("click", () => this.showAccount());
    this.show("desk", h("div", { class: "desk" }, h("header", { class: "desk-header" }, brand(), this.nav, account), this.place));
    this.showSection();
  }

  private async signIn(sentence: string): Promise<void> {
    this.directory = null;
    this.enrollment.reset();
    const ways = await this.api.ways().catch(() => WITH_PASSWORD); // unreachable: the form will say so
    if (!this.api.isSignedIn) this.show("sign-in", signInScreen(this.api, ways, sentence, () => this.open()));
  }

  private show(phase: string, element: HTMLElement): void {
    closeDialogs();
    this.section?.close();
    this.section = null;
    document.documentElement.dataset.phase = phase;
    this.root.replaceChildren(element);
    const heading = element.querySelector<HTMLElement>("h1");
    if (heading) document.title = `${heading.textContent} - Visavis`;
    (element.querySelector<HTMLElement>("input") ?? heading)?.focus();
  }

  private showSection(): void {
    if (this.directory === null) return;
    const { name } = this.directory.me;
    setText(this.accountName, name);
    setText(this.accountInitial, initialOf(name));
    const { section, item } = readSection(location.hash);
    closeDialogs();
    this.section?.close();
    this.section = this.make(section, item, this.directory);
    this.place.replaceChildren(this.section.element);
    this.place.scrollTo(0, 0);
    this.nav.replaceChildren(...Object.entries(TITLES).map(([id, title]) => h("a", { href: `#${id}`, "aria-current": id === section ? "page" : undefined, "data-testid": `to-${id}` }, title)));
    this.nav.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
    document.title = `${TITLES[section]} - Visavis`;
    this.section.element.querySelector<HTMLElement>("h1")?.focus({ preventScroll: true });
    void this.section.start();
  }

  private followEnrollment(): void {
    const { making } = this.enrollment;
    if (this.section instanceof EnrollSection) this.section.draw();
    else if (making.state === "done") this.announcer.show(`The avatar ${making.avatar.name} is ready.`, 8);
    else if (making.state === "failed") this.announcer.show(making.sentence, 8);
  }

  private make(section: Section, item: string, directory: Directory): DeskSection {
    const { api, announcer, enrollment } = this;
    switch (section) {
      case "people":
        return new PeopleSection(api, directory, announcer);
      case "enroll":
        return new EnrollSection(api, directory, enrollment, item);
      case "avatars":
        return new AvatarsSection(api, directory, announcer);
      case "jobs":
        return new JobsSection(api, directory);
      case "rooms":
        return new RoomsSection(api, directory, announcer);
      case "keys":
        return new KeysSection(api, directory, announcer);
      case "limits":
        return new LimitsSection(api, announcer);
      case "health":
        return new HealthSection(api);
      case "audit":
        return new AuditSection(api, directory);
    }
  }

  private showAccount(): void {
    if (this.directory === null) return;
    void openAccount(this.api.account, {
      signOut: () => {
        this.api.signOut();
        void this.signIn("");
      },
      signedOut: (sentence) => {
        this.api.signOut();
        void this.signIn(sentence);
      },
    });
  }
}

/** A tab's own: it ends with the tab. Reading it throws where the browser forbids it. */
function tabStorage(): Storage | null {
  try {
    return sessionStorage;
  } catch {
    return null;
  }
}
