"""Expressions and gaze: the coefficients of emotions, speech, blinks and gaze directions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models import arkit
from models.heads.base import HeadModel
from models.types import Array


def gaze_of(model: HeadModel, coefficients: NDArray[np.floating]) -> Array:
    """The gaze (2, 2) float32 radians, rows left and right, columns yaw and pitch, of the eyeLook coefficients (52,)."""
    c, i = np.asarray(coefficients, np.float32), arkit.INDEX
    inward, outward, up, down = (float(g) for g in model.gaze_range)
    rows = []
    for side, sign in (("Left", 1.0), ("Right", -1.0)):
        yaw = sign * (outward * c[i[f"eyeLookOut{side}"]] - inward * c[i[f"eyeLookIn{side}"]])
        rows.append((yaw, up * c[i[f"eyeLookUp{side}"]] - down * c[i[f"eyeLookDown{side}"]]))
    return np.asarray(rows, np.float32)


def look(model: HeadModel, yaw: float, pitch: float) -> dict[str, float]:
    """The eyeLook coefficients of both eyes for a gaze in radians (positive: to the person's left, up)."""
    inward, outward, up, down = (float(g) for g in model.gaze_range)
    out = {}
    for side, sign in (("Left", 1.0), ("Right", -1.0)):
        turn = yaw * sign
        out[f"eyeLookOut{side}"], out[f"eyeLookIn{side}"] = max(turn, 0) / outward, max(-turn, 0) / inward
        out[f"eyeLookUp{side}"], out[f"eyeLookDown{side}"] = max(pitch, 0) / up, max(-pitch, 0) / down
    return {k: min(v, 1.0) for k, v in out.items()}


EMOTIONS: dict[str, dict[str, float]] = {
    "neutral": {},
    "smile": arkit.both(mouthSmile=0.7, cheekSquint=0.5, eyeSquint=0.3, mouthDimple=0.2),
    "grin": arkit.both(mouthSmile=0.85, cheekSquint=0.7, eyeSquint=0.45, mouthUpperUp=0.45, mouthLowerDown=0.35)
    | {"jawOpen": 0.16},
    "laugh": arkit.both(mouthSmile=0.9, cheekSquint=0.8, eyeSquint=0.6, mouthUpperUp=0.5, mouthLowerDown=0.4) | {"jawOpen": 0.5},
    "surprise": arkit.both(eyeWide=0.75, browOuterUp=0.8) | {"browInnerUp": 0.8, "jawOpen": 0.4},
    "anger": arkit.both(browDown=0.85, eyeSquint=0.35, noseSneer=0.35, mouthPress=0.4) | {"jawForward": 0.1},
    "sadness": arkit.both(mouthFrown=0.6, browDown=0.1) | {"browInnerUp": 0.7, "mouthShrugLower": 0.3},
    "disgust": arkit.both(noseSneer=0.8, mouthUpperUp=0.5, browDown=0.5, eyeSquint=0.4),
    "fear": arkit.both(eyeWide=0.7, mouthStretch=0.5, browOuterUp=0.4) | {"browInnerUp": 0.9, "jawOpen": 0.2},
    "kiss": {"mouthPucker": 0.85, "mouthFunnel": 0.2},
    "puff": {"cheekPuff": 0.85, "mouthPucker": 0.2} | arkit.both(mouthPress=0.3),
    "doubt": {"mouthLeft": 0.5, "mouthShrugUpper": 0.3, "browOuterUpLeft": 0.7, "browDownRight": 0.5},
    "shout": {"jawOpen": 0.85} | arkit.both(mouthStretch=0.35, mouthLowerDown=0.35, browDown=0.3),
    "sleepy": arkit.both(eyeBlink=0.55, browDown=0.1),
}
"""Coefficients of whole-face expressions."""
OFTEN = {"smile": 4, "grin": 3, "laugh": 2, "neutral": 2}
"""Weight of an emotion in a random choice; 1 where it is not listed."""
SPEECH: tuple[dict[str, float], ...] = (
    {"jawOpen": 0.35}, {"mouthFunnel": 0.6, "jawOpen": 0.2}, {"mouthPucker": 0.6, "jawOpen": 0.1},
    arkit.both(mouthStretch=0.4, mouthLowerDown=0.2) | {"jawOpen": 0.12},
    arkit.both(mouthPress=0.5) | {"mouthRollLower": 0.4, "mouthRollUpper": 0.3},
    arkit.both(mouthUpperUp=0.2) | {"mouthRollLower": 0.6, "jawOpen": 0.08},
    arkit.both(mouthLowerDown=0.35, mouthUpperUp=0.2) | {"jawOpen": 0.12},
)  # fmt: skip


def random_expression(rng: np.random.Generator, model: HeadModel | None = None, *, strength: float = 1.0) -> Array:
    """(52,) float32 in [0, 1]: one or two emotions, a mouth that speaks, lids, brows and a gaze, a little uneven.

    model: whose gaze range the eyes use; without it the default model's.
    """
    named: dict[str, float] = {}

    def add(part: dict[str, float], amount: float) -> None:
        for name, value in part.items():
            named[name] = named.get(name, 0.0) + value * amount

    emotions = [e for name, e in EMOTIONS.items() for _ in range(OFTEN.get(name, 1))]
    if rng.random() < 0.75:
        add(emotions[rng.integers(len(emotions))], strength * rng.uniform(0.3, 1.1))
    if rng.random() < 0.25:
        add(emotions[rng.integers(len(emotions))], strength * rng.uniform(0.1, 0.5))
    if rng.random() < 0.5:
        add(SPEECH[rng.integers(len(SPEECH))], strength * rng.uniform(0.3, 1.2))
    if rng.random() < 0.12:
        add(arkit.both(eyeBlink=1.0), rng.uniform(0.5, 1.0))
    elif rng.random() < 0.05:
        side = "Left" if rng.random() < 0.5 else "Right"
        add({f"eyeBlink{side}": 1.0, f"cheekSquint{side}": 0.6, f"mouthSmile{side}": 0.3}, 1.0)
    add({"browInnerUp": 1.0} if rng.random() < 0.5 else arkit.both(browDown=1.0), strength * rng.beta(1, 6))
    if rng.random() < 0.1:
        add({rng.choice(["jawLeft", "jawRight", "mouthLeft", "mouthRight", "jawForward"]): 1.0}, strength * rng.uniform(0.1, 0.6))
    yaw, pitch = float(rng.normal(0, 0.13)), float(rng.normal(0, 0.08))
    if model is not None:
        gaze = look(model, yaw, pitch)
    else:
        gaze = {
            "eyeLookOutLeft": max(yaw, 0) * 3, "eyeLookInRight": max(yaw, 0) * 3, "eyeLookOutRight": max(-yaw, 0) * 3,
            "eyeLookInLeft": max(-yaw, 0) * 3, "eyeLookUpLeft": max(pitch, 0) * 5, "eyeLookUpRight": max(pitch, 0) * 5,
            "eyeLookDownLeft": max(-pitch, 0) * 4, "eyeLookDownRight": max(-pitch, 0) * 4,
        }  # fmt: skip
    add(gaze, 1.0)
    out = np.zeros(arkit.COUNT, np.float32)
    for name, value in named.items():
        uneven = 1.0 if name in arkit.NAMES and "eyeLook" in name else float(np.exp(rng.normal(0, 0.12)))
        out[arkit.INDEX[name]] = np.clip(value * uneven, 0, 1)
    closed, jaw = arkit.INDEX["mouthClose"], arkit.INDEX["jawOpen"]
    out[closed] = min(out[closed], out[jaw])
    return out
