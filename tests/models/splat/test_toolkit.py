"""NVIDIA's compiler among Python's packages, and where it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.splat import toolkit


@pytest.fixture
def packages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder of packages with NVIDIA's of two releases."""
    for release in ("cu9", "cu13"):
        for file in ("bin/nvcc", "lib/libcudart.so.13", "lib/libcudart_static.a"):
            path = tmp_path / "packages/nvidia" / release / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    monkeypatch.syspath_prepend(str(tmp_path / "packages"))
    monkeypatch.setattr(toolkit.caches, "folder", lambda: tmp_path)
    for name in (*toolkit.GIVEN, "LIBRARY_PATH"):
        monkeypatch.setenv(name, "")
    return tmp_path / "packages/nvidia"


def test_torch_finds_the_compiler_and_the_linker_its_library(packages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environ = toolkit.os.environ
    monkeypatch.setenv("LIBRARY_PATH", "/theirs")
    for _ in range(2):
        monkeypatch.setenv("CUDA_HOME", "")
        toolkit.offer()
        assert environ["CUDA_HOME"] == str(packages / "cu13")
        folder = Path(environ["LIBRARY_PATH"].partition(":")[0])
        assert (folder / "libcudart.so").readlink() == packages / "cu13/lib/libcudart.so.13"
    assert environ["LIBRARY_PATH"].endswith(":/theirs")


def test_what_a_user_names_stays_and_without_one_nothing_happens(packages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_PATH", "/opt/cuda")
    toolkit.offer()
    assert not toolkit.os.environ["CUDA_HOME"] and not toolkit.os.environ["LIBRARY_PATH"]
    monkeypatch.setenv("CUDA_PATH", "")
    for release in ("cu9", "cu13"):
        (packages / release / "bin/nvcc").unlink()
    assert toolkit.packaged() is None
    toolkit.offer()
    assert not toolkit.os.environ["CUDA_HOME"]
