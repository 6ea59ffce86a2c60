/** Reads WebXR's hands and controllers. */
import type { Hand } from "./controls";

/** Buttons and axes of WebXR's "xr-standard" layout. */
const [TRIGGER, SQUEEZE, STICK_CLICK, FIRST_BUTTON] = [0, 1, 3, 4];
const [STICK_X, STICK_Y, PAD_X, PAD_Y] = [2, 3, 0, 1];

/** Follows the session's events, which know of presses that no picture sees; end with the session. */
export class Input {
  private readonly selecting = new Set<XRInputSource>();
  private readonly squeezing = new Set<XRInputSource>();

  constructor(session: XRSession) {
    const follow = (name: "select" | "squeeze", held: Set<XRInputSource>): void => {
      session.addEventListener(`${name}start`, ({ inputSource }) => void held.add(inputSource));
      session.addEventListener(`${name}end`, ({ inputSource }) => void held.delete(inputSource));
    };
    follow("select", this.selecting);
    follow("squeeze", this.squeezing);
    session.addEventListener("inputsourceschange", ({ removed }) => {
      for (const source of removed) {
        this.selecting.delete(source);
        this.squeezing.delete(source);
      }
    });
  }

  /** All that the person holds, or shows of the own hands. */
  hands(sources: XRInputSourceArray, frame: XRFrame, space: XRReferenceSpace): Hand[] {
    const out: Hand[] = [];
    sources.forEach((source, index) => {
      const isHeld = source.targetRayMode === "tracked-pointer"; // else a touch on a screen, or the look itself
      const at = isHeld ? frame.getPose(source.gripSpace ?? source.targetRaySpace, space)?.transform.position : undefined;
      const { gamepad } = source;
      const isPressed = (button: number): boolean => gamepad?.buttons[button]?.pressed === true;
      const isHand = Boolean(source.hand);
      const axes = gamepad?.axes ?? [];
      const [x, y] = axes.length > STICK_Y ? [axes[STICK_X]!, axes[STICK_Y]!] : [axes[PAD_X] ?? 0, axes[PAD_Y] ?? 0];
      out.push({
        id: `${source.handedness} ${source.handedness === "none" ? index : ""} ${isHand}`,
        at: at ? [at.x, at.y, at.z] : null,
        select: this.selecting.has(source) || (!isHand && isPressed(TRIGGER)),
        squeeze: this.squeezing.has(source) || (!isHand && isPressed(SQUEEZE)),
        stick: isHand ? [0, 0] : [x, y],
        recentre: !isHand && (isPressed(STICK_CLICK) || isPressed(FIRST_BUTTON)),
        isHand,
      });
    });
    return out;
  }
}
