"""Which tracks are read, and clips of unusual kinds: opened, or refused in one sentence."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.stream import Disposition
from PIL import Image

from models.errors import ClipError
from models.video.reader import Clip, open_clip
from models.video.writer import open_sink
from tests.models.video import clips

FPS = 25


def picture(level: int, size: tuple[int, int] = (64, 48)) -> np.ndarray:
    return np.full((size[1], size[0], 3), level, np.uint8)


def without_decoder(path: Path, *codecs: bytes) -> Path:
    """The same MP4 whose sample descriptions name a codec that does not exist."""
    data = path.read_bytes()
    for codec in codecs:
        assert codec in data
        data = data.replace(codec, b"zzzz")
    path.write_bytes(data)
    return path


def film(path: Path, tracks: list[dict[str, Any]], seconds: float = 1.0) -> Path:
    """Tracks side by side. Of pictures: level, and count (default: all of the time), disposition; of sound: hertz, rate, codec,
    layout, seconds, disposition."""
    with av.open(path, "w") as container:
        made = []
        for track in tracks:
            if "level" in track:
                stream: Any = container.add_stream(track.get("codec", "libx264"), rate=FPS)
                stream.width, stream.height = 64, 48
                stream.pix_fmt = "yuvj420p" if track.get("codec") == "mjpeg" else "yuv420p"
            else:
                stream = container.add_stream(track.get("codec", "aac"), rate=track.get("rate", 48_000))
                stream.layout = track.get("layout", "mono")
            stream.disposition = track.get("disposition", Disposition(0))
            made.append(stream)
        for track, stream in zip(tracks, made, strict=True):
            if "level" in track:
                for i in range(track.get("count", round(seconds * FPS))):
                    frame = av.VideoFrame.from_ndarray(picture(track["level"]), format="rgb24")
                    frame.pts, frame.time_base = i, Fraction(1, FPS)
                    container.mux(stream.encode(frame))
            else:
                rate, channels = stream.rate, len(stream.layout.channels)
                time = np.arange(round(track.get("seconds", seconds) * rate)) / rate
                wave = 0.3 * np.sin(2 * np.pi * track["hertz"] * time).astype(np.float32)
                frame = av.AudioFrame.from_ndarray(np.tile(wave, (channels, 1)), format="fltp", layout=stream.layout.name)
                frame.rate, frame.pts = rate, 0  # type: ignore[attr-defined]
                for part in av.AudioResampler(stream.codec_context.format, stream.layout.name, rate, 1024).resample(frame):
                    container.mux(stream.encode(part))
            container.mux(stream.encode(None))
    return path


def driven(clip: Clip, out: Path) -> Path:
    """As `drive` writes it."""
    with open_sink(out, clip) as sink:
        for rgb, seconds in clip.frames():
            sink.write(np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)]), seconds)
    return out


def hertz(path: Path) -> tuple[float, float]:
    """The loudest frequency of the sound, and its length in seconds."""
    with av.open(path) as container:
        rate = container.streams.audio[0].rate
    wave, _ = clips.sound_of(path)
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave))))
    return float(np.argmax(spectrum) * rate / len(wave)), len(wave) / rate


def level(clip: Clip) -> float:
    return float(next(clip.frames())[0].mean())


def test_sound_without_a_decoder_is_left_out_with_a_note(tmp_path: Path) -> None:
    clip = open_clip(without_decoder(film(tmp_path / "a.mp4", [{"level": 100}, {"hertz": 440}]), b"mp4a", b"esds"))
    assert clip.notes == ["the sound of a.mp4 cannot be decoded and is left out"]
    with av.open(driven(clip, tmp_path / "out.mp4")) as out:
        assert not out.streams.audio and out.streams.video[0].frames == 25


def test_the_next_sound_is_taken_with_a_note(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", [{"level": 100}, {"hertz": 440, "codec": "libmp3lame"}, {"hertz": 880, "codec": "alac"}])
    clip = open_clip(without_decoder(path, b"mp4a", b"esds"))
    assert len(clip.notes) == 1 and "track 3" in clip.notes[0]
    assert hertz(driven(clip, tmp_path / "out.mp4"))[0] == pytest.approx(880, abs=5)


def test_of_several_sounds_the_default_one_is_taken(tmp_path: Path) -> None:
    tracks = [{"level": 100}, {"hertz": 440}, {"hertz": 880, "disposition": Disposition.default}]
    clip = open_clip(film(tmp_path / "a.mkv", tracks))
    assert hertz(driven(clip, tmp_path / "out.mp4"))[0] == pytest.approx(880, abs=5)
    assert clip.notes == []


def test_pictures_without_a_decoder_are_told(tmp_path: Path) -> None:
    path = without_decoder(film(tmp_path / "a.mp4", [{"level": 100}, {"hertz": 440}]), b"avc1")
    with pytest.raises(ClipError, match=r"the pictures of a\.mp4 are in a codec that is not known; convert"):
        open_clip(path)


def test_the_next_pictures_are_taken(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", [{"level": 40}, {"level": 200, "codec": "mpeg4"}])
    assert level(open_clip(without_decoder(path, b"avc1"))) == pytest.approx(200, abs=4)


@pytest.mark.parametrize("disposition", [Disposition.attached_pic, Disposition(0)])
def test_a_cover_in_front_is_no_film(tmp_path: Path, disposition: Disposition) -> None:
    cover = {"level": 40, "codec": "mjpeg", "count": 1, "disposition": disposition}
    clip = open_clip(film(tmp_path / "a.mkv", [cover, {"level": 200}]))
    assert level(clip) == pytest.approx(200, abs=4)
    assert clip.frame_count == 25


@pytest.mark.parametrize(
    ("codec", "rate", "layout", "ending"),
    [
        ("aac", 48_000, "5.1", ".mp4"),
        ("aac", 8_000, "mono", ".mp4"),
        ("aac", 96_000, "stereo", ".mkv"),
        ("libmp3lame", 8_000, "mono", ".mkv"),
        ("libmp3lame", 44_100, "stereo", ".mkv"),
        ("pcm_s16le", 96_000, "5.1", ".mkv"),
        ("pcm_mulaw", 8_000, "mono", ".mov"),
        ("libopus", 48_000, "stereo", ".webm"),
        ("flac", 44_100, "mono", ".mkv"),
        ("ac3", 48_000, "5.1", ".ts"),
        ("aac", 44_100, "stereo", ".ts"),
    ],
)
def test_sound_of_any_kind(tmp_path: Path, codec: str, rate: int, layout: str, ending: str) -> None:
    pictures = {"level": 100, "codec": "libvpx"} if ending == ".webm" else {"level": 100}
    path = film(tmp_path / f"a{ending}", [pictures, {"hertz": 440, "codec": codec, "rate": rate, "layout": layout}])
    heard, length = hertz(driven(open_clip(path), tmp_path / "out.mp4"))
    assert heard == pytest.approx(440, abs=5)
    assert length == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("seconds", [0.3, 3.0])
def test_sound_shorter_and_longer_than_the_film(tmp_path: Path, seconds: float) -> None:
    out = driven(open_clip(film(tmp_path / "a.mkv", [{"level": 9}, {"hertz": 440, "seconds": seconds}])), tmp_path / "out.mp4")
    assert hertz(out)[1] == pytest.approx(seconds, abs=0.1)
    assert open_clip(out).frame_count == 25


@pytest.mark.parametrize("ending", [".mp4", ".mkv", ".ts", ".avi"])
def test_damage_in_the_middle_is_skipped(tmp_path: Path, ending: str) -> None:
    """Three packets of pictures and what lies between them are zeros; what comes after has its time."""
    path = film(tmp_path / f"a{ending}", [{"level": 60, "codec": "mpeg4"}, {"hertz": 440}], 6.0)
    with av.open(path) as container:
        places = [p.pos for p in container.demux(video=0) if p.size]
    data = bytearray(path.read_bytes())
    data[places[70] : places[73]] = bytes(places[73] - places[70])
    path.write_bytes(data)
    clip = open_clip(path)
    read = list(clip.frames())
    assert 100 <= len(read) <= 150 and read[-1][1] == pytest.approx(149 / FPS, abs=0.1)
    assert hertz(driven(clip, tmp_path / "out.mp4"))[1] == pytest.approx(6, abs=0.3)


def test_nothing_that_can_be_decoded_is_damage(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", [{"level": 60}])
    with av.open(path) as container:
        places = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    data = bytearray(path.read_bytes())
    for at, size in places:
        data[at : at + size] = b"\xff" * size
    path.write_bytes(data)
    with pytest.raises(ClipError, match="damaged"):
        open_clip(path)


def test_one_picture(tmp_path: Path) -> None:
    clip = open_clip(film(tmp_path / "a.mp4", [{"level": 60, "count": 1}]))
    assert [t for _, t in clip.frames()] == [0] and clip.frame_count == 1
    assert open_clip(driven(clip, tmp_path / "out.mp4")).frame_count == 1


def test_no_picture_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    film(path, [{"level": 60, "count": 0}, {"hertz": 440}])
    with pytest.raises(ClipError, match="a picture track without any"):
        open_clip(path)


def test_a_size_that_changes_is_scaled(tmp_path: Path) -> None:
    """MPEG-TS of two recordings of different sizes."""
    parts = [clips.write(tmp_path / f"{i}.ts", [picture(90 + 60 * i, (64 << i, 48 << i))] * 12) for i in range(2)]
    joined = tmp_path / "a.ts"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    read = list(open_clip(joined).frames())
    assert len(read) == 24 and {rgb.shape for rgb, _ in read} == {(48, 64, 3)}
    assert [round(float(read[i][0].mean()), -1) for i in (5, 20)] == [90, 150]


@pytest.mark.parametrize("ending", ["gif", "png"])
def test_animated_pictures(tmp_path: Path, ending: str) -> None:
    shots = [Image.new("RGBA", (64, 48), (40 + 20 * i, 90, 200, 255)) for i in range(5)]
    shots[0].save(tmp_path / f"a.{ending}", save_all=True, append_images=shots[1:], duration=100, loop=0)
    read = list(open_clip(tmp_path / f"a.{ending}").frames())
    assert [t for _, t in read] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    assert [int(rgb[9, 9, 0]) for rgb, _ in read] == pytest.approx([40, 60, 80, 100, 120], abs=4)


def test_other_tracks_do_no_harm(tmp_path: Path) -> None:
    """A track of data before the pictures, as cameras write it."""
    path = tmp_path / "a.ts"
    with av.open(path, "w") as container:
        other = container.add_data_stream("bin_data")
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for i in range(10):
            frame = av.VideoFrame.from_ndarray(picture(120), format="rgb24")
            frame.pts, frame.time_base = i, Fraction(1, FPS)
            container.mux(stream.encode(frame))
            packet = av.Packet(b"hello")
            packet.stream, packet.time_base, packet.pts, packet.dts = other, Fraction(1, FPS), i, i
            container.mux(packet)
        container.mux(stream.encode(None))
    assert len(list(open_clip(path).frames())) == 10
