import type { OwnAvatars } from "../avatars/own_avatars";
import { readWays, type SignInWays, signInAddress } from "../sign_in";
import { openAccount } from "./account_dialog";
import { DeskForm, loginField, passwordField } from "./desk_form";
import { openWorkDialog } from "./dialog";
import { h } from "./dom";

const NO_WAYS: SignInWays = { passwords: false, provider: "" };

/** In the lobby: the way to one's account, where the avatars may be that an admin has made; and out of it again. */
export class AccountLine {
  readonly element = h("p", { class: "soft small account-line", hidden: true, "data-testid": "account-line" });

  constructor(
    hasAccounts: boolean,
    private readonly own: Pick<OwnAvatars, "isSignedIn" | "signOut" | "signIn" | "account">,
  ) {
    if (own.isSignedIn) this.offerOut();
    else if (hasAccounts) void this.offerIn();
  }

  private offerOut(): void {
    const account = h("button", { type: "button", class: "button quiet", "data-testid": "lobby-account" }, "Your account");
    account.addEventListener("click", () => void openAccount(this.own.account, { signOut: () => this.signOut(), signedOut: () => this.signOut() }));
    const out = h("button", { type: "button", class: "button quiet", "data-testid": "lobby-sign-out" }, "Sign out");
    out.addEventListener("click", () => this.signOut());
    this.element.replaceChildren("You are signed in. ", account, out);
    this.element.hidden = false;
  }

  private signOut(): void {
    this.element.hidden = true;
    this.own.signOut();
    void this.offerIn();
  }

  private async offerIn(): Promise<void> {
    const ways = await readWays((...call) => fetch(...call)).catch(() => NO_WAYS);
    if (!ways.passwords && ways.provider === "") return;
    const way = ways.passwords ? h("button", { type: "button", class: "button quiet", "data-testid": "lobby-sign-in" }, "Sign in") : toProvider(ways, "");
    if (ways.passwords) way.addEventListener("click", () => this.signIn(ways));
    this.element.replaceChildren("Your avatars are in an account? ", way);
    this.element.hidden = false;
  }

  private signIn(ways: SignInWays): void {
    const login = loginField("login", { autocomplete: "username", pattern: undefined }, "");
    const password = passwordField("password", "Password", { autocomplete: "current-password", minlength: undefined });
    const enter = async (): Promise<void> => {
      await this.own.signIn(login.input.value.trim(), password.input.value);
      dialog.close();
      this.offerOut();
    };
    const form = new DeskForm("sign-in", "Sign in", enter, login.element, password.element);
    const dialog = openWorkDialog("Sign in", "sign-in-dialog", "", form.element, ...(ways.provider ? [toProvider(ways, "button wide")] : []));
    login.input.focus();
  }
}

function toProvider({ provider }: SignInWays, look: string): HTMLElement {
  return h("a", { class: look || undefined, href: signInAddress(location.pathname), "data-testid": look ? "to-provider" : "lobby-sign-in" }, `Sign in with ${provider}`);
}
