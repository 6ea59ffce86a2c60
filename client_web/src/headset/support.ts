/** What a page needs to know of headsets before it loads all that one takes. */

export type Mode = "immersive-vr" | "immersive-ar";

const OPTIONAL = ["local-floor", "hand-tracking"];

/** A headset view that could not begin. The message is a sentence for people. */
export class HeadsetError extends Error {}

/** The kinds of headset view that this machine has now; none where the page is not secure or the browser knows no WebXR. */
export async function headsetModes(xr: XRSystem | undefined = navigator.xr): Promise<Mode[]> {
  if (xr === undefined) return [];
  const has = async (mode: Mode): Promise<boolean> => xr.isSessionSupported(mode).catch(() => false);
  const modes: Mode[] = ["immersive-vr", "immersive-ar"];
  const supported = await Promise.all(modes.map(has));
  return modes.filter((_, i) => supported[i]);
}

/** Asks for the headset; to be called while a press is handled. */
export function requestHeadset(mode: Mode): Promise<XRSession> {
  if (navigator.xr === undefined) return Promise.reject(new DOMException("", "NotSupportedError"));
  return navigator.xr.requestSession(mode, { optionalFeatures: OPTIONAL });
}

/** One sentence for a headset view that could not begin. */
export function headsetTrouble(error: unknown): string {
  if (error instanceof HeadsetError) return error.message;
  switch (error instanceof DOMException ? error.name : "") {
    case "NotAllowedError":
    case "SecurityError":
      return "The browser did not let this page into the headset: allow it, then try again.";
    case "InvalidStateError":
      return "The headset is in use by another page: close that one, then try again.";
    case "NotSupportedError":
      return "No headset is ready: put it on or connect it, then try again.";
    default:
      return "The headset view could not begin: try again.";
  }
}
