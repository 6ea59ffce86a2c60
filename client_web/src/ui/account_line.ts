import type { OwnAvatars } from "../avatars/own_avatars";
import { readWays, signInAddress } from "../sign_in";
import { h } from "./dom";

/** In the lobby: the way to one's account, where the server has an OpenID provider; and out of it again. */
export class AccountLine {
  readonly element = h("p", { class: "soft small account-line", hidden: true, "data-testid": "account-line" });

  constructor(hasAccounts: boolean, own: Pick<OwnAvatars, "isSignedIn" | "signOut">) {
    if (own.isSignedIn) this.offerOut(() => own.signOut());
    else if (hasAccounts) void this.offerIn();
  }

  private offerOut(signOut: () => void): void {
    const out = h("button", { type: "button", class: "button quiet", "data-testid": "lobby-sign-out" }, "Sign out");
    out.addEventListener("click", () => {
      this.element.hidden = true;
      signOut();
      void this.offerIn();
    });
    this.element.replaceChildren("You are signed in. ", out);
    this.element.hidden = false;
  }

  private async offerIn(): Promise<void> {
    const { provider } = await readWays((...call) => fetch(...call)).catch(() => ({ provider: "" }));
    if (provider === "") return;
    const link = h("a", { href: signInAddress(location.pathname), "data-testid": "lobby-sign-in" }, `Sign in with ${provider}`);
    this.element.replaceChildren("Your avatars are in an account? ", link);
    this.element.hidden = false;
  }
}
