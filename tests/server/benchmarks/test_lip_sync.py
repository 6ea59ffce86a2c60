"""How late a voice is against its picture, of made-up moments; and the microphone's bursts."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from models.errors import VisavisError
from server.benchmarks.lip_sync import BURST, PAUSES, RATE, figures, write_bursts

SAID = np.cumsum([700.0, 610.0, 730.0, 660.0] * 10)
CHANGED = np.cumsum([650.0] * 40)


def test_a_voice_that_is_later_than_its_picture_is_told() -> None:
    delays = np.where(CHANGED < 13_000, 40.0, 60.0)
    heard = SAID + np.where(SAID < 13_000, 130.0, 170.0)
    found = figures(SAID, heard, CHANGED, delays)
    assert (found["late_p5_ms"], found["late_p95_ms"]) == (90.0, 110.0) and 130 <= found["voice_ms"] <= 170
    assert found["bursts"] == 40 and found["changes"] == 40


def test_bursts_that_were_lost_do_not_count_and_none_at_all_is_told() -> None:
    lost = np.arange(40) % 5 == 0
    assert figures(SAID, SAID[~lost] + 55.0, CHANGED, np.full(40, 80.0))["late_ms"] == -25.0
    for missing in ({"heard": SAID[:0]}, {"changed": CHANGED[:0], "delays": CHANGED[:0]}, {"said": SAID[:0]}):
        given = {"said": SAID, "heard": SAID + 50, "changed": CHANGED, "delays": np.full(40, 80.0)} | missing
        with pytest.raises(VisavisError, match="voice and picture were expected"):
            figures(**given)


def test_the_microphone_is_silent_between_bursts_that_begin_at_once(tmp_path: Path) -> None:
    write_bursts(tmp_path / "bursts.wav")
    with wave.open(str(tmp_path / "bursts.wav")) as file:
        assert (file.getframerate(), file.getnchannels()) == (RATE, 1)
        sound = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32767
    loud = np.flatnonzero(np.abs(sound) > 0.03)
    begins = loud[np.diff(loud, prepend=-RATE) > 0.2 * RATE] / RATE
    assert begins == pytest.approx(np.cumsum([0, *(BURST + pause for pause in PAUSES[:-1])]), abs=2e-3)
