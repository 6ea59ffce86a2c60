"""The log of a run as a picture: one panel a figure, over the steps."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from models import png

WIDTH, HEIGHT, MARGIN = 640, 220, 46
INK, GRID, PALE, LINE = (60, 60, 60), (225, 225, 225), (205, 190, 160), (180, 90, 20)
"""Of text, grid, the figures themselves and their running mean; blue, green, red."""
PANELS = ("loss", "color", "normals", "readout_r2", "gain_db", "normals_deg", "rate")
"""The figures that are drawn, in this order, those that the log has."""


def read_log(path: Path) -> list[dict[str, Any]]:
    """The lines of a log; broken ones (the machine stopped while writing) are left out."""
    rows = []
    for line in path.read_text("utf-8", "replace").splitlines() if path.is_file() else ():
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return [row for row in rows if isinstance(row, dict) and isinstance(row.get("step"), int)]


def draw(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Writes a PNG. Rows as `read_log` returns them; a figure that no row has gets no panel."""
    panels = []
    for name in PANELS:
        points = [(r["step"], float(r[name])) for r in rows if isinstance(r.get(name), int | float) and np.isfinite(r[name])]
        if points:
            panels.append(_panel(name, np.array(points, float)))
    picture = np.concatenate(panels) if panels else np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    png.write(path, picture[..., ::-1])


def _panel(name: str, points: np.ndarray) -> np.ndarray:
    steps, values = points.T
    logarithmic = values.min() > 0 and name in ("loss", "color", "normals", "rate")
    heights = np.log10(values) if logarithmic else values
    low, high = np.percentile(heights, [0, 100]) if len(heights) < 20 else np.percentile(heights, [0.5, 99.5])
    low, high = (low, high) if high - low > 1e-9 else (low - 0.5, high + 0.5)
    picture = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    left, right, top, bottom = MARGIN + 20, WIDTH - 14, 26, HEIGHT - 24

    def x(step: np.ndarray) -> np.ndarray:
        return left + (step - steps[0]) / max(steps[-1] - steps[0], 1) * (right - left)

    def y(height: np.ndarray) -> np.ndarray:
        return bottom - (np.clip(height, low, high) - low) / (high - low) * (bottom - top)

    for height in np.linspace(low, high, 4):
        at = int(y(np.array(height)))
        cv2.line(picture, (left, at), (right, at), GRID, 1)
        _write(picture, f"{10**height if logarithmic else height:.3g}", (6, at + 4))
    for step in np.linspace(steps[0], steps[-1], 5):
        _write(picture, f"{step:.0f}", (int(x(np.array(step))) - 12, HEIGHT - 8))
    _write(picture, f"{name}   last {values[-1]:.4g}", (left, 16))
    _line(picture, x(steps), y(heights), PALE)
    width = max(len(heights) // 30, 1)
    if width > 1:
        mean = np.convolve(heights, np.full(width, 1 / width), mode="valid")
        _line(picture, x(steps[width - 1 :]), y(mean), LINE)
    return picture


def _line(picture: np.ndarray, x: np.ndarray, y: np.ndarray, color: tuple[int, int, int]) -> None:
    corners = np.round(np.stack([x, y], axis=1)).astype(np.int32)
    cv2.polylines(picture, [corners], False, color, 1, cv2.LINE_AA)
    if len(corners) == 1:
        cv2.circle(picture, tuple(map(int, corners[0])), 2, color, -1, cv2.LINE_AA)


def _write(picture: np.ndarray, text: str, place: tuple[int, int]) -> None:
    cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.38, INK, 1, cv2.LINE_AA)
