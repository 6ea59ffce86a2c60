/** Why the browser gave no camera or microphone, in one sentence with what to do. */
import type { Kind } from "./peer";

export type Browser = "chromium" | "firefox" | "safari" | "other";
export type Cause = "denied" | "missing" | "busy" | "insecure" | "lost" | "unknown";

export interface Trouble {
  cause: Cause;
  sentence: string;
}

export function whichBrowser(userAgent: string): Browser {
  if (/Firefox\/|FxiOS\//.test(userAgent)) return "firefox";
  if (/Chrom(e|ium)\/|CriOS\/|Edg/.test(userAgent)) return "chromium";
  return /Safari\//.test(userAgent) ? "safari" : "other";
}

/** From the name of a getUserMedia error, https://www.w3.org/TR/mediacapture-streams/#dom-mediadevices-getusermedia. */
export function causeOf(errorName: string): Cause {
  switch (errorName) {
    case "NotAllowedError":
    case "SecurityError":
      return "denied";
    case "NotFoundError":
    case "OverconstrainedError":
      return "missing";
    case "NotReadableError":
    case "AbortError":
      return "busy";
    default:
      return "unknown";
  }
}

export function explain(cause: Cause, kinds: Kind[], browser: Browser): Trouble {
  const what = kinds.map((kind) => (kind === "video" ? "camera" : "microphone")).join(" and ");
  return { cause, sentence: sentence(cause, what, kinds.length > 1, browser) };
}

function sentence(cause: Cause, what: string, several: boolean, browser: Browser): string {
  const is = several ? "are" : "is";
  switch (cause) {
    case "denied":
      return `Your ${what} ${is} blocked for this page: ${unblock(browser)}, then ask again.`;
    case "missing":
      return `No ${several ? what.replace(" and ", " or ") : what} was found: connect one, then ask again.`;
    case "busy":
      return `Your ${what} could not be started, perhaps because another program uses ${several ? "them" : "it"}: close that program, then ask again.`;
    case "insecure":
      return `Your browser gives no ${several ? what.replace(" and ", " or ") : what} to a page over plain http: start the server with --tls and open its https address, or open the page on the server's own machine as localhost.`;
    case "lost":
      return `Your ${what} ${several ? "were" : "was"} disconnected: connect ${several ? "them" : "it"} again or choose another one.`;
    case "unknown":
      return `Your ${what} could not be started: check the system's privacy settings, then ask again.`;
  }
}

function unblock(browser: Browser): string {
  switch (browser) {
    case "chromium":
      return "click the icon to the left of the address and allow access";
    case "firefox":
      return "click the crossed-out icon to the left of the address and remove the block";
    case "safari":
      return "open Safari's menu, Settings for This Website, and allow access";
    case "other":
      return "allow access in the browser's settings for this site";
  }
}
