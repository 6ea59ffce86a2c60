"""Content credentials, read back with the library: valid as written, invalid once a byte differs, and nothing of the person."""

from __future__ import annotations

import io
import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models import credentials, png, provenance
from models.errors import VisavisError
from models.video.writer import is_our_clip, mp4

c2pa = pytest.importorskip("c2pa", reason="c2pa-python is not installed (pip install visavis[provenance]): nothing was signed")


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A user who has not signed anything yet."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    credentials._signer.cache_clear()
    yield tmp_path / "state" / "visavis" / "c2pa" / "signer.pem"
    credentials._signer.cache_clear()


def read(data: bytes, media_type: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(c2pa.Reader(media_type, io.BytesIO(data)).json())
    return found


def written(tmp_path: Path, kind: str) -> Path:
    path = tmp_path / f"out.{kind}"
    if kind == "png":
        png.write(path, np.full((64, 64, 3), 90, np.uint8), sign=True)
    else:
        with mp4(path, 64, 64, 30.0) as writer:
            for i in range(3):
                writer.write(np.full((64, 64, 4), 90 + i, np.uint8), i / 30)
    return path


@pytest.mark.parametrize(("kind", "media_type"), [("png", "image/png"), ("mp4", "video/mp4")])
def test_what_is_written_is_signed_and_a_change_is_seen(tmp_path: Path, state: Path, kind: str, media_type: str) -> None:
    path = written(tmp_path, kind)
    data = path.read_bytes()
    found = read(data, media_type)
    assert found["validation_state"] == "Valid" and credentials.note() == ""
    manifest = found["manifests"][found["active_manifest"]]
    (action,) = next(a for a in manifest["assertions"] if a["label"].startswith("c2pa.actions"))["data"]["actions"]
    assert action["digitalSourceType"] == provenance.SOURCE_TYPE and action["softwareAgent"]["name"] == "Visavis"
    assert {a["label"].split(".")[1] for a in manifest["assertions"]} <= {"actions", "hash"} and "thumbnail" not in manifest
    place = data.index(b"IDAT" if kind == "png" else b"mdat") + 12
    changed = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
    assert read(changed, media_type)["validation_state"] == "Invalid"
    assert png.is_ours(path) if kind == "png" else is_our_clip(path)
    assert stat.S_IMODE(state.stat().st_mode) == 0o600


def test_the_key_is_kept_and_the_operators_own_is_taken(tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def signer() -> str:
        credentials._signer.cache_clear()
        found = read(credentials.sign(png.encode(np.zeros((4, 4, 3), np.uint8)), "image/png"), "image/png")
        return str(found["manifests"][found["active_manifest"]]["signature_info"]["cert_serial_number"])

    first = signer()
    assert signer() == first
    other, key, chain = tmp_path / "other", tmp_path / "key.pem", tmp_path / "chain.pem"
    certificates, secret = credentials._own(other)
    key.write_bytes(secret)
    chain.write_bytes(certificates)
    monkeypatch.setenv(credentials.KEY, str(key))
    with pytest.raises(VisavisError, match="together"):
        signer()
    monkeypatch.setenv(credentials.CERTIFICATE, str(chain))
    assert signer() != first
    chain.write_bytes(b"nonsense")
    with pytest.raises(VisavisError, match="do not work"):
        signer()
    monkeypatch.setenv(credentials.KEY, str(tmp_path / "none.pem"))
    with pytest.raises(VisavisError, match="cannot be read"):
        signer()


def test_without_a_place_for_the_key_or_without_the_library_files_are_unsigned_and_it_is_said(
    tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state.parent.parent.mkdir(parents=True)
    state.parent.write_text("no folder")
    data = png.encode(np.zeros((4, 4, 3), np.uint8))
    assert credentials.sign(data, "image/png") == data and credentials.note() == credentials.UNKEPT
    credentials._signer.cache_clear()
    monkeypatch.setitem(__import__("sys").modules, "c2pa", None)
    assert credentials.sign(data, "image/png") == data and credentials.note() == credentials.UNSIGNED
    with mp4(tmp_path / "out.mp4", 64, 64, 30.0) as writer:
        writer.write(np.zeros((64, 64, 4), np.uint8), 0.0)
    assert is_our_clip(tmp_path / "out.mp4")
