import { describe, expect, it } from "vitest";
import { Decision, QUICK } from "./drawn_by";

describe("who draws the picture", () => {
  it("is this device where it was chosen, and the server again where it fails", () => {
    const decision = new Decision("device");
    expect(decision.wantsToTry(false, true)).toBe(true);
    decision.prepare();
    expect([decision.draws, decision.wantsToTry(true, false)]).toEqual([false, false]);
    expect(decision.prepared(() => 500)).toBe(true);
    expect(decision.draws).toBe(true);
    decision.begin();
    expect([decision.stage, decision.sentence]).toEqual(["device", "This device draws the picture: the server sends only how people move."]);
    decision.isSlow = true;
    expect(decision.sentence).toContain("fewer than 24 pictures");
    decision.fail("This device's graphics failed.");
    expect([decision.stage, decision.draws, decision.wantsToTry(true, false)]).toEqual(["returning", false, false]);
    expect(decision.sentence).toBe("This device's graphics failed. So the server draws the picture.");
    decision.returned();
    expect(decision.stage).toBe("server");
    decision.choose("device");
    expect(decision.wantsToTry(false, false)).toBe(true);
  });

  it("is left to the server by itself, unless the device is quick", () => {
    const decision = new Decision("auto");
    expect(decision.wantsToTry(false, false)).toBe(false);
    expect(decision.wantsToTry(true, true)).toBe(false);
    expect(decision.wantsToTry(true, false)).toBe(true);
    decision.prepare();
    expect(decision.prepared(() => QUICK + 1)).toBe(false);
    expect([decision.stage, decision.wantsToTry(true, false)]).toEqual(["server", false]);
    const quick = new Decision("auto");
    quick.prepare();
    expect(quick.prepared(() => QUICK - 1)).toBe(true);
  });

  it("ends at once where the server is chosen", () => {
    const decision = new Decision("device");
    decision.prepare();
    decision.choose("server");
    expect([decision.stage, decision.prepared(() => 1)]).toEqual(["server", false]);
    decision.begin();
    expect(decision.stage).toBe("server");
  });
});
