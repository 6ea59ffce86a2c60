"""A face that is turned in its photo is not fitted too wide."""

from __future__ import annotations

import json

import pytest

from server import cli
from server.evaluation import turned_width


def test_a_turned_face_is_hardly_wider_than_it_is(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(turned_width, "FIRST", turned_width.FIRST + 1)
    monkeypatch.setattr(turned_width, "YAWS", (45,))
    monkeypatch.setattr("sys.argv", ["visavis", "eval", "turned", "--people", "1", "--json"])
    cli.main()
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert (row["turned"], row["people"]) == (45, 1)
    assert row["landmarks"] > 0.08 and abs(row["unbiased"]) < 0.6 * row["landmarks"]
