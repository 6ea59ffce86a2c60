"""The command line as a person meets it: help, JSON on the last line, and bad input answered by one sentence and code 2."""

from __future__ import annotations

import io
import json
import pickle
import resource
import signal
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import skimage.data
from PIL import Image

from server import cli

if TYPE_CHECKING:
    from enrollment.instant.pipeline import Enrollment

VERBS = ["enroll", "view", "drive", "serve", "eval", "bench", "doctor", "export", "import", "synth-heads", "train"]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs a verb in this process: exit code, stdout, stderr."""

    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["visavis", *map(str, words)])
        code = 0
        try:
            cli.main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        out = capsys.readouterr()
        return code, out.out, out.err

    return call


@pytest.fixture(scope="module")
def avatar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small but whole avatar file."""
    from models import avatar_file
    from models.heads.anny import AnnyHead
    from tests.models import makers

    path = tmp_path_factory.mktemp("cli") / "small.avatar"
    avatar_file.save(makers.avatar(AnnyHead()), path)
    return path


def png_of(width: int, height: int) -> bytes:
    """The beginning of a PNG of any size; its pixels are missing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(4096)))


def jpeg(picture: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "JPEG")
    return out.getvalue()


def small_face() -> bytes:
    return jpeg(np.asarray(Image.fromarray(skimage.data.astronaut()).resize((256, 256))))


BAD_PHOTOS = {
    "nobody": (lambda: jpeg(skimage.data.coffee()), "face"),
    "cat": (lambda: jpeg(skimage.data.chelsea()), "face"),
    "small": (small_face, "pixels high"),
    "huge": (lambda: png_of(30_000, 30_000), "megapixels"),
    "truncated": (lambda: jpeg(skimage.data.astronaut())[:9000], "damaged"),
    "text": (lambda: b"these are words, not a photo", "photo"),
    "empty": (lambda: b"", "photo"),
}


def is_one_sentence(err: str) -> bool:
    said = [line for line in err.splitlines() if line.startswith("visavis: ")]
    return len(said) == 1 and "Traceback" not in err


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(run, verb: str) -> None:  # type: ignore[no-untyped-def]
    code, out, _ = run(verb, "--help")
    assert code == 0
    assert "Usage" in out


@pytest.mark.parametrize("name", BAD_PHOTOS)
def test_a_bad_photo_is_refused_in_one_sentence(run, tmp_path: Path, name: str) -> None:  # type: ignore[no-untyped-def]
    make, word = BAD_PHOTOS[name]
    photo, out = tmp_path / "photo.jpg", tmp_path / "me.avatar"
    photo.write_bytes(make())
    code, stdout, err = run("enroll", photo, "-o", out, "--json")
    assert code == 2
    assert is_one_sentence(err)
    assert word in json.loads(stdout.splitlines()[-1])["error"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["photo.jpg"], "nothing half-written"


@pytest.mark.parametrize("harm", ["cut", "changed", "words"])
def test_a_damaged_avatar_is_refused(run, avatar: Path, tmp_path: Path, harm: str) -> None:  # type: ignore[no-untyped-def]
    data = bytearray(avatar.read_bytes())
    if harm == "cut":
        data = data[: len(data) // 2]
    elif harm == "changed":
        data[-100] ^= 0xFF
    else:
        data = bytearray(b"no avatar")
    bad = tmp_path / "bad.avatar"
    bad.write_bytes(bytes(data))
    code, _, err = run("view", bad, "-o", tmp_path / "sheet.png")
    assert code == 2
    assert is_one_sentence(err)
    assert not (tmp_path / "sheet.png").exists()


def test_a_clip_without_video_is_refused(run, avatar: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    import wave

    sound = tmp_path / "sound.wav"
    with wave.open(str(sound), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(8000)
        out.writeframes(bytes(16000))
    code, _, err = run("drive", avatar, sound, "-o", tmp_path / "out.mp4")
    assert code == 2
    assert is_one_sentence(err)
    assert not (tmp_path / "out.mp4").exists()


def test_doctor_answers_in_json(run) -> None:  # type: ignore[no-untyped-def]
    code, out, _ = run("doctor", "--json")
    assert code == 0
    said = json.loads(out.splitlines()[-1])
    assert said["packages"]["numpy"]
    assert " core" in said["processor"] and 0.01 < said["seconds_of_additions"] < 100


def test_an_unknown_verb_and_a_missing_option_are_usage_errors(run) -> None:  # type: ignore[no-untyped-def]
    for words in (["fly"], ["enroll", "photo.jpg"]):
        code, _, err = run(*words)
        assert code == 2
        assert is_one_sentence(err)


ENROLLED_BEFORE = """
import pickle, sys
from enrollment import workflow
from server import cli

made = pickle.load(open(sys.argv.pop(1), "rb"))
workflow.enroll_instant = lambda *_, **__: made
cli.main()
"""


def test_a_full_disk_keeps_the_old_avatar(
    avatar: Path, enrolled: Enrollment, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The kernels are compiled by now, which a full disk would not keep."""
    photo, out, before = tmp_path / "photo.jpg", tmp_path / "me.avatar", tmp_path_factory.mktemp("before") / "enrollment"
    before.write_bytes(pickle.dumps(enrolled))
    photo.write_bytes(jpeg(skimage.data.astronaut()))
    out.write_bytes(avatar.read_bytes())

    def small_disk() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    done = subprocess.run(
        [sys.executable, "-c", ENROLLED_BEFORE, str(before), "enroll", str(photo), "-o", str(out)],
        preexec_fn=small_disk, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert is_one_sentence(done.stderr)
    assert out.read_bytes() == avatar.read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["me.avatar", "photo.jpg"]
