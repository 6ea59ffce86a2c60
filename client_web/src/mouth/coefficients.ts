/** What a mouth is told by, in the order of `Mouth.shape`: ARKit's names. */
export const MOUTH_COEFFICIENTS = [
  "jawOpen", "mouthClose", "mouthFunnel", "mouthPucker", "mouthStretchLeft", "mouthStretchRight", "mouthSmileLeft", "mouthSmileRight",
  "mouthPressLeft", "mouthPressRight", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthUpperUpLeft", "mouthUpperUpRight",
] as const; // prettier-ignore
