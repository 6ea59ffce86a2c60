"""Nobody's file is lost, and what cannot be written is known before the work: the command line with every kind of bad output."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import subprocess
import sys
import threading
import time
from collections import namedtuple
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from enrollment import to_file
from enrollment.workflow import EnrollmentResult
from models import avatar_file, credentials, outputs, png
from models.errors import StorageError
from models.exchange import ours
from models.heads.anny import AnnyHead
from models.video.writer import is_our_clip
from server import cli
from tests.models import makers
from tests.models.video import clips

ROOT = Path(__file__).parents[2]
Run = Callable[..., tuple[int, str]]
PICTURE = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An avatar, a clip, an export; what is no photo is called one, so that whoever begins to work says so."""
    folder = tmp_path_factory.mktemp("made")
    avatar_file.save(makers.avatar(AnnyHead()), folder / "a.avatar")
    clips.write(folder / "clip.mp4", [np.full((64, 64, 3), 140, np.uint8)] * 3)
    (folder / "a.ply").write_text("ply\n")
    for name in ("me.png", "you.png"):
        Image.fromarray(PICTURE).save(folder / name)
    (folder / "notes.txt").write_text("mine")
    for name in ("frames/000000.png", "shots/000000.color.png", "export/point_cloud.ply", "run/prior.safetensors"):
        (folder / name).parent.mkdir()
        shutil.copy(folder / "me.png", folder / name)
    return folder


