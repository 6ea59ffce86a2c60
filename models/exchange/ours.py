"""Whether an exported file or folder is one that Visavis wrote, so that the next export may take its place."""

from __future__ import annotations

import zipfile
from pathlib import Path

from models import tensor_file
from models.exchange import gaussian_avatars, ply, web_avatar

MARK = b"written by Visavis"
HEADER = 1000
"""Bytes read from the start of a file."""
SPZ = (b"\x1f\x8b", b"NGSP")
"""First bytes of SPZ files: gzip until version 3, a magic number of their own later."""


def is_ply(path: Path) -> bool:
    """Whether `path` is a PLY file with the comment that Visavis writes."""
    return f"\ncomment {ply.MADE_BY}\n".encode() in _beginning(path)


def is_spz(path: Path) -> bool:
    """Whether `path` is an SPZ file, by any program: the format has no field for the writer."""
    return _beginning(path).startswith(SPZ)


def is_web_avatar(path: Path) -> bool:
    """Whether `path` is a web avatar, of whatever version."""
    return _beginning(path).startswith(web_avatar.MAGIC)


def is_zip(path: Path) -> bool:
    """Whether `path` is a zip with the README that Visavis writes."""
    try:
        with tensor_file.open_regular(path) as stream, zipfile.ZipFile(stream) as archive:
            readmes = [name for name in archive.namelist() if name.rpartition("/")[2] == gaussian_avatars.README]
            if not readmes:
                return False
            with archive.open(readmes[0]) as text:
                return MARK in text.read(HEADER)
    except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError, ValueError, EOFError, LookupError):
        return False


def is_member(path: Path) -> bool:
    """Whether `path` is a file of a GaussianAvatars folder with the README that Visavis writes."""
    return path.name in gaussian_avatars.MEMBERS and MARK in _beginning(path.with_name(gaussian_avatars.README))


def _beginning(path: Path) -> bytes:
    try:
        with tensor_file.open_regular(path) as stream:
            return stream.read(HEADER)
    except OSError:
        return b""
