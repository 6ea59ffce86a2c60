"""What the parts of the suite share when they run side by side: compiled kernels, and one enrollment of one photo.

`python -m tests.shared` makes both. Three processes that begin at once would compile the same kernels three times, and each
would enroll. The enrollment lies in the folder that the variable `FOLDER` names, which is of one run of the suite only: nothing
old is ever read. A part that runs by itself enrolls.
"""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from enrollment.instant.pipeline import Enrollment

FOLDER = "TESTS_SHARED_FOLDER"
"""Not VISAVIS_: a server refuses settings that it does not know."""
Told = list[tuple[str, float]]
"""Stages and parts done, as a `ProgressCallback` hears them."""


def enrollment() -> tuple[Enrollment, Told]:
    """The astronaut's instant enrollment, and what it told of its progress; made where nobody has left it."""
    folder = os.environ.get(FOLDER)
    path = None if folder is None else Path(folder) / "enrollment"
    if path is not None and path.exists():
        enrolled, told = pickle.loads(path.read_bytes())
        return enrolled, told
    return _enroll()


def _enroll() -> tuple[Enrollment, Told]:
    import skimage.data

    from enrollment import enroll

    told: Told = []
    made = enroll([skimage.data.astronaut()], consent="public domain", progress=lambda stage, part: told.append((stage, part)))
    return made.instant, told


def main() -> None:
    """Enroll, and draw a made head, which has kernels of its own."""
    from models import arkit
    from models.heads.registry import by_name
    from models.renderer import view_camera
    from models.synthetic.head import SyntheticHead

    made = _enroll()
    path = Path(os.environ[FOLDER]) / "enrollment"
    path.with_suffix(".part").write_bytes(pickle.dumps(made))
    path.with_suffix(".part").replace(path)
    head = SyntheticHead.random(by_name("anny"), 1)
    head.render(view_camera(width=64, height=64), arkit.vector(), supersample=1)


if __name__ == "__main__":
    main()
