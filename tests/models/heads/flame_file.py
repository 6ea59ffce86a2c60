"""A made-up file in the layout of the licensed FLAME model, with nothing of FLAME in it."""

from __future__ import annotations

import pickle
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse

from models import arkit
from models.heads.anny import AnnyHead
from models.heads.base import HEAD, JAW, LEFT_EYE, NECK, RIGHT_EYE

SCALE, SHIFT = 1.04, np.array([0.0, 0.031, 0.024])
"""The made-up head is larger than the default one and has its origin elsewhere."""


@contextmanager
def chumpy() -> Iterator[Any]:
    """A class that pickles as `chumpy.ch.Ch` does; as long as the block lasts the module seems to be installed."""
    module, package = types.ModuleType("chumpy.ch"), types.ModuleType("chumpy")

    class Ch:
        def __init__(self, x: np.ndarray) -> None:
            self.x = x
            self._dirty_vars: set[str] = {"x"}
            self._itr = None
            self._make_dense = False

    Ch.__module__, Ch.__qualname__ = "chumpy.ch", "Ch"
    module.Ch = Ch  # type: ignore[attr-defined]
    sys.modules |= {"chumpy": package, "chumpy.ch": module}
    try:
        yield Ch
    finally:
        del sys.modules["chumpy.ch"], sys.modules["chumpy"]


def contents(seed: int = 3) -> dict[str, Any]:
    """Another person of the default head, without mouth, tongue, teeth and torso, its vertices shuffled, in FLAME's layout.

    The expression directions are mixtures of the default head's movements that do not turn the jaw. `source_vertices` is
    an addition: (V,) the default head's vertex for each.
    """
    rng = np.random.default_rng(seed)
    head = AnnyHead()
    kept = head.region_faces("skin", "left_eye", "right_eye") | (
        head.region_faces("body") & (head.template[head.faces][..., 1] > -0.22).all(axis=1)
    )
    used = np.unique(head.faces[kept])
    order = rng.permutation(len(used))
    used = used[order]
    place = np.full(head.vertex_count, -1)
    place[used] = np.arange(len(used))
    person = head.person(np.concatenate([rng.normal(0, 0.7, 16), np.zeros(head.identity_count - 16)]))
    template, joints = SCALE * person.rest[used] + SHIFT, SCALE * person.joints + SHIFT

    soft = [i for i, n in enumerate(arkit.NAMES) if not n.startswith("jaw") and n not in ("mouthClose", "tongueOut")]
    moved = SCALE * head.expression_basis[soft][:, used].reshape(len(soft), -1)
    _, s, directions = np.linalg.svd(moved, full_matrices=False)
    shapes = np.zeros((len(used), 3, 400))
    shapes[..., :20] = SCALE * np.moveaxis(head.identity_basis[:20][:, used], 0, 2)
    mixtures = (directions * s[:, None] / np.sqrt(len(soft))).reshape(len(soft), -1, 3)
    shapes[..., 300 : 300 + len(soft)] = np.moveaxis(mixtures, 0, 2)

    opening = head.expression_basis[arkit.INDEX["jawOpen"], used, 1]
    weights = np.zeros((len(used), 5))
    eyes = head.weights[used][:, [LEFT_EYE, RIGHT_EYE]]
    weights[:, 3:] = eyes
    weights[:, 2] = np.clip(opening / opening.min(), 0, 1) ** 0.5 * (eyes.sum(axis=1) == 0)
    weights[:, 0] = np.clip((-0.06 - head.template[used, 1]) / 0.1, 0, 1) * (1 - weights[:, 2:].sum(axis=1))
    weights[:, 1] = 1 - weights.sum(axis=1)

    # the lightest rows that give these joints and move along with the whole
    wanted = joints[[NECK, HEAD, JAW, LEFT_EYE, RIGHT_EYE]]
    known = np.concatenate([template, np.ones((len(used), 1))], axis=1)
    regressor = np.linalg.lstsq(known.T, np.concatenate([wanted, np.ones((5, 1))], axis=1).T, rcond=None)[0].T
    return {
        "v_template": template,
        "f": place[head.faces[kept]].astype(np.uint32),
        "shapedirs": shapes,
        "posedirs": rng.normal(0, 1e-5, (len(used), 3, 36)),
        "J_regressor": scipy.sparse.csc_matrix(regressor),
        "kintree_table": np.array([[4294967295, 0, 1, 1, 1], [0, 1, 2, 3, 4]], np.uint32),
        "weights": weights,
        "J": wanted,
        "source_vertices": used,
        "bs_style": "lbs",
        "bs_type": "lrotmin",
    }


def write(path: Path, content: dict[str, Any]) -> None:
    """The content as the licensed file has it: most arrays wrapped by chumpy."""
    with chumpy() as ch:
        wrapped = {k: ch(v) if k in ("v_template", "shapedirs", "posedirs", "weights") else v for k, v in content.items()}
        path.write_bytes(pickle.dumps(wrapped, 2))
