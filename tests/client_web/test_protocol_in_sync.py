"""The page speaks the protocol that the server defines."""

from __future__ import annotations

import msgspec
import pytest

from realtime.room import layout
from server.call import generate_protocol, protocol


def test_generated_file_is_what_the_protocol_says() -> None:
    assert generate_protocol.main(["--check"]) == 0, "run `python -m server.call.generate_protocol`"


def test_check_tells_drift_and_writes_nothing(tmp_path, monkeypatch, capsys: pytest.CaptureFixture[str]) -> None:
    stale = tmp_path / "protocol.ts"
    stale.write_text("// older\n")
    monkeypatch.setattr(generate_protocol, "TARGET", stale)
    assert generate_protocol.main(["--check"]) == 1
    assert stale.read_text() == "// older\n"
    assert "server.call.generate_protocol" in capsys.readouterr().err


def test_writing_heals_the_drift(tmp_path, monkeypatch) -> None:
    target = tmp_path / "protocol.ts"
    monkeypatch.setattr(generate_protocol, "TARGET", target)
    assert generate_protocol.main(["--check"]) == 1
    assert generate_protocol.main([]) == 0
    assert generate_protocol.main(["--check"]) == 0


def test_every_message_every_field_and_the_shared_numbers_are_there() -> None:
    text = generate_protocol.render()
    for cls in generate_protocol.MESSAGES:
        assert f"export interface {cls.__name__} {{" in text
        for field in msgspec.structs.fields(cls):
            assert f"  {field.name}: " in text
    assert f"export const MAX_PITCH = {layout.MAX_PITCH};" in text
    assert f"export const MAX_SOUND_LINES = {protocol.MAX_SOUND_LINES};" in text