@pytest.fixture
def here(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where verbs run: a copy of it."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    os.link(tmp_path / "a.avatar", tmp_path / "same.avatar")
    (tmp_path / "link.png").symlink_to("me.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command line: exit code, what stderr says."""

    def call(words: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["visavis", *words.split()])
        code = 0
        try:
            cli.main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        return code, capsys.readouterr().err

    return call


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enrollment takes no time."""
    avatar = makers.avatar(AnnyHead())
    instant = SimpleNamespace(avatar=avatar, fit_rms=1.0, warnings=(), portraits=[None])
    result = EnrollmentResult(avatar, "instant", instant, refinement=None, views=None, warnings=())
    monkeypatch.setattr(to_file, "enroll", lambda *_, **__: result)
    monkeypatch.setattr(to_file, "likeness", lambda made: None)
    monkeypatch.setattr(to_file, "remarks", lambda *_, **__: [])


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else b"" for p in sorted(folder.rglob("*"))}


REFUSED = {
    "view a.avatar -o a.avatar": "than the input",
    "view a.avatar -o me.png": "there already",
    "view a.avatar -o link.png": "there already",
    "view a.avatar -o notes.txt": "named like another",
    "view a.avatar -o frames": "is a folder",
    "view a.avatar -o no/such/sheet.png": "no such folder",
    "view a.avatar -o notes.txt/sheet.png": "no such folder",
    "view a.avatar -o ~/sheet.png": "begins with ~",
    f"view a.avatar -o {'n' * 300}.png": "too long",
    "export a.avatar -o a.avatar --format ply": "than the input",
    "export a.avatar -o ./same.avatar --format lam": "than the input",
    "export a.avatar -o export": "holds other things",
    "export a.avatar -o notes.txt --format spz": "named like another",
    "export a.avatar -o no/a.ply": "no such folder",
    "export a.avatar -o no/folder": "no such folder",
    "import a.ply -o a.ply": "than the input",
    "import export -o export": "than the input",
    "import export -o me.png": "named like another",
    "import export -o no/b.avatar": "no such folder",
    "drive a.avatar clip.mp4 -o clip.mp4": "than the input",
    "drive a.avatar clip.mp4 -o ../{}/clip.mp4": "than the input",
    "drive a.avatar clip.mp4 -o a.avatar": "than the input",
    "drive a.avatar clip.mp4 -o frames": "holds other things",
    "drive a.avatar clip.mp4 -o no/out.mp4": "no such folder",
    "drive a.avatar clip.mp4 -o ~": "begins with ~",
    "enroll me.png -o me.png": "than the input",
    "enroll me.png -o holiday.jpg": "named like another",
    "enroll me.png -o no/a.avatar": "no such folder",
    "enroll me.png -o frames": "is a folder",
    "enroll me.png --video clip.mp4 -o clip.mp4": "than the input",
    "enroll me.png --quality standard -o no/a.avatar": "no such folder",
    "enroll me.png --quality high --prior run/prior.safetensors -o ~/a.avatar": "begins with ~",
    "eval photos me.png you.png --sheet you.png": "than the input",
    "eval photos me.png you.png --sheet no/s.png": "no such folder",
    "eval self me.png you.png --sheet you.png": "than the input",
    "eval reenact clip.mp4 --sheet clip.mp4": "than the input",
    "eval prior run/prior.safetensors --sheet me.png": "there already",
    "bench reconstruct --sheet me.png": "there already",
    "synth-heads --count 1 --out shots": "holds other things",
    "synth-heads --count 1 --out notes.txt/deep/er": "no such folder",
    "synth-heads --count 1 --sheet me.png": "there already",
    "train prior --out run": "holds other things",
    "train prior --out ~/run": "begins with ~",
    "train prior --out new --cache notes.txt": "is a file",
}


@pytest.mark.parametrize("words", REFUSED)
def test_a_bad_output_is_refused_before_the_work(run: Run, here: Path, words: str) -> None:
    before = contents(here)
    code, err = run(words.format(here.name))
    said = [line for line in err.splitlines() if line.startswith("visavis: ")]
    assert code == 2 and len(said) == 1 and "Traceback" not in err, err
    assert REFUSED[words] in said[0]
    assert contents(here) == before


def test_other_names_of_an_input_are_the_input(here: Path) -> None:
    (here / "other.avatar").symlink_to("a.avatar")
    for name in ("a.avatar", "same.avatar", "other.avatar", "frames/../a.avatar"):
        with pytest.raises(StorageError, match="than the input"):
            outputs.check(Path(name), outputs.AVATAR, inputs=[Path("a.avatar")])
    outputs.check(Path("new.avatar"), outputs.AVATAR, inputs=[Path("a.avatar"), None, Path("missing")])


@pytest.mark.usefixtures("quick")
def test_the_sheet_is_never_the_photo(run: Run, here: Path) -> None:
    before = (here / "me.png").read_bytes()
    assert run("enroll me.png -o me.avatar")[0] == 0
    assert (here / "me.png").read_bytes() == before
    assert avatar_file.is_one(here / "me.avatar") and png.is_ours(here / "me.avatar.png")
    assert run("enroll me.png -o me.avatar")[0] == 0, "what is ours may be replaced"


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("quality", "name"), [("instant", "png"), ("standard", "unfinished"), ("standard", "unfinished.2"), ("high", "views.png")]
)
def test_somebody_elses_file_is_no_side_product(run: Run, here: Path, quality: str, name: str) -> None:
    (here / f"b.avatar.{name}").write_text("mine")
    code, err = run(f"enroll me.png --quality {quality} -o b.avatar")
    assert code == 2 and f"b.avatar.{name} is there already" in err
    assert (here / f"b.avatar.{name}").read_text() == "mine" and not (here / "b.avatar").exists()


@pytest.mark.usefixtures("quick")
def test_an_avatar_does_not_take_the_place_of_something_else(run: Run, here: Path) -> None:
    shutil.copy("me.png", "b.avatar")
    assert run("enroll me.png -o b.avatar")[0] == 2
    assert (here / "b.avatar").read_bytes() == (here / "me.png").read_bytes()


@pytest.mark.parametrize("words", ["view a.avatar -o s.png", "export a.avatar -o b.ply", "export a.avatar -o b.spz",
                                   "export a.avatar -o b.zip --format lam", "export a.avatar -o b"])  # fmt: skip
def test_what_we_wrote_may_be_written_again(run: Run, here: Path, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(words)[0] == 0, "signed: no two signatures are alike"
    monkeypatch.setattr(credentials, "_signer", lambda: (None, ""))
    assert run(words)[0] == 0
    os.chmod(words.split()[3], 0o700)
    before = contents(here)
    assert run(words)[0] == 0
    assert contents(here) == before and stat.S_IMODE(os.stat(words.split()[3]).st_mode) == 0o700
    assert not (ours.is_ply(here / "me.png") or ours.is_spz(here / "me.png") or ours.is_zip(here / "me.png"))


def test_an_empty_file_may_be_written_to(run: Run, here: Path) -> None:
    (here / "s.png").touch()
    assert run("view a.avatar -o s.png")[0] == 0 and png.is_ours(here / "s.png")
    assert (b"caBX" in (here / "s.png").read_bytes()) == (find_spec("c2pa") is not None), "signed where it can be"


@pytest.fixture
def pipe(here: Path) -> Iterator[list[bytes]]:
    """A pipe with a reader; what it has read in the end."""
    os.mkfifo("pipe")
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(Path("pipe").read_bytes()), daemon=True)
    reader.start()
    yield got
    reader.join(5)


def test_a_pipe_gets_the_picture_and_stays(run: Run, here: Path, pipe: list[bytes]) -> None:
    assert run("view a.avatar -o pipe")[0] == 0
    for _ in range(100):
        if pipe:
            break
        time.sleep(0.02)
    assert pipe[0].startswith(png.SIGNATURE) and stat.S_ISFIFO(os.stat("pipe").st_mode)


def test_what_is_no_file_is_never_replaced(run: Run, here: Path) -> None:
    os.mkfifo("pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        before = {name: os.stat(name).st_ino for name in ("pipe", "socket")}
        assert "reads from the pipe" in run("view a.avatar -o pipe")[1]
        for words in ("view a.avatar -o socket", "export a.avatar -o socket --format ply", "enroll me.png -o socket",
                      "enroll me.png -o pipe", "drive a.avatar clip.mp4 -o socket", "export a.avatar -o pipe"):  # fmt: skip
            code, err = run(words)
            assert code == 2 and "Traceback" not in err, words
        assert {name: os.stat(name).st_ino for name in before} == before


def test_a_device_stays_a_device(run: Run, here: Path) -> None:
    try:
        os.mknod("null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        Path("null").write_bytes(b"x")
    except OSError:
        pytest.skip("making devices needs root")
    for words in ("view a.avatar -o null", "export a.avatar -o null --format ply", "export a.avatar -o null --format lam"):
        assert run(words)[0] == 0
        assert os.stat("null").st_rdev == os.makedev(1, 3)
    assert run("enroll me.png -o null")[0] == 2 and stat.S_ISCHR(os.stat("null").st_mode)


def test_too_little_room_is_known_before(run: Run, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9 - 1000, 1000))
    for words in (
        "enroll me.png -o b.avatar", "view a.avatar -o s.png", "export a.avatar -o b", "drive a.avatar clip.mp4 -o o.mp4",
        "synth-heads --out s --count 9", "train prior --out t", "eval photos me.png you.png --sheet s.png",
    ):  # fmt: skip
        code, err = run(words)
        assert code == 2 and "free some space" in err, words


def test_a_protected_file_is_not_replaced(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    png.write(here / "s.png", PICTURE)
    os.chmod(here / "s.png", 0o400)
    if os.getuid() == 0:  # who may do everything

        def refuse(path: Path, flags: int) -> int:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(StorageError, match="read-only"):
        outputs.check(here / "s.png", outputs.PICTURE)


def test_recordings_are_told_apart(here: Path) -> None:
    from models.video.reader import open_clip
    from models.video.writer import open_writer

    with open_writer(here / "o.mp4", open_clip(here / "clip.mp4")) as writer:
        writer.write(np.zeros((64, 64, 4), np.uint8), 0.0)
    assert is_our_clip(here / "o.mp4") and not is_our_clip(here / "clip.mp4") and not is_our_clip(here / "me.png")


def test_what_goes_to_stdout_is_not_mixed_with_the_report(here: Path) -> None:
    """Also when the reader goes away early."""
    words = [sys.executable, "-m", "server.cli", "export", "a.avatar", "-o", "/dev/stdout", "--format", "spz", "--json"]
    done = subprocess.run(words, capture_output=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True)
    assert done.stdout.startswith(b"\x1f\x8b") and b"gaussians" not in done.stdout and b'"gaussians"' in done.stderr
