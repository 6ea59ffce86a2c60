"""Written clips: same pictures, same times, the sound kept; whole or not there at all."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from models.errors import StorageError
from models.video.reader import Clip, open_clip
from models.video.writer import mp4, open_writer, png_folder
from tests.models.video import clips
from tests.models.video.clips import BLUE, GREEN, GREY, RED

CLOSE = 6


@pytest.fixture
def source(tmp_path: Path) -> Clip:
    """Ten pictures, 64x48, with a second of sine at 440 Hz."""
    pictures = [clips.quarters(64, 48, RED, GREEN, BLUE, GREY)] * 10
    return open_clip(clips.write(tmp_path / "source.mp4", pictures, fps=10, tone="aac"))


def rgba(picture: np.ndarray, alpha: int = 255) -> np.ndarray:
    return np.dstack([picture, np.full(picture.shape[:2], alpha, np.uint8)])


def left_over(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir() if p.name.startswith("."))


def test_mp4_keeps_pictures_times_and_sound(source: Clip, tmp_path: Path) -> None:
    with open_writer(tmp_path / "out.mp4", source) as writer:
        for rgb, seconds in source.frames():
            writer.write(rgba(rgb), seconds)
    out = open_clip(tmp_path / "out.mp4")
    assert (out.width, out.height, out.frame_count, out.has_audio) == (64, 48, 10, True)
    for (a, at), (b, bt) in zip(source.frames(), out.frames(), strict=True):
        assert at == pytest.approx(bt, abs=1e-3)
        assert np.abs(a.astype(int) - b).mean() < CLOSE
    (before, t0), (after, t1) = clips.sound_of(source.path), clips.sound_of(out.path)
    assert t1 == pytest.approx(t0, abs=0.002)
    np.testing.assert_array_equal(after[:40_000], before[:40_000])


def test_mp4_encodes_sound_that_mp4_does_not_take(tmp_path: Path) -> None:
    pictures = [np.full((32, 32, 3), 90, np.uint8)] * 10
    source = open_clip(clips.write(tmp_path / "a.mkv", pictures, fps=10, tone="pcm_s16le", rate=48_000))
    with open_writer(tmp_path / "out.mp4", source) as writer:
        for rgb, seconds in source.frames():
            writer.write(rgba(rgb), seconds)
    before, after = clips.sound_of(source.path)[0] / 32768, clips.sound_of(tmp_path / "out.mp4")[0]
    middle = slice(10_000, 30_000)
    lag = int(np.argmax([np.dot(before[middle], after[10_000 + d : 30_000 + d]) for d in range(-50, 51)])) - 50
    assert abs(lag) < 0.001 * clips.RATE
    assert np.abs(before[middle] - after[middle]).mean() < 0.01


def test_mp4_shows_transparency_on_white(source: Clip, tmp_path: Path) -> None:
    with open_writer(tmp_path / "out.mp4", source) as writer:
        for i in range(3):
            writer.write(rgba(np.zeros((48, 64, 3), np.uint8), 128), i / 10)
    assert next(open_clip(tmp_path / "out.mp4").frames())[0].mean() == pytest.approx(127, abs=2)


def test_mp4_of_odd_size_grows_to_even(tmp_path: Path) -> None:
    picture = clips.quarters(33, 47, RED, GREEN, BLUE, GREY)
    with mp4(tmp_path / "out.mp4", 33, 47, 25.0) as writer:
        for i in range(2):
            writer.write(rgba(picture), i / 25)
    read, _ = next(open_clip(tmp_path / "out.mp4").frames())
    assert read.shape == (48, 34, 3)
    assert np.abs(read[:47, :33].astype(int) - picture).mean() < CLOSE


def test_folder_holds_straight_alpha(source: Clip, tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (48, 64, 4), np.uint8)
    with open_writer(tmp_path / "out", source) as writer:
        for i in range(3):
            writer.write(picture, i / 10)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["000000.png", "000001.png", "000002.png"]
    read = cv2.cvtColor(cv2.imread(str(tmp_path / "out" / "000002.png"), cv2.IMREAD_UNCHANGED), cv2.COLOR_BGRA2RGBA)
    np.testing.assert_array_equal(read, picture)


def test_folder_takes_the_place_of_older_pictures(tmp_path: Path) -> None:
    for count in (5, 2):
        with png_folder(tmp_path / "out") as writer:
            for i in range(count):
                writer.write(np.zeros((4, 4, 4), np.uint8), float(i))
    assert len(list((tmp_path / "out").iterdir())) == 2
    assert left_over(tmp_path) == []


def test_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(StorageError, match="holds other things"), png_folder(tmp_path):
        pass
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("name", ["out", "out.mp4"])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_failure_leaves_what_was_there(source: Clip, tmp_path: Path, name: str, error: type[BaseException]) -> None:
    for brightness, fails in ((200, False), (50, True)):
        try:
            with open_writer(tmp_path / name, source) as writer:
                for i in range(3):
                    writer.write(np.full((48, 64, 4), brightness, np.uint8), i / 10)
                if fails:
                    raise error
        except error:
            assert fails
    assert left_over(tmp_path) == []
    out = tmp_path / name
    if out.is_dir():
        assert cv2.imread(str(out / "000000.png"))[0, 0, 0] == 200
    else:
        assert next(open_clip(out).frames())[0].mean() > 180


@pytest.mark.parametrize("name", ["none/out", "none/out.mp4"])
def test_missing_folder(source: Clip, tmp_path: Path, name: str) -> None:
    with pytest.raises(StorageError), open_writer(tmp_path / name, source):
        pass


def test_other_suffix_is_refused(source: Clip, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="mp4 file or a folder"):
        open_writer(tmp_path / "out.gif", source)
