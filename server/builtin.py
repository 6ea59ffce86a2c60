"""The built-in avatar, enrolled once from scikit-image's public-domain portrait of an astronaut, kept in the cache folder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from models.errors import AvatarFileError

NAME = "astronaut"


def avatar_path(announce: Callable[[str], None] = lambda _: None) -> Path:
    """The file; it is enrolled first where it is missing, and those of other versions are deleted. Raises `StorageError`."""
    from models import avatar_file, caches
    from models.heads.anny import AnnyHead

    folder = caches.folder()
    path = folder / f"{NAME}-{made_by()}.avatar"
    for old in {*folder.glob(f"{NAME}-*.avatar"), folder / f"{NAME}.avatar"} - {path}:
        with suppress(OSError):  # it is not there, or not ours
            old.unlink()
    try:
        avatar_file.load(path, AnnyHead())
        return path
    except AvatarFileError:
        announce("enrolling the built-in portrait ...")
    import skimage.data

    from enrollment import enroll
    from enrollment.report import previews

    avatar = enroll([skimage.data.astronaut()], consent="public domain (NASA)").avatar
    avatar_file.save(replace(avatar, previews=previews(avatar, AnnyHead())), path)
    return path


def made_by() -> str:
    """16 hexadecimal digits of what an avatar depends on: the version, the head and the stages of enrollment."""
    import enrollment
    from models.heads import anny

    try:
        number = version("visavis")
    except PackageNotFoundError:
        number = ""
    stages = Path(enrollment.__file__).parent
    digest = hashlib.sha256(number.encode())
    for path in (anny.PATH, *sorted(stages.rglob("*.py")), *sorted(stages.rglob("assets/*"))):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]
