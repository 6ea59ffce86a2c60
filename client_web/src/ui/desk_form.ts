import { ApiError } from "../api_request";
import { h, setText } from "./dom";

type Attributes = Record<string, string | boolean | number | undefined>;

export const MIN_PASSWORD = 10;
const LOGIN_PATTERN = "[a-z0-9][a-z0-9._@\\-]{0,62}";

/** A refusal in words: the server's, or that this page did not know what to do with the answer. */
export function sentenceOf(error: unknown): string {
  return error instanceof ApiError ? error.message : "That did not work: load this page again, then try again.";
}

export interface Field<E extends HTMLElement = HTMLInputElement> {
  element: HTMLElement;
  input: E;
}

/** A labelled input with a hint below it. `id` is the test id, too. */
export function textField(id: string, label: string, attributes: Attributes = {}, hint = ""): Field {
  const described = hint ? { "aria-describedby": `${id}-hint` } : {};
  const input = h("input", { class: "field", type: "text", id, required: true, autocomplete: "off", "data-testid": id, ...described, ...attributes });
  return { element: framed(id, label, input, hint), input };
}

export function passwordField(id: string, label: string, attributes: Attributes = {}, hint = ""): Field {
  return textField(id, label, { type: "password", maxlength: 256, autocomplete: "new-password", minlength: MIN_PASSWORD, ...attributes }, hint);
}

export function loginField(id: string, attributes: Attributes = {}, hint = "Small letters, digits, dots and dashes."): Field {
  return textField(id, "Login", { autocapitalize: "none", spellcheck: "false", maxlength: 63, pattern: LOGIN_PATTERN, title: "Small letters, digits, dots and dashes", ...attributes }, hint);
}

/** `choices`: value -> what it is called. `required`: the form is not sent while an empty value is chosen. */
export function selectField(id: string, label: string, choices: [string, string][], chosen: string, required = false): Field<HTMLSelectElement> {
  const options = choices.map(([value, name]) => h("option", { value, selected: value === chosen }, name));
  const input = h("select", { id, required, "data-testid": id }, ...options);
  return { element: h("div", { class: "picker" }, h("label", { for: id }, label), input), input };
}

function framed(id: string, label: string, input: HTMLElement, hint: string): HTMLElement {
  const below = hint ? h("p", { class: "soft small", id: `${id}-hint` }, hint) : null;
  return h("div", { class: "labelled" }, h("label", { for: id }, label), input, below);
}

/** The second time that a password is typed has to be the same. */
export function mustMatch(first: HTMLInputElement, second: HTMLInputElement): void {
  const check = (): void => second.setCustomValidity(first.value === second.value ? "" : "The two passwords differ: type the same one twice.");
  first.addEventListener("input", check);
  second.addEventListener("input", check);
}

/** A form that does something that may fail, and says why it did. The browser checks the fields. */
export class DeskForm {
  readonly element: HTMLFormElement;
  private readonly trouble: HTMLElement;
  private readonly button: HTMLButtonElement;
  private isBusy = false;

  constructor(id: string, action: string, submit: () => Promise<void>, ...content: HTMLElement[]) {
    this.trouble = h("p", { class: "form-trouble", role: "alert", "data-testid": `${id}-trouble` });
    this.button = h("button", { type: "submit", class: "button primary wide", "data-testid": `${id}-submit` }, action);
    this.element = h("form", { class: "desk-form", "data-testid": id }, ...content, this.trouble, this.button);
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.attempt(submit);
    });
  }

  say(sentence: string): void {
    setText(this.trouble, sentence);
  }

  /** Says why `work` has failed, if it does; one thing at a time. */
  async attempt(work: () => Promise<void>): Promise<void> {
    if (this.isBusy) return;
    this.isBusy = true;
    this.button.setAttribute("aria-disabled", "true");
    this.say("");
    try {
      await work();
    } catch (error) {
      this.say(sentenceOf(error));
    }
    this.button.removeAttribute("aria-disabled");
    this.isBusy = false;
  }
}
