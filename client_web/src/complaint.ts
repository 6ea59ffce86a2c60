/** What is wrong with the connection at the moment, until the way has come further than that. */
import type { Trouble } from "./signalling_types";

export class Complaint {
  trouble: Trouble = "none";
  /** The server's own words, for the trouble "told". */
  message = "";

  set(trouble: Trouble, message = ""): void {
    this.trouble = trouble;
    this.message = message;
  }

  /** Forgets these troubles. */
  overcome(...troubles: Trouble[]): void {
    if (troubles.includes(this.trouble)) this.set("none");
  }
}
