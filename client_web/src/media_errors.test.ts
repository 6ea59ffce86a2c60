import { expect, it } from "vitest";
import { type Cause, causeOf, explain, whichBrowser } from "./media_errors";

it.each([
  ["Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "firefox"],
  ["Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36", "chromium"],
  ["Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0 Safari/537.36 Edg/150.0", "chromium"],
  ["Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15", "safari"],
  ["curl/8", "other"],
])("knows %s as %s", (userAgent, browser) => {
  expect(whichBrowser(userAgent)).toBe(browser);
});

it.each([
  ["NotAllowedError", "denied"],
  ["NotFoundError", "missing"],
  ["NotReadableError", "busy"],
  ["OverconstrainedError", "missing"],
  ["SomethingElse", "unknown"],
])("reads %s as %s", (name, cause) => {
  expect(causeOf(name)).toBe(cause);
});

it("says what to do in one sentence, for every cause, device and browser", () => {
  const causes: Cause[] = ["denied", "missing", "busy", "insecure", "lost", "unknown"];
  for (const cause of causes) {
    for (const kinds of [["video"], ["audio"], ["video", "audio"]] as const) {
      for (const browser of ["chromium", "firefox", "safari", "other"] as const) {
        expect(explain(cause, [...kinds], browser).sentence).toMatch(/^[A-Z][^.]*[a-z][^.]*\.$/);
      }
    }
  }
  expect(explain("denied", ["video", "audio"], "firefox").sentence).toContain("camera and microphone are blocked");
  expect(explain("missing", ["video"], "other").sentence).toContain("No camera was found");
});
