from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from models.atomic import TEMPORARY, atomic_folder, atomic_write, remove_stale
from models.errors import StorageError


def only(folder: Path, *names: str) -> bool:
    return sorted(p.name for p in folder.iterdir()) == sorted(names)


def test_a_file_appears_whole_when_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.avatar"
    with atomic_write(path) as stream:
        stream.write(b"new")
        assert not path.exists()
    assert path.read_bytes() == b"new"
    assert only(tmp_path, "a.avatar")


def test_an_exception_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.avatar"
    path.write_bytes(b"old")

    def interrupted() -> None:
        with atomic_write(path) as stream:
            stream.write(b"half of the n")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_bytes() == b"old"
    assert only(tmp_path, "a.avatar")


def test_other_peoples_errors_pass_through(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_write(tmp_path / "a"):
        (tmp_path / "missing").read_bytes()
    assert only(tmp_path)


def test_a_symbolic_link_is_followed(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    (real / "a").write_bytes(b"old")
    link = tmp_path / "link"
    link.symlink_to(real / "a")
    with atomic_write(link) as stream:
        stream.write(b"new")
    assert link.is_symlink()
    assert (real / "a").read_bytes() == b"new"


@pytest.mark.parametrize("name", ["no/such/folder/a", "file/a", "n" * 300])
def test_an_impossible_place_is_one_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError) as error, atomic_write(tmp_path / name) as stream:
        stream.write(b"x")
    assert "\n" not in str(error.value)
    assert only(tmp_path, "file")


def test_a_folder_in_the_place_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(StorageError), atomic_write(tmp_path / "a") as stream:
        stream.write(b"x")
    assert only(tmp_path, "a")


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES])
def test_a_read_only_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    path = tmp_path / "a"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(StorageError, match="read-only"), atomic_write(path) as stream:
        stream.write(b"new")
    assert path.read_bytes() == b"old"
    assert only(tmp_path, "a")


LIMITED = """
import resource, sys
from pathlib import Path
from models.atomic import atomic_write
from models.errors import StorageError
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    with atomic_write(Path(sys.argv[1])) as stream:
        for _ in range(int(sys.argv[2])):
            stream.write(bytes(1000))
except StorageError as error:
    print(error)
"""


@pytest.mark.parametrize("blocks", [101, 500], ids=["when it is flushed", "in the middle"])
def test_a_full_disk_for_real(tmp_path: Path, blocks: int) -> None:
    """A process that may write 100 kB a file: the system refuses as it does on a full disk, with EFBIG."""
    path = tmp_path / "a"
    path.write_bytes(b"old")
    done = subprocess.run([sys.executable, "-c", LIMITED, path, str(blocks)], capture_output=True, text=True, check=True)
    assert "no room is left" in done.stdout
    assert done.stdout.count("\n") == 1
    assert path.read_bytes() == b"old"
    assert only(tmp_path, "a")


def test_a_full_file_system_for_real(tmp_path: Path) -> None:
    mount = tmp_path / "small"
    mount.mkdir()
    try:
        made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", mount], capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("no mount command on this system")
    if made.returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        (mount / "a").write_bytes(b"old")
        with pytest.raises(StorageError, match="no room is left"), atomic_write(mount / "a") as stream:
            stream.write(bytes(1 << 20))
        assert (mount / "a").read_bytes() == b"old"
        assert only(mount, "a")
    finally:
        subprocess.run(["umount", mount], check=True)


def everything(entry: Path) -> bool:
    return entry.suffix == ".png"


@pytest.mark.parametrize("there", [False, True], ids=["new", "older"])
def test_a_folder_changes_as_a_whole(tmp_path: Path, there: bool) -> None:
    path = tmp_path / "out"
    if there:
        path.mkdir()
        for name in ("1.png", "2.png"):
            (path / name).write_bytes(b"old")
        inode = path.stat().st_ino

    def interrupted() -> None:
        with atomic_folder(path, everything) as folder:
            (folder / "1.png").write_bytes(b"new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert only(path, "1.png", "2.png") if there else only(tmp_path)
    with atomic_folder(path, everything) as folder:
        (folder / "1.png").write_bytes(b"new")
    assert only(tmp_path, "out") and only(path, "1.png") and (path / "1.png").read_bytes() == b"new"
    assert not there or path.stat().st_ino == inode, "it may be a mount point"


def test_a_folder_is_put_back_when_it_cannot_be_changed(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(b"old")
    (tmp_path / "2.png").write_bytes(b"old")

    def meanwhile() -> None:
        with atomic_folder(tmp_path, everything) as folder:
            for name in ("1.png", "mine.txt"):
                (folder / name).write_bytes(b"new")
            (tmp_path / "mine.txt").write_bytes(b"somebody's")

    with pytest.raises(StorageError, match="meanwhile"):
        meanwhile()
    assert only(tmp_path, "1.png", "2.png", "mine.txt")
    assert (tmp_path / "1.png").read_bytes() == b"old" and (tmp_path / "mine.txt").read_bytes() == b"somebody's"


def test_what_killed_runs_left_is_removed_after_a_day(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "a"):
        (name,) = (p.name for p in tmp_path.iterdir())
    assert TEMPORARY.fullmatch(name)
    other = ".visavis-notes.tmp"
    for each in (name, name.replace(name[9], "f" if name[9] != "f" else "0", 1), other):
        (tmp_path / each).touch()
    os.utime(tmp_path / name, (0, 0))
    os.utime(tmp_path / other, (0, 0))
    remove_stale(tmp_path)
    assert not (tmp_path / name).exists() and len(list(tmp_path.iterdir())) == 3


def test_permissions_stay(tmp_path: Path) -> None:
    (tmp_path / "a").touch(0o600)
    with atomic_write(tmp_path / "a") as stream:
        stream.write(b"private")
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600


def test_a_device_that_is_full(tmp_path: Path) -> None:
    """Through a link, as /dev/stdout is one."""
    (tmp_path / "link").symlink_to("/dev/full")
    with pytest.raises(StorageError, match="no room"), atomic_write(tmp_path / "link") as stream:
        stream.write(b"x")
    assert Path("/dev/full").is_char_device()
