"""Files of the store: a folder by default, anything that fsspec reaches by URL; encrypted at rest when a key is given.

Encryption is AES-256-GCM (NIST SP 800-38D) of a whole file with a random nonce; the file's name is authenticated with it, so that
files cannot be exchanged for one another.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import secrets
from typing import Any

import fsspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from models.errors import StorageError

MAGIC = b"VVENC1"
NONCE = 12
_NAME = re.compile(r"[a-z0-9]{1,64}(/[a-z0-9][a-z0-9._-]{0,63})?")


class FileStore:
    """Small files by name: lower-case letters and digits, in one folder at most."""

    def __init__(self, url: str, key: str = "") -> None:
        """url: a folder, or a URL of fsspec, such as s3://bucket/visavis. key: 32 bytes in base64 (RFC 4648), or empty for plain
        files. Raises `StorageError`."""
        try:
            secret = base64.b64decode(key, validate=True) if key else b""
        except binascii.Error:
            secret = b"?"
        if key and len(secret) != 32:
            raise StorageError("a key of 32 bytes in base64 was expected to encrypt files; change --storage-key")
        self._cipher = AESGCM(secret) if key else None
        try:
            self._system, self._root = fsspec.core.url_to_fs(url)
            self._system.makedirs(self._root, exist_ok=True)
        except (ImportError, ValueError, OSError) as error:
            raise StorageError(f"a folder or a storage URL was expected, another came ({error}); change --storage") from None

    def write(self, name: str, data: bytes) -> None:
        """Keep a file; one of that name is replaced whole. Raises `StorageError`."""
        path = self._path(name)
        if self._cipher is not None:
            nonce = secrets.token_bytes(NONCE)
            data = MAGIC + nonce + self._cipher.encrypt(nonce, data, name.encode())
        try:
            self._system.makedirs(os.path.dirname(path), exist_ok=True)
            temporary = f"{path}.{secrets.token_hex(4)}.part"
            self._system.pipe_file(temporary, data)
            self._system.mv(temporary, path)
        except OSError as error:
            raise StorageError(
                f"a file cannot be kept ({error.strerror or type(error).__name__}); look at the store's disk"
            ) from error

    def read(self, name: str, most: int = 1 << 28) -> bytes:
        """A file's bytes. Raises `StorageError` where there is none, it is larger than `most`, or it was altered."""
        path = self._path(name)
        try:
            if self._system.size(path) > most + 64:
                raise StorageError("a file of the store is larger than anything that was put there; look at the store")
            data: bytes = self._system.cat_file(path)
        except OSError as error:
            raise StorageError(f"a file of the store cannot be read ({error.strerror or type(error).__name__})") from error
        if not data.startswith(MAGIC):
            return data
        if self._cipher is None:
            raise StorageError("a file of the store is encrypted, and no key was given; start with --storage-key")
        try:
            nonce = data[len(MAGIC) : len(MAGIC) + NONCE]
            return self._cipher.decrypt(nonce, data[len(MAGIC) + NONCE :], name.encode())
        except InvalidTag:
            raise StorageError(
                "a file of the store was altered, or encrypted with another key; start with the right one"
            ) from None

    def delete(self, name: str) -> None:
        """Erase a file, or a folder with all that is in it; nothing happens where there is none. Raises `StorageError`."""
        path = self._path(name)
        try:
            if self._system.exists(path):
                self._system.rm(path, recursive=True)
        except OSError as error:
            raise StorageError(
                f"a file cannot be erased ({error.strerror or type(error).__name__}); look at the store"
            ) from error

    def names(self, folder: str = "") -> list[str]:
        """The names of all files, or of those in a folder. Raises `StorageError`."""
        root = self._path(folder) if folder else self._root
        try:
            found: list[Any] = self._system.find(root) if self._system.exists(root) else []
        except OSError as error:
            raise StorageError(f"the store cannot be read ({error.strerror or type(error).__name__})") from error
        return sorted(str(path)[len(str(self._root).rstrip("/")) + 1 :] for path in found)

    def _path(self, name: str) -> str:
        if _NAME.fullmatch(name) is None:
            raise StorageError("a name of letters and digits was expected for a file of the store, another came")
        return f"{self._root}/{name}"
