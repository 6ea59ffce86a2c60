"""The secrets in a server's two addresses, kept so that links that were given away go on working after a restart.

One small JSON file for each avatar and port, in a folder that only its owner can open. What cannot be read or kept never
stops the server: it gets new links and says so.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

from models.atomic import atomic_write
from models.errors import StorageError

_KEY = re.compile(r"[A-Za-z0-9_-]{16,64}")


@dataclass(frozen=True)
class Links:
    """person_key, viewer_key: the last parts of the two addresses. note: a sentence for the operator; may be empty."""

    person_key: str = field(repr=False)
    viewer_key: str = field(repr=False)
    note: str = ""


def new_key() -> str:
    """A secret for an address: 128 random bits, safe in a URL."""
    return secrets.token_urlsafe(16)


def state_folder() -> Path:
    """Where a user's programs keep what must outlive them (XDG's state home on Linux); not absolute for one without a home."""
    return Path(platformdirs.user_state_dir("visavis", appauthor=False))


def keep(folder: Path, avatar: str, port: int, *, renew: bool = False) -> Links:
    """The links of this avatar on this port: those kept in `folder`, or new ones, which are kept. Never raises.

    renew: make new ones in any case. Of two servers that start at once, both get the links of the first.
    """
    identity = hashlib.sha256(os.path.realpath(avatar).encode("utf-8", "surrogateescape") if avatar else b"").hexdigest()[:12]
    path = folder / f"links-{port}-{identity}.json"
    if str(folder).startswith("~"):  # nobody's home
        return Links(new_key(), new_key(), "The links are for this run only: there is no home folder; name one with --state.")
    note = ""
    if not renew:
        try:
            return _read(path)
        except FileNotFoundError:
            pass
        except (OSError, ValueError, RecursionError):
            note = _put_aside(path)
    links = Links(new_key(), new_key(), note)
    try:
        _make_folder(folder)
        if _write(path, links, replace=renew):
            return links
        return _read(path)
    except (OSError, ValueError, RecursionError, StorageError):
        return Links(
            links.person_key,
            links.viewer_key,
            f"The links are for this run only, because {folder} cannot be written; choose another folder with --state.",
        )


def _read(path: Path) -> Links:
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError("no file")
    with open(path, "rb") as stream:
        data = json.loads(stream.read(4096))
        with suppress(OSError):
            os.fchmod(stream.fileno(), 0o600)
    keys = [data.get(name) for name in ("person_key", "viewer_key")] if isinstance(data, dict) else []
    good = [key for key in keys if isinstance(key, str) and _KEY.fullmatch(key)]
    if len(set(good)) != 2:
        raise ValueError("no two keys in the file")
    return Links(good[0], good[1])


def _make_folder(folder: Path) -> None:
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)


def _write(path: Path, links: Links, replace: bool) -> bool:
    """Whether the links were written; without `replace` not when another server was first."""
    content = json.dumps({"person_key": links.person_key, "viewer_key": links.viewer_key}).encode()
    if replace:
        with atomic_write(path) as stream:
            os.fchmod(stream.fileno(), 0o600)
            stream.write(content)
        return True
    temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.link(temporary, path)  # fails where a file already stands, which `os.replace` does not
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return True


def _put_aside(path: Path) -> str:
    aside = path.with_suffix(".damaged")
    try:
        os.replace(path, aside)
    except OSError:
        return "The kept links cannot be read: new ones were made."
    return f"The kept links cannot be read: new ones were made, and the old file is now {aside}."
