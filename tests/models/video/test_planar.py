"""Pictures made I420 by torch are those that FFmpeg makes."""

from __future__ import annotations

import av
import numpy as np
import torch

from models.video.planar import i420


def test_it_is_what_ffmpeg_makes_of_smooth_pictures_in_all_colours() -> None:
    """An even step from one colour to another: there the two ways to halve the chroma are the same."""
    y, x = np.mgrid[:64, :96] / 64
    pictures = [np.stack([x / 1.5, y, 1 - x / 1.5], 2), np.stack([y, 1 - y, x / 1.5], 2), np.full((64, 96, 3), 1.0)]
    rgb = np.stack([(255 * picture).round().astype(np.uint8) for picture in pictures])
    made = i420(torch.from_numpy(rgb).float() / 255).numpy()
    assert made.shape == (3, 96, 96) and made.dtype == np.uint8
    for picture, ours in zip(rgb, made, strict=True):
        theirs = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p").to_ndarray()
        assert np.abs(ours.astype(int) - theirs).max() <= 2
        frame = av.VideoFrame.from_numpy_buffer(np.ascontiguousarray(ours), format="yuv420p")
        assert np.abs(frame.to_ndarray(format="rgb24").astype(int) - picture).max() <= 8


def test_black_white_and_what_is_beyond_are_at_the_ends_of_the_limited_range() -> None:
    rgb = torch.tensor([-3.0, 0.0, 1.0, 7.0])[:, None, None, None].expand(4, 2, 2, 3)
    assert i420(rgb)[:, 0, 0].tolist() == [16, 16, 235, 235] and i420(rgb)[:, 2].unique().tolist() == [128]
