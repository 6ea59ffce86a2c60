/** What the whole connection test says: one sentence on top, and a text to send to whoever runs the server. No DOM. */
import type { Check, ConnectionTest, Kind } from "./checks";
import { STATES } from "./sentences";

export type Verdict = "running" | "good" | "limited" | "bad" | "unknown";

export interface Summary {
  verdict: Verdict;
  sentence: string;
}

export function summaryOf(test: ConnectionTest): Summary {
  if (!test.isOver) {
    const now = test.checks.find(({ state }) => state === "running");
    return { verdict: "running", sentence: now ? `Testing: ${now.title.charAt(0).toLowerCase()}${now.title.slice(1)}…` : "Testing…" };
  }
  const [signalling] = test.of("signalling");
  if (signalling?.state === "failed") return { verdict: "bad", sentence: signalling.text };
  const hindrance = hindranceOf(test);
  if (test.state("receiving") !== "passed") {
    if (!hindrance) return { verdict: "unknown", sentence: unsaid(test) };
    return { verdict: "bad", sentence: `Calls will not work yet. ${hindrance.text}` };
  }
  const relayed = test.call?.kind === "connected" && test.call.relayed;
  const works = `Your calls will work${relayed ? " through the relay" : ""}`;
  const [device] = deviceTroubles(test);
  if (device) return { verdict: "limited", sentence: `${works}, but not with your ${named(device)}. ${device.text}` };
  const deaf = test.of("relay").some(({ state }) => state === "failed");
  if (deaf && !relayed) {
    return { verdict: "limited", sentence: `${works} from this network. A relay fails, which others may need, see below.` };
  }
  return { verdict: "good", sentence: `${works}.` };
}

/** The test as plain text, without the room's key. `host`: of the page's address. */
export function reportOf(test: ConnectionTest, host: string, browser: string, date: Date): string {
  const rows = test.checks.map(({ title, state, text }) => `[${STATES[state]}] ${title}: ${text}`);
  return [
    "Visavis connection test",
    `${date.toISOString().slice(0, 16).replace("T", " ")} UTC, server ${host}`,
    browser,
    "",
    summaryOf(test).sentence,
    "",
    ...rows,
    "",
  ].join("\n");
}

/** The failure to mend first: the furthest on the way to a call, because what lies before it works in some way. */
function hindranceOf(test: ConnectionTest): Check | undefined {
  const way: Kind[] = ["receiving", "sending", "relay", "direct"];
  return way.flatMap((kind) => test.of(kind)).find(({ state }) => state === "failed");
}

function deviceTroubles(test: ConnectionTest): Check[] {
  const devices = [...test.of("camera"), ...test.of("microphone")];
  if (!test.sends) return [];
  if (test.state("page") === "failed") return test.of("page");
  return devices.filter(({ state }) => state !== "passed");
}

function named({ kind }: Check): string {
  return kind === "page" ? "camera and microphone" : kind;
}

/** Nothing failed, but not all could be tested. */
function unsaid(test: ConnectionTest): string {
  const reason = test.of("direct").find(({ state }) => state === "untested");
  return `Nothing is wrong as far as could be tested. ${reason?.text ?? ""}`.trim();
}
