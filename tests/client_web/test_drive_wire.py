"""The page reads and writes drive frames as the server does, byte for byte."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.errors import ProtocolError
from models.exchange import drive_frames
from models.exchange.drive_frames import SentFrame
from tests.client_web.scripts import answers
from tests.models.exchange.test_drive_frames import GOOD, some_frame

SCRIPT = Path(__file__).with_name("drive_wire.mjs")


def asked(messages: list[bytes]) -> list[dict[str, Any]]:
    return answers(SCRIPT, [{"bytes": base64.b64encode(data).decode()} for data in messages])


def as_page_has_it(sent: SentFrame) -> dict[str, Any]:
    drive = sent.drive
    numbers = {
        name: np.asarray(getattr(drive, name), np.float64).ravel().tolist()
        for name in ("rotation", "translation", "gaze", "coefficients")
    }
    return numbers | {
        "participant": sent.participant, "sequence": sent.sequence, "time": round(drive.timestamp * 1000),
        "known": int(sent.known), "confidence": drive.confidence,
    }  # fmt: skip


def test_the_page_writes_the_bytes_that_the_server_writes() -> None:
    frames = [[some_frame(16 * i + j) for j in range(1 + i % 16)] for i in range(30)]
    far = some_frame(1).drive
    far = replace(far, confidence=1e-9, translation=9 * far.translation, gaze=9 * far.gaze, coefficients=3 * far.coefficients - 1)
    frames.append([SentFrame(far)])
    written = answers(SCRIPT, [{"frames": [as_page_has_it(sent) for sent in message]} for message in frames])
    assert [base64.b64decode(answer["bytes"]) for answer in written] == [drive_frames.encode(message) for message in frames]


def test_the_page_reads_what_the_server_reads() -> None:
    messages = [drive_frames.encode([some_frame(16 * i + j) for j in range(1 + i % 16)]) for i in range(20)]
    for data, answer in zip(messages, asked(messages), strict=True):
        for ours, theirs in zip(drive_frames.decode(data), answer["frames"], strict=True):
            expected = as_page_has_it(ours)
            assert theirs.keys() == expected.keys()
            assert all(theirs[name] == pytest.approx(value) for name, value in expected.items())


def test_page_and_server_refuse_the_same() -> None:
    rng = np.random.default_rng(1)
    messages = [GOOD[:-1], GOOD[:2], b"", GOOD + b"\0"]
    for _ in range(300):
        data = bytearray(GOOD)
        for at in rng.integers(len(data), size=rng.integers(1, 4)):
            data[at] = rng.integers(256)
        messages.append(bytes(data))
    refused = 0
    for data, answer in zip(messages, asked(messages), strict=True):
        try:
            drive_frames.decode(data)
        except ProtocolError:
            refused += 1
            assert answer["error"].startswith("WireError: ")
        else:
            assert "error" not in answer, json.dumps(answer)
    assert 20 < refused < len(messages) - 20
