/** The sentences about the connection: each says what is known to be true, and what to do where something can be done. No DOM. */
import type { Participant } from "./protocol";
import type { Status, Step, Trouble } from "./signalling_types";

/** What went wrong, in whole sentences; empty while nothing did. */
export function troubleSentence(trouble: Trouble, told = ""): string {
  switch (trouble) {
    case "none":
      return "";
    case "unreachable":
      return "The server cannot be reached.";
    case "silent":
      return "The server does not answer.";
    case "blocked":
      return (
        "The server answers, but no picture or sound gets through: a firewall may block UDP. " +
        "Try another network, or ask whoever runs the server to open its UDP ports."
      );
    case "no-network":
      return (
        "The server answers, but this browser found no network for picture and sound: " +
        "connect this computer to one, even if the server runs on it."
      );
    case "no-webrtc":
      return "This browser cannot send and receive picture and sound: allow WebRTC in its settings, or use another browser.";
    case "lost":
      return "The connection was lost.";
    case "told":
      return asSentence(told);
  }
}

/** What a slow attempt waits for, in whole sentences. */
export function slowSentence(step: Step): string {
  switch (step) {
    case "socket":
      return "The server has not been reached yet: this network may be slow, or not lead there.";
    case "greeting":
      return "The server is reached, but has not answered yet.";
    case "welcome":
      return "The server answers, but has not given you a place yet.";
    case "offer":
      return "The server answers; this browser still looks for a way to send picture and sound.";
    case "answer":
      return "You have a place; the server has not answered yet how picture and sound will come.";
    case "control":
      return "The server answers; picture and sound have not found a way through yet.";
  }
}

/** What the page says while it is not in the call and tries to be. */
export function tryingSentence({ trouble, message, again, attempt, slowStep }: Status): string {
  const action = again ? "Reconnecting…" : trouble !== "none" || attempt > 0 ? "Trying again…" : "Connecting…";
  const reason = trouble === "none" && slowStep ? slowSentence(slowStep) : troubleSentence(trouble, message);
  return [reason, action].filter(Boolean).join(" ");
}

/** The server's words begin small and end open, so that a terminal can show them behind a name. */
export function asSentence(text: string): string {
  const trimmed = text.trim();
  if (trimmed === "") return "";
  const first = trimmed.charAt(0).toUpperCase() + trimmed.slice(1);
  return /[.!?…]$/.test(first) ? first : `${first}.`;
}

/** What a link allows whoever opens it. */
export function linkSentence(kind: "person" | "viewer", link: string): string {
  if (isThisMachine(new URL(link).hostname)) {
    return "It opens on this machine only: start the server with --host 0.0.0.0 to let others in.";
  }
  return kind === "person"
    ? "Whoever opens it can join with an avatar, and is seen and heard by everybody."
    : "Whoever opens it can watch and listen, and is neither seen nor heard.";
}

/** "1 person", "3 people". */
export function countSentence(people: number): string {
  return people === 1 ? "1 person" : `${people} people`;
}

/** Goes on with ", 2 watching", where somebody is. */
export function watchingSentence(viewers: number): string {
  return viewers > 0 ? `, ${viewers} watching` : "";
}

/** "you, host, muted": what the list of people says under a name. */
export function factsOf({ host, seated, muted, camera }: Participant, isMe: boolean, speaks: boolean): string {
  const facts = [
    isMe ? "you" : "", host ? "host" : "", seated ? "" : "avatar is loading", muted ? "muted" : "", camera ? "" : "camera off",
    speaks ? "speaking" : "",
  ];
  return facts.filter(Boolean).join(", ");
}

/** The first letter of a name, or whatever stands there: a sign may be more than one unit of the string. */
export function initialOf(name: string): string {
  return ([...name][0] ?? "").toUpperCase();
}

/** Whether a host name of an address means the machine that reads it (RFC 6761, 6.3; RFC 1122, 3.2.1.3; RFC 4291, 2.5.3). */
export function isThisMachine(hostname: string): boolean {
  return /^(localhost|.*\.localhost|127(\.\d+){3}|\[::1\])$/i.test(hostname);
}
