import type { DeskApi } from "../desk/api";
import { setupTrouble } from "../desk/words";
import { type SignInWays, signInAddress } from "../sign_in";
import { endingScreen } from "./ending";
import { DeskForm, loginField, MIN_PASSWORD, mustMatch, passwordField, textField } from "./desk_form";
import { h } from "./dom";
import { brand } from "./header";

/** With a password, at the OpenID provider, or as one likes. `sentence`: why somebody has to sign in again. */
export function signInScreen(api: DeskApi, ways: SignInWays, sentence: string, done: () => Promise<void>): HTMLElement {
  const login = loginField("login", { autocomplete: "username", pattern: undefined }, "");
  const password = passwordField("password", "Password", { autocomplete: "current-password", minlength: undefined });
  const signIn = async (): Promise<void> => {
    await api.signIn(login.input.value.trim(), password.input.value);
    await done();
  };
  const form = new DeskForm("sign-in", "Sign in", signIn, login.element, password.element);
  const hint = h("p", { class: "soft small" }, "No admin yet? The server printed a set-up link when it started: open that one.");
  const trouble = h("p", { class: "form-trouble", role: "alert", "data-testid": "sign-in-trouble" }, sentence);
  if (ways.passwords) form.say(sentence);
  const look = ways.passwords ? "button wide" : "button primary wide";
  const provider = h("a", { class: look, href: signInAddress("/admin"), "data-testid": "to-provider" }, `Sign in with ${ways.provider}`);
  const content = [...(ways.passwords ? [form.element] : [trouble]), ...(ways.provider ? [provider] : []), ...(ways.passwords ? [hint] : [])];
  return sheet("Sign in", "The admin desk: people, avatars, and what was done.", ...content);
}

/** The first admin. `key`: of the set-up link. */
export function setupScreen(api: DeskApi, key: string, done: () => Promise<void>): HTMLElement {
  const name = textField("name", "Your name", { maxlength: 64, autocomplete: "name" });
  const login = loginField("login", { autocomplete: "username" });
  const password = passwordField("password", "Password", {}, `At least ${MIN_PASSWORD} characters.`);
  const again = passwordField("password-again", "The same password again");
  mustMatch(password.input, again.input);
  const setUp = async (): Promise<void> => {
    await api.setUp({ key, login: login.input.value.trim(), name: name.input.value.trim(), password: password.input.value });
    await done();
  };
  const form = new DeskForm("setup", "Become the admin", setUp, name.element, login.element, password.element, again.element);
  return sheet("Set up this server", "You become its first admin, who looks after people and avatars. This link works once.", form.element, signInLink());
}

/** A set-up link that cannot be used. `status`: what the server said of it. */
export function noSetupScreen(status: number, signIn: () => void): HTMLElement {
  return endingScreen({
    testId: "no-setup",
    icon: "lock",
    title: "This set-up link does not work",
    sentence: setupTrouble(status),
    action: "Sign in",
    actionId: "to-sign-in",
    press: signIn,
  });
}

function signInLink(): HTMLElement {
  return h("p", { class: "soft small" }, "There is an admin already? ", h("a", { href: "/admin", "data-testid": "to-sign-in" }, "Sign in"));
}

function sheet(title: string, sentence: string, ...content: HTMLElement[]): HTMLElement {
  const head = h("div", { class: "desk-head" }, h("h1", { tabindex: -1 }, title), h("p", { class: "soft" }, sentence));
  return h("main", { class: "desk-sheet" }, brand(), h("div", { class: "desk-card" }, head, ...content));
}
