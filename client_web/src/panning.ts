/** Where a voice is heard: on the side where its speaker is seen. No DOM. */
import type { Label } from "./protocol";

/** Never wholly on one ear: that is tiring to listen to. */
const WIDEST = 0.8;

/** For a StereoPannerNode, -1 (left) to 1 (right); somebody who is not in the picture is heard in the middle. */
export function panOf(label: Label | undefined): number {
  if (!label) return 0;
  const middle = label.left + label.width / 2;
  return WIDEST * Math.min(1, Math.max(-1, 2 * middle - 1));
}
