"""The built-in avatar, enrolled once from scikit-image's public-domain portrait of an astronaut, kept in the cache folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from models.errors import AvatarFileError


def avatar_path(announce: Callable[[str], None] = lambda _: None) -> Path:
    """The avatar's file; the avatar is enrolled first when the file is missing or from another version. Raises `StorageError`."""
    from models import avatar_file, caches
    from models.heads.anny import AnnyHead

    path = caches.folder() / "astronaut.avatar"
    try:
        avatar_file.load(path, AnnyHead())
        return path
    except AvatarFileError:
        announce("enrolling the built-in portrait ...")
    import skimage.data

    from enrollment import enroll

    avatar_file.save(enroll([skimage.data.astronaut()], consent="public domain (NASA)").avatar, path)
    return path
