import { type Address, roomAddress } from "../address";
import { type Check, ConnectionTest } from "../connection_test/checks";
import { runTest } from "../connection_test/run";
import { STATES } from "../connection_test/sentences";
import { reportOf, summaryOf } from "../connection_test/summary";
import { Announcer } from "./announcer";
import { h, setText } from "./dom";
import { brand } from "./header";
import { icon } from "./icons";

const ICONS = { passed: "check", failed: "close", untested: "minus" } as const;

/** One check of the list. */
class Row {
  readonly element: HTMLElement;
  private readonly sign = h("span", { class: "check-sign", "aria-hidden": "true" });
  private readonly state = h("span", { class: "check-state" });
  private readonly text = h("p", { class: "soft small check-text" });

  constructor(private readonly check: Check) {
    this.element = h("li", { class: "check", "data-testid": `check-${check.kind}` }, this.sign, h("div", {}, h("p", { class: "check-head" }, h("span", {}, check.title), this.state), this.text));
    this.draw();
  }

  draw(): void {
    const { state, text } = this.check;
    if (this.element.dataset.state !== state) {
      this.sign.replaceChildren(...(state === "running" ? [h("span", { class: "spinner" })] : state === "waiting" ? [] : [icon(ICONS[state])]));
    }
    this.element.dataset.state = state;
    setText(this.state, STATES[state]);
    setText(this.text, state === "running" && (this.check.kind === "camera" || this.check.kind === "microphone") ? "Allow it if your browser asks." : text);
  }
}

/** The connection test: what works between this browser and the room, and what to do about the rest. */
export class TestScreen {
  private readonly announcer = new Announcer();
  private test = new ConnectionTest();
  private rows = new Map<Check, Row>();
  private readonly summary = h("p", { class: "test-summary", "data-testid": "summary" });
  private readonly list = h("ol", { class: "checks", "data-testid": "checks", "aria-label": "Checks" });
  private readonly again = h("button", { type: "button", class: "button primary", "data-testid": "run-again" }, "Run again");
  private readonly copy = h("button", { type: "button", class: "button", "data-testid": "copy-report" }, "Copy the report");
  private readonly outcome = h("p", { class: "soft small", role: "status", "data-testid": "copy-outcome" });
  private readonly report = h("textarea", { class: "field report", readonly: true, rows: 8, "aria-label": "Report", "data-testid": "report", hidden: true });

  constructor(
    private readonly root: HTMLElement,
    private readonly address: Address,
  ) {
    this.again.addEventListener("click", () => void this.run());
    this.copy.addEventListener("click", () => void this.copyReport());
  }

  start(): void {
    document.title = "Connection test – Visavis";
    const back = h("a", { class: "button quiet", href: roomAddress(location.pathname), "data-testid": "back" }, "Back to the room");
    const heading = h("h1", { tabindex: -1 }, "Connection test");
    const page = h("main", { class: "test" }, brand(), h("div", { class: "test-sheet" }, heading, this.summary, this.list, h("div", { class: "test-actions" }, this.again, this.copy, back), this.outcome, this.report));
    this.root.replaceChildren(page);
    document.body.append(this.announcer.element);
    heading.focus();
    void this.run();
  }

  private async run(): Promise<void> {
    const test = (this.test = new ConnectionTest());
    this.rows.clear();
    this.outcome.textContent = "";
    this.report.hidden = true;
    this.again.disabled = this.copy.disabled = true;
    this.draw();
    await runTest(test, this.address, (check) => this.changed(check));
    this.draw();
    this.again.disabled = this.copy.disabled = false;
    this.announcer.say(summaryOf(test).sentence);
  }

  private changed({ title, state, text }: Check): void {
    this.draw();
    if (state !== "running") this.announcer.say(`${title}: ${STATES[state]}. ${text}`);
  }

  private draw(): void {
    const { verdict, sentence } = summaryOf(this.test);
    setText(this.summary, sentence);
    document.documentElement.dataset.phase = verdict === "running" ? "testing" : "tested";
    this.summary.dataset.verdict = verdict;
    const rows = this.test.checks.map((check) => this.rowOf(check));
    if (this.list.childElementCount !== rows.length || this.list.firstElementChild !== rows[0]?.element) this.list.replaceChildren(...rows.map(({ element }) => element));
    for (const row of rows) row.draw();
  }

  private rowOf(check: Check): Row {
    const row = this.rows.get(check) ?? new Row(check);
    this.rows.set(check, row);
    return row;
  }

  /** Pages over plain http may not copy: the text is shown and selected instead. */
  private async copyReport(): Promise<void> {
    const text = reportOf(this.test, location.host, navigator.userAgent, new Date());
    try {
      await navigator.clipboard.writeText(text);
      this.outcome.textContent = "The report is copied.";
    } catch {
      this.report.value = text;
      this.report.hidden = false;
      this.report.focus();
      this.report.select();
      this.report.scrollTop = 0;
      this.outcome.textContent = "The browser did not let the page copy: the report is selected below, copy it by hand.";
    }
  }
}
