import type { AccountApi, Linked } from "../account/api";
import { DeskForm, MIN_PASSWORD, mustMatch, passwordField, sentenceOf } from "./desk_form";
import { openWorkDialog } from "./dialog";
import { h, setText } from "./dom";

export interface AccountActions {
  /** Here only. */
  signOut(): void;
  /** It was done already; `sentence`: what was done. */
  signedOut(sentence: string): void;
}

/** One's own account: password, sign-ins at the provider, and the way out. */
export async function openAccount(api: AccountApi, actions: AccountActions): Promise<void> {
  const [trouble, outcome] = [h("p", { class: "form-trouble", role: "alert" }), h("p", { class: "soft small", role: "status", "data-testid": "account-outcome" })];
  const words = h("p", { class: "soft" }, "…");
  const parts = h("div", { class: "account-parts" });
  const here = h("button", { type: "button", class: "button primary", "data-testid": "sign-out" }, "Sign out");
  const everywhere = h("button", { type: "button", class: "button", "data-testid": "sign-out-everywhere" }, "Sign out everywhere");
  const dialog = openWorkDialog("Your account", "account-dialog", "", words, parts, trouble, outcome, h("div", { class: "dialog-actions" }, everywhere, here));
  here.addEventListener("click", () => {
    dialog.close();
    actions.signOut();
  });
  everywhere.addEventListener("click", () => void attempt(async () => {
    await api.signOutEverywhere();
    dialog.close();
    actions.signedOut("You are signed out everywhere.");
  }, ""));
  await attempt(() => read(), "");

  async function read(): Promise<void> {
    const [me, ways, linked] = await Promise.all([api.me(), api.ways(), api.linked()]);
    const hasPassword = me.signs_in === "password" && ways.passwords;
    setText(words, `Signed in as ${me.login ?? me.name}. "Everywhere" ends this sign-in in all browsers.`);
    const provider = ways.provider !== "" || linked.length > 0 ? [linkedPart(linked, ways.provider, hasPassword)] : [];
    parts.replaceChildren(...provider, ...(hasPassword ? [passwordPart()] : []));
  }

  function linkedPart(linked: Linked[], provider: string, mayLink: boolean): HTMLElement {
    const rows = linked.map(({ id, provider }) => {
      const off = h("button", { type: "button", class: "button", "data-testid": `unlink-${id}` }, "Unlink");
      off.addEventListener("click", () => void attempt(async () => {
        await api.unlink(id);
        await read();
        dialog.querySelector("h2")?.focus();
      }, "It is unlinked, and you are signed out elsewhere."));
      return h("li", { class: "person" }, h("div", { class: "person-words" }, h("span", { class: "person-name", dir: "auto" }, provider)), off);
    });
    const list = h("ul", { class: "desk-list", "aria-label": "Linked sign-ins", "data-testid": "linked" }, ...rows);
    const form = provider !== "" && mayLink && linked.length === 0 ? linkForm(provider) : null;
    return h("section", {}, h("h3", {}, "Sign-ins that lead here"), linked.length > 0 ? list : null, form);
  }

  function linkForm(provider: string): HTMLElement {
    const password = passwordField("link-password", "Your password here", { autocomplete: "current-password", minlength: undefined });
    const begin = async (): Promise<void> => location.assign(await api.link(password.input.value, location.pathname));
    const hint = h("p", { class: "soft small" }, `You sign in at ${provider} once, and can use that sign-in from then on.`);
    return new DeskForm("link", `Link with ${provider}`, begin, hint, password.element).element;
  }

  function passwordPart(): HTMLElement {
    const current = passwordField("current-password", "Password as it is now", { autocomplete: "current-password", minlength: undefined });
    const next = passwordField("next-password", "New password", {}, `At least ${MIN_PASSWORD} characters.`);
    const again = passwordField("next-password-again", "The new password again");
    mustMatch(next.input, again.input);
    const change = async (): Promise<void> => {
      setText(outcome, "");
      await api.changePassword(current.input.value, next.input.value);
      for (const { input } of [current, next, again]) input.value = "";
      setText(outcome, "The password is changed, and you are signed out elsewhere.");
    };
    const form = new DeskForm("own-password", "Change the password", change, current.element, next.element, again.element);
    return h("details", { "data-testid": "own-password-part" }, h("summary", {}, "Change the password"), form.element);
  }

  async function attempt(work: () => Promise<void>, told: string): Promise<void> {
    for (const element of [trouble, outcome]) setText(element, "");
    try {
      await work();
      setText(outcome, told);
    } catch (error) {
      setText(trouble, sentenceOf(error));
    }
  }
}
