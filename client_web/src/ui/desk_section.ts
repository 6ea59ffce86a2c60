import { sentenceOf } from "./desk_form";
import { h, setText } from "./dom";
import { icon } from "./icons";

/** One part of the desk: a heading, what went wrong, and its content. */
export abstract class DeskSection {
  readonly element: HTMLElement;
  protected readonly tools = h("div", { class: "desk-tools" });
  protected readonly body = h("div", { class: "desk-body" });
  protected isClosed = false;
  private readonly sentence = h("p", {});
  private readonly notice: HTMLElement;

  constructor(title: string, explanation: string) {
    const heading = h("h1", { tabindex: -1 }, title);
    this.notice = h("div", { class: "notice", role: "alert", "data-testid": "desk-trouble", hidden: true }, icon("warning"), this.sentence);
    const head = h("div", { class: "desk-head" }, h("div", { class: "desk-title" }, heading, this.tools), h("p", { class: "soft" }, explanation));
    this.element = h("section", { class: "desk-section", "aria-label": title }, head, this.notice, this.body);
  }

  /** Reads from the server, and shows. */
  abstract start(): Promise<void>;

  close(): void {
    this.isClosed = true;
    this.element.remove();
  }

  /** Does something that may fail, and shows why it did -> whether it went well. */
  protected async attempt(work: () => Promise<unknown>): Promise<boolean> {
    try {
      await work();
      this.complain("");
      return true;
    } catch (error) {
      this.complain(sentenceOf(error));
      return false;
    }
  }

  private complain(sentence: string): void {
    if (this.isClosed) return;
    this.notice.hidden = sentence === "";
    setText(this.sentence, sentence);
    if (sentence) this.notice.scrollIntoView({ block: "nearest" });
  }
}

/** Shows rows anew, and keeps the focus on the element with the same test id, else on the heading. */
export function replaceRows(list: HTMLElement, rows: HTMLElement[]): void {
  const active = document.activeElement;
  const focused = active instanceof HTMLElement && list.contains(active) ? active.dataset.testid : undefined;
  list.replaceChildren(...rows);
  if (focused === undefined) return;
  const again = list.querySelector<HTMLElement>(`[data-testid="${focused}"]`) ?? document.querySelector<HTMLElement>(".desk h1");
  again?.focus({ preventScroll: true });
}
