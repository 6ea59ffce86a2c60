"""The 52 ARKit blend shape coefficients, in Apple's spelling and order (ARFaceAnchor.BlendShapeLocation)."""

from __future__ import annotations

from typing import Final

NAMES: Final[tuple[str, ...]] = (
    "eyeBlinkLeft", "eyeLookDownLeft", "eyeLookInLeft", "eyeLookOutLeft", "eyeLookUpLeft", "eyeSquintLeft", "eyeWideLeft",
    "eyeBlinkRight", "eyeLookDownRight", "eyeLookInRight", "eyeLookOutRight", "eyeLookUpRight", "eyeSquintRight",
    "eyeWideRight",
    "jawForward", "jawLeft", "jawRight", "jawOpen",
    "mouthClose", "mouthFunnel", "mouthPucker", "mouthLeft", "mouthRight", "mouthSmileLeft", "mouthSmileRight",
    "mouthFrownLeft", "mouthFrownRight", "mouthDimpleLeft", "mouthDimpleRight", "mouthStretchLeft", "mouthStretchRight",
    "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthPressLeft", "mouthPressRight",
    "mouthLowerDownLeft", "mouthLowerDownRight", "mouthUpperUpLeft", "mouthUpperUpRight",
    "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight",
    "cheekPuff", "cheekSquintLeft", "cheekSquintRight", "noseSneerLeft", "noseSneerRight", "tongueOut",
)  # fmt: skip
"""Coefficient names; a coefficient vector has shape (52,) and values in [0, 1] in this order."""

COUNT: Final[int] = len(NAMES)

INDEX: Final[dict[str, int]] = {name: i for i, name in enumerate(NAMES)}
"""Name -> position in a coefficient vector."""

GAZE: Final[tuple[int, ...]] = tuple(i for i, name in enumerate(NAMES) if name.startswith("eyeLook"))
"""Positions of the eight coefficients that only turn the eyeballs (and drag the lids)."""


def mirror(name: str) -> str:
    """The same movement on the other side of the face: `eyeBlinkLeft` <-> `eyeBlinkRight`; others are their own mirror."""
    if name.endswith("Left"):
        return name[:-4] + "Right"
    if name.endswith("Right"):
        return name[:-5] + "Left"
    return name


MIRROR: Final[tuple[int, ...]] = tuple(INDEX[mirror(name)] for name in NAMES)
"""For each coefficient the position of its mirror image."""


def vector(**values: float) -> list[float]:
    """A 52-long list with the named coefficients set and the others 0. Raises `KeyError` for a name Apple does not have."""
    out = [0.0] * COUNT
    for name, value in values.items():
        out[INDEX[name]] = float(value)
    return out


def both(**values: float) -> dict[str, float]:
    """The same movement on both sides of the face: `both(eyeBlink=1.0)` names `eyeBlinkLeft` and `eyeBlinkRight`."""
    return {f"{name}{side}": value for name, value in values.items() for side in ("Left", "Right")}
