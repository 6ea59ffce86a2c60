"""A voice for tests, without anybody's recording: pulses through the resonances of vowels."""

from __future__ import annotations

import io
import wave

import numpy as np
from scipy.signal import lfilter

RATE = 48_000
FORMANTS = {"ah": (768, 1333, 2522), "oo": (378, 997, 2343)}


def vowel(name: str, seconds: float, pitch: float = 120.0) -> np.ndarray:
    """(N,) float64, its loudest 0.5."""
    sound = np.zeros(round(seconds * RATE))
    sound[:: round(RATE / pitch)] = 1.0
    soft = 1 - np.exp(-2 * np.pi * pitch / RATE)
    sound = np.diff(lfilter([soft], [1, soft - 1], lfilter([soft], [1, soft - 1], sound)), prepend=0.0)
    for frequency, width in zip(FORMANTS[name], (60, 90, 140), strict=True):
        r = np.exp(-np.pi * width / RATE)
        sound = lfilter([1.0], [1, -2 * r * np.cos(2 * np.pi * frequency / RATE), r * r], sound)
    return np.asarray(0.5 * sound / np.abs(sound).max())


def spoken_wav(seconds: float = 4.0) -> bytes:
    """One long "ah" as a WAV file: 16 bits, mono."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes((32767 * vowel("ah", seconds)).astype("<i2").tobytes())
    return out.getvalue()
