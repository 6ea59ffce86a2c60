"""Samples as files for other programs: PNGs, and a JSON with camera, drive frame, pose and traits."""

from __future__ import annotations

import json
import re
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import arkit, png
from models.atomic import atomic_write, explained
from models.heads.base import HeadModel, quaternion
from models.synthetic.cameras import random_camera
from models.synthetic.expressions import random_expression
from models.synthetic.head import HeadSample, SyntheticHead
from models.synthetic.poses import random_pose

NAME = re.compile(r"(\d{6,})\.(color\.png|normals\.png|pose_map\.png|depth\.png|face\.png|json)")
"""File names of samples."""
TO_OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])


@dataclass(frozen=True)
class Written:
    """heads: how many people; samples_per_second: with making the people and writing the files."""

    heads: int
    samples_per_second: float


def write_samples(model: HeadModel, folder: Path, count: int, *, seed: int = 0, size: int = 256, views: int = 4) -> Written:
    """Write `count` samples, `views` of each person. Raises `StorageError` when the disk refuses.

    When the work is stopped, the samples that are whole stay; a folder that was made for them and is empty does not.
    """
    new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise explained(error, folder) from None
    start, heads, head = time.perf_counter(), 0, None
    try:
        for i in range(count):
            if head is None or i % views == 0:
                head = SyntheticHead.random(model, seed + heads)
                heads += 1
            rng = np.random.default_rng([seed, i, 0xF11E])
            coefficients = random_expression(rng, model)
            sample = head.render(random_camera(rng, size=size), coefficients, random_pose(head, coefficients, rng))
            write_sample(folder / f"{i:06d}", head, sample)
    finally:
        if new:
            with suppress(OSError):  # it is not empty
                folder.rmdir()
    return Written(heads, round(count / (time.perf_counter() - start), 2))


def write_sample(stem: Path, head: SyntheticHead, sample: HeadSample) -> None:
    """One sample as `stem`.color.png, .normals.png, .pose_map.png, .depth.png, .face.png and .json, all or none of them."""
    straight = sample.foreground / np.maximum(sample.matte, 1e-6)[..., None]
    rgba = np.concatenate([straight, sample.matte[..., None]], axis=-1)
    pictures: dict[str, NDArray[Any]] = {
        "color": np.asarray(np.clip(rgba, 0, 1) * 255 + 0.5, np.uint8),
        "normals": _signed(sample.normals),
        "pose_map": _signed(sample.pose_map),
        "depth": np.asarray(np.clip(sample.depth * 1000 + 0.5, 0, 65535), np.uint16),
        "face": np.asarray(sample.face * 255, np.uint8),
    }
    files = {f"{name}.png": png.encode(picture) for name, picture in pictures.items()}
    files["json"] = json.dumps(describe(head, sample)).encode()
    written: list[Path] = []
    try:
        for ending, data in files.items():
            written.append(Path(f"{stem}.{ending}"))
            with atomic_write(written[-1], durable=False) as stream:
                stream.write(data)
    except BaseException:
        for path in written:
            path.unlink(missing_ok=True)
        raise


def may_be_replaced(path: Path) -> bool:
    """Whether a file that is in the folder already is not in the way of samples, or is a sample that was written before."""
    named = NAME.fullmatch(path.name)
    if named is None:
        return True
    return png.is_ours(path.with_name(f"{named[1]}.color.png") if named[2] == "json" else path)


def describe(head: SyntheticHead, sample: HeadSample) -> dict[str, Any]:
    """What a sample's JSON holds: camera, drive frame (docs/conventions.md), pose in the world, and who it is."""
    c = sample.camera
    seen = TO_OPENGL @ c.world_to_camera @ sample.pose.head
    return {
        "camera": {
            "width": c.width, "height": c.height, "fx": c.fx, "fy": c.fy, "cx": c.cx, "cy": c.cy,
            "world_to_camera": c.world_to_camera.tolist(),
        },
        "drive": {
            "rotation": quaternion(seen[:3, :3]).tolist(), "translation": seen[:3, 3].tolist(), "gaze": sample.pose.gaze.tolist(),
            "coefficients": dict(zip(arkit.NAMES, (round(float(v), 5) for v in sample.coefficients), strict=True)),
        },
        "pose": {"head": sample.pose.head.tolist(), "body": sample.pose.body.tolist()},
        "head": {
            "model": head.person.model.name, "seed": head.seed, "identity": [round(float(v), 5) for v in head.identity],
            "traits": asdict(head.traits),
        },
    }  # fmt: skip


def _signed(normals: NDArray[np.floating]) -> NDArray[np.uint16]:
    there = np.any(normals != 0, axis=-1, keepdims=True)
    return np.asarray(np.where(there, np.clip(normals * 0.5 + 0.5, 0, 1) * 65535 + 0.5, 0), np.uint16)
