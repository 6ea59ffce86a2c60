"""The built-in avatar, enrolled once from scikit-image's public-domain portrait of an astronaut, kept in the user's cache."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from platformdirs import user_cache_path

from models.errors import AvatarFileError


def avatar_path(announce: Callable[[str], None] = lambda _: None) -> Path:
    """The file; it is enrolled first where it is missing or from another version."""
    import skimage.data

    from enrollment.pipeline import enroll
    from models import avatar_file
    from models.heads.anny import AnnyHead

    path = user_cache_path("visavis") / "astronaut.avatar"
    try:
        avatar_file.load(path, AnnyHead())
        return path
    except AvatarFileError:
        announce("enrolling the built-in portrait ...")
    path.parent.mkdir(parents=True, exist_ok=True)
    avatar_file.save(enroll([skimage.data.astronaut()], consent="public domain (NASA)").avatar, path)
    return path
