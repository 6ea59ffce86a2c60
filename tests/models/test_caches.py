"""Where caches go when the user has no home, may not write there, or is not known at all."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from models import caches
from models.errors import StorageError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """No home that can be used; temporary files go to the folder that is returned."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    (tmp_path / "file").touch()
    monkeypatch.setenv("HOME", str(tmp_path / "file" / "home"))
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", None)
    caches.prepare.cache_clear()
    caches._private.cache_clear()
    yield temporary
    caches.prepare.cache_clear()
    caches._private.cache_clear()


def test_a_home_that_can_be_used_is_used(elsewhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert caches.folder() == tmp_path / ".cache" / "visavis"
    assert "MPLCONFIGDIR" not in os.environ and list(elsewhere.iterdir()) == []


def test_without_a_home_there_is_a_private_folder(elsewhere: Path) -> None:
    found = caches.folder()
    private = elsewhere / f"visavis-{os.getuid()}"
    assert found.is_relative_to(private) and stat.S_IMODE(private.stat().st_mode) == 0o700
    assert os.environ["HOME"] == str(private)


@pytest.mark.parametrize("how", ["open to others", "a link"])
def test_a_folder_that_others_could_have_filled_is_not_used(elsewhere: Path, tmp_path: Path, how: str) -> None:
    """Compiled code is loaded from there."""
    private = elsewhere / f"visavis-{os.getuid()}"
    if how == "a link":
        (tmp_path / "theirs").mkdir()
        private.symlink_to(tmp_path / "theirs")
    else:
        private.mkdir()
        private.chmod(0o777)
    found = caches.folder()
    assert not found.resolve().is_relative_to(private.resolve()) and found.is_relative_to(elsewhere)


@pytest.mark.parametrize("shared", [True, False])
def test_without_temporary_files_shared_memory_or_one_sentence(
    elsewhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared: bool
) -> None:
    def none() -> str:
        raise FileNotFoundError("no usable temporary directory")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    monkeypatch.setattr(caches, "SHARED_MEMORY", elsewhere if shared else tmp_path / "file" / "shm")
    if shared:
        assert caches.folder().is_relative_to(elsewhere)
    else:
        with pytest.raises(StorageError, match="TMPDIR"):
            caches.folder()


REAL = """
import os
import numpy as np
from models import binding
from models.heads.anny import AnnyHead
head = AnnyHead()
binding.frames(head.template, head.faces)
print(os.getuid(), binding._frames._cache.cache_path)
"""


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """That other users may look into, unlike `tmp_path`."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


def test_for_real_as_a_user_without_a_name(open_folder: Path) -> None:
    """As in a container with another user: no name, no home, the installation belongs to somebody else."""
    if os.getuid() or not shutil.which("setpriv"):
        pytest.skip("becoming another user needs root and setpriv")
    here, temporary, code = open_folder / "here", open_folder / "tmp", open_folder / "code"
    shutil.copytree(ROOT / "models", code / "models", ignore=shutil.ignore_patterns("__pycache__", "weights"))
    for folder in (here, temporary):
        folder.mkdir()
        folder.chmod(0o777)
    become = "setpriv --reuid 12345 --regid 12345 --clear-groups --inh-caps=+dac_read_search --ambient-caps=+dac_read_search"
    done = subprocess.run(
        [*become.split(), "env", "-i", f"TMPDIR={temporary}", f"PYTHONPATH={code}", sys.executable, "-c", REAL],
        cwd=here, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "setpriv" in done.stderr:
        pytest.skip("becoming another user is not allowed here")
    assert done.returncode == 0, done.stderr
    user, place = done.stdout.split()
    assert user == "12345" and Path(place).is_relative_to(temporary / "visavis-12345")
    assert any(Path(place).glob("*.nbc")) and list(here.iterdir()) == [], "a folder called ~"
