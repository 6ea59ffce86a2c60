import { expectTypeOf, it } from "vitest";
import type { AvatarFrame, Sound, VisavisAvatar as Declared } from "../../package-avatar/visavis-avatar";
import type { AvatarFrame as OwnFrame, Sound as OwnSound, VisavisAvatar } from "./visavis_avatar";

/** Read by the type checker: what the package declares is there. */
it("has what the package declares", () => {
  expectTypeOf<Pick<VisavisAvatar, "src" | "room" | "load" | "listen">>().toEqualTypeOf<Pick<Declared, "src" | "room" | "load" | "listen">>();
  expectTypeOf<OwnFrame>().toExtend<AvatarFrame>();
  expectTypeOf<Sound>().toEqualTypeOf<OwnSound>();
  expectTypeOf<Declared["drive"]>().toBeCallableWith({ coefficients: { jawOpen: 1 } });
});
