"""Files of the store: a folder by default, anything that fsspec reaches by URL; encrypted at rest when a key is given.

Encryption is AES-256-GCM (NIST SP 800-38D) of a whole file with a random nonce; the file's name is authenticated with it, so that
files cannot be exchanged for one another. Encrypted files have a suffix: with a key only those are read, without one only others.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import fsspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from fsspec.implementations.local import LocalFileSystem

from models.atomic import atomic_write, remove_stale
from models.errors import StorageError

MAGIC = b"VVENC1"
NONCE, TAG = 12, 16
SUFFIX = ".enc"
_NAME = re.compile(r"[a-z0-9]{1,64}(/[a-z0-9][a-z0-9_-]{0,63}(\.(avatar|png))?)?")


class FileStore:
    """Small files by name: lower-case letters and digits, in one folder at most. Safe to use from several threads."""

    def __init__(self, url: str, key: str = "") -> None:
        """url: a folder, or a URL of fsspec, such as s3://bucket/visavis. key: 32 bytes in base64 (RFC 4648), or empty for plain
        files. Raises `StorageError`."""
        try:
            secret = base64.b64decode(key, validate=True) if key else b""
        except (binascii.Error, ValueError):
            secret = b"?"
        if key and len(secret) != 32:
            raise StorageError("a key of 32 bytes in base64 was expected to encrypt files, another came; change --storage-key")
        self._cipher = AESGCM(secret) if key else None
        self._suffix = SUFFIX if key else ""
        self.is_encrypted = bool(key)
        """Whether files are encrypted."""
        try:
            self._system, root = fsspec.core.url_to_fs(url, use_listings_cache=False)
            self._root = str(root).rstrip("/")
            self._is_local = isinstance(self._system, LocalFileSystem)
            if self._is_local:
                Path(self._root).mkdir(parents=True, exist_ok=True, mode=0o700)
                for folder in (Path(self._root), *(entry for entry in Path(self._root).iterdir() if entry.is_dir())):
                    remove_stale(folder)
            else:
                self._system.makedirs(self._root, exist_ok=True)
        except ImportError:
            raise StorageError(
                "a package that reaches this kind of storage was expected, it is not installed, such as s3fs for s3://; "
                "install it or change --storage"
            ) from None
        except ValueError:
            raise StorageError("a folder or a storage URL such as s3://bucket/folder was expected; change --storage") from None
        except Exception as error:  # whatever the library behind the URL raises
            raise StorageError(f"the file store cannot be opened ({_reason(error)}); look at --storage") from None

    def write(self, name: str, data: bytes) -> None:
        """Keep a file; one of that name is replaced whole. Raises `StorageError`."""
        path = self._path(name) + self._suffix
        if self._cipher is not None:
            nonce = secrets.token_bytes(NONCE)
            data = MAGIC + nonce + self._cipher.encrypt(nonce, data, name.encode())
        self._put(path, data)

    def _put(self, path: str, data: bytes) -> None:
        with _explained("a file cannot be kept"):
            if self._is_local:
                Path(path).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                with atomic_write(Path(path)) as stream:
                    stream.write(data)
            else:  # an object is there whole or not at all
                self._system.makedirs(os.path.dirname(path), exist_ok=True)
                self._system.pipe_file(path, data)

    def read(self, name: str, most: int = 1 << 28) -> bytes:
        """A file's bytes. Raises `StorageError` where there is none, it is larger than `most`, or it was altered."""
        return self._opened(name, self.stored(name, most))

    def stored(self, name: str, most: int = 1 << 28) -> bytes:
        """A file as it lies in the store, encrypted where a key was given. Raises `StorageError`."""
        path = self._path(name) + self._suffix
        with _explained("a file of the store cannot be read"):
            if not self._system.exists(path):
                raise StorageError(self._missing(name))
            if int(self._system.size(path) or 0) > most + len(MAGIC) + NONCE + TAG:
                raise StorageError("a file of the store is larger than anything that was put there; look at the store")
            data: bytes = self._system.cat_file(path)
        return data

    def write_stored(self, name: str, data: bytes) -> None:
        """Keep what `stored` gave. Raises `StorageError`, also when it was encrypted with another key."""
        self._opened(name, data)
        self._put(self._path(name) + self._suffix, data)

    def take_over(self, old: FileStore) -> int:
        """Bring files that were kept in the same place with another key, or without one, under this store's key; returns how
        many. Raises `StorageError`; what was not brought is as it was, so this can be run again."""
        count = 0
        for name in self.names():
            try:
                self.read(name)
            except StorageError:
                self.write(name, old.read(name))
                count += 1
            if old._suffix != self._suffix:
                with _explained("a file cannot be erased"), suppress(FileNotFoundError):
                    self._system.rm(self._path(name) + old._suffix)
        return count

    def _opened(self, name: str, data: bytes) -> bytes:
        if self._cipher is None:
            return data
        body = data[len(MAGIC) + NONCE :]
        try:
            if not data.startswith(MAGIC) or len(body) < TAG:
                raise InvalidTag
            return self._cipher.decrypt(data[len(MAGIC) : len(MAGIC) + NONCE], body, name.encode())
        except InvalidTag:
            raise StorageError(
                "a file of the store was altered, or encrypted with another key; start with the right --storage-key"
            ) from None

    def delete(self, name: str) -> None:
        """Erase a file, or a folder with all that is in it; nothing happens where there is none. Raises `StorageError`."""
        path = self._path(name)
        with _explained("a file cannot be erased"):
            for found in (path, path + SUFFIX):
                try:
                    if self._system.exists(found):
                        self._system.rm(found, recursive=True)
                except FileNotFoundError:
                    continue  # somebody else was first

    def names(self, folder: str = "") -> list[str]:
        """The names of all files, or of those in a folder. Raises `StorageError`."""
        root = self._path(folder) if folder else self._root
        with _explained("the store cannot be read"):
            found: list[Any] = self._system.find(root) if self._system.exists(root) else []
        names = (str(path)[len(self._root) + 1 :].removesuffix(SUFFIX) for path in found)
        return sorted({name for name in names if _NAME.fullmatch(name)})

    def age(self, name: str) -> float:
        """Seconds since a file was written; 0 where there is none. Raises `StorageError`."""
        path = self._path(name)
        with _explained("the store cannot be read"):
            for found in (path, path + SUFFIX):
                if self._system.exists(found):
                    return time.time() - float(self._system.modified(found).timestamp())
        return 0.0

    def _path(self, name: str) -> str:
        if _NAME.fullmatch(name) is None:
            raise StorageError("a name of letters and digits was expected for a file of the store, another came")
        return f"{self._root}/{name}"

    def _missing(self, name: str) -> str:
        if self._cipher is None and self._system.exists(self._path(name) + SUFFIX):
            return "a file of the store is encrypted, and no key was given; start with --storage-key"
        if self._cipher is not None and self._system.exists(self._path(name)):
            return "a file of the store is not encrypted, though a key was given; run `visavis admin encrypt` once"
        return "a file of the store is missing; look at the store"


@contextmanager
def _explained(what: str) -> Iterator[None]:
    try:
        yield
    except StorageError:
        raise
    except Exception as error:  # whatever the library behind the URL raises
        raise StorageError(f"{what} ({_reason(error)}); look at the store's disk or server") from error


def _reason(error: Exception) -> str:
    """Without the address, which may hold a secret."""
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
