"""Contact sheets: labelled rows of pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

SIDE = 256
"""Of one picture on the sheet, pixels."""


def contact_sheet(rows: Mapping[str, Sequence[Pixels]], columns: int) -> Pixels:
    """One labelled row of up to `columns` evenly chosen pictures for each name; rows are equally long, pictures square."""
    count = len(next(iter(rows.values())))
    chosen = np.unique(np.linspace(0, count - 1, min(columns, count)).round().astype(int))
    return np.concatenate([_labelled(name, [pictures[i] for i in chosen]) for name, pictures in rows.items()])


def _labelled(name: str, pictures: Sequence[Pixels]) -> Pixels:
    row = np.concatenate([cv2.resize(p, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for p in pictures], axis=1)
    return np.asarray(cv2.putText(row, name, (6, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.55, (200, 0, 0), 1, cv2.LINE_AA), np.uint8)
