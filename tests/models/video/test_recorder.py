"""Clips as a browser's MediaRecorder writes them: WebM without a duration or an index, pictures when they came."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from models.video.reader import open_clip

TIMES = [0, 41, 66, 101, 133, 230, 263, 300, 333, 500, 533, 566, 1200, 1233]
"""Milliseconds; the camera skipped some."""


@pytest.mark.parametrize("codec", ["libvpx", "libvpx-vp9"])
@pytest.mark.parametrize("cut", [False, True], ids=["whole", "cut off"])
def test_a_recorders_webm_is_read_with_its_own_times(tmp_path: Path, codec: str, cut: bool) -> None:
    path = tmp_path / "clip"  # it comes without a suffix
    with av.open(str(path), "w", format="webm", options={"live": "1"}) as out:
        stream = out.add_stream(codec, rate=30)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 64, 48, "yuv420p", 400_000
        stream.codec_context.time_base = Fraction(1, 1000)
        stream.options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}
        for i, time in enumerate(TIMES):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 16 * i + 10, np.uint8), format="rgb24").reformat(
                format="yuv420p"
            )
            frame.pts, frame.time_base = time + 5, Fraction(1, 1000)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    if cut:  # the page was closed
        path.write_bytes(path.read_bytes()[:-10])
    with av.open(str(path)) as container:
        assert container.duration is None, "as a recorder writes it"
    clip = open_clip(path)
    frames = list(clip.frames())
    count = len(TIMES) - cut
    assert count <= clip.frame_count <= len(TIMES) and len(frames) >= count
    assert [time for _, time in frames[:count]] == pytest.approx([time / 1000 for time in TIMES[:count]], abs=2e-3)
    assert [int(rgb.mean()) for rgb, _ in frames[:count]] == pytest.approx([16 * i + 10 for i in range(count)], abs=6)
    assert 5 < clip.fps < 40 and not clip.has_audio
