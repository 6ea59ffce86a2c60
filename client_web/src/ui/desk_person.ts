import type { DeskApi, Person, PersonChange, Role } from "../desk/api";
import { DeskForm, loginField, MIN_PASSWORD, passwordField, selectField, textField } from "./desk_form";
import { openWorkDialog } from "./dialog";
import { h } from "./dom";

const ROLE_CHOICES: [string, string][] = [
  ["member", "Member"],
  ["admin", "Admin (may do everything)"],
];

/** A new account. */
export function addPersonDialog(api: DeskApi, added: (person: Person) => void): void {
  const name = textField("new-name", "Name", { maxlength: 64 });
  const login = loginField("new-login");
  const password = passwordField("new-password", "First password", {}, `At least ${MIN_PASSWORD} characters. Tell it to the person by a safe way.`);
  const role = selectField("new-role", "Role", ROLE_CHOICES, "member");
  const add = async (): Promise<void> => {
    const person = { name: name.input.value.trim(), login: login.input.value.trim(), password: password.input.value, role: role.input.value as Role };
    const made = await api.addPerson(person);
    dialog.close();
    added(made);
  };
  const form = new DeskForm("add", "Add", add, name.element, login.element, password.element, role.element);
  const dialog = openWorkDialog("Add a person", "add-dialog", "", form.element);
  name.input.focus();
}

/** Name, role, password, and whether the account is disabled. `changed` gets a sentence. */
export function changePersonDialog(api: DeskApi, person: Person, isMe: boolean, changed: (sentence: string) => void): void {
  const isGuest = person.role === "guest";
  const name = textField("change-name", "Name", { maxlength: 64, value: person.name });
  const role = selectField("change-role", "Role", ROLE_CHOICES, person.role);
  const password = passwordField("change-password", "New password", { required: false }, "Leave it empty to keep the old one. A new one signs the person out everywhere.");
  const save = async (): Promise<void> => {
    const change: PersonChange = {};
    if (name.input.value.trim() !== person.name) change.name = name.input.value.trim();
    if (!isGuest && role.input.value !== person.role) change.role = role.input.value as Role;
    if (password.input.value !== "") change.password = password.input.value;
    await api.changePerson(person, change);
    if (isMe && change.password !== undefined && person.login !== null) await api.signIn(person.login, change.password);
    finish(`${change.name ?? person.name} is changed.`);
  };
  const fields = [name.element, ...(isGuest || isMe ? [] : [role.element]), ...(person.signs_in === "password" ? [password.element] : [])];
  const form = new DeskForm("change", "Save", save, ...fields);
  const disable = h("button", { type: "button", class: "button", "data-testid": "disable" }, person.disabled ? "Enable again" : "Disable");
  const words = person.disabled ? "Nobody can sign in with it now." : "Disabled, nobody can sign in with it any more, and calls with it end; avatars stay.";
  disable.addEventListener("click", () => {
    const disabled = !person.disabled;
    const done = (): void => finish(disabled ? `${person.name} is disabled.` : `${person.name} is enabled.`);
    void form.attempt(async () => api.changePerson(person, { disabled }).then(done));
  });
  const end = h("div", { class: "desk-end" }, h("p", { class: "soft small" }, words), disable);
  const dialog = openWorkDialog(`Change ${person.name}`, "change-dialog", "", form.element, ...(isMe ? [] : [end]));

  function finish(sentence: string): void {
    dialog.close();
    changed(sentence);
  }
}
