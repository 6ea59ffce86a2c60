import type { Remark } from "../../avatars/api";
import { asSentence } from "../../words";
import { h } from "../dom";
import { icon } from "../icons";

/** What is good and weak about an avatar, and what to do; null: nothing is known. `notes`: of servers that tell no more. */
export function reportOf(report: Remark[], notes: string[]): HTMLElement | null {
  const weak = report.filter(({ good }) => !good);
  const good = report.filter((remark) => remark.good);
  if (report.length === 0 && notes.length === 0) return null;
  const parts = [
    list("weak", weak.length > 0 ? weak : report.length > 0 ? [] : notes.map(plain), "What could be better"),
    list("good", good, "What is good"),
  ];
  return h("div", { class: "notes findings", "data-testid": "notes" }, ...parts);
}

function list(kind: "good" | "weak", findings: Remark[], title: string): HTMLElement | null {
  if (findings.length === 0) return null;
  const items = findings.map(({ sentence, advice }) => {
    const words = h("span", {}, asSentence(sentence), advice ? h("span", { class: "advice" }, ` ${asSentence(advice)}`) : null);
    return h("li", { class: `is-${kind}` }, icon(kind === "good" ? "check" : "minus"), words);
  });
  return h("div", {}, h("p", {}, title), h("ul", {}, ...items));
}

function plain(sentence: string): Remark {
  return { topic: "other", good: false, sentence, advice: "" };
}
