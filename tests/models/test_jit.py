"""The cache of compiled kernels: renewed when it must be, put elsewhere, and never a reason to fail."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from numba.core import caching

from models import caches, jit

SOURCE = """
from models.jit import kernel
FACTOR = int(open(__file__.replace("source.py", "factor.py")).read())
@kernel(fastmath=True)
def times(x):
    return x * FACTOR
"""


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    path = tmp_path / "code" / "source.py"
    path.parent.mkdir()
    path.write_text(SOURCE)
    path.with_name("factor.py").write_text("3")
    yield path
    jit._place.cache_clear()
    jit._stamp.cache_clear()


def times(source: Path) -> tuple[int, Any]:
    """What 2 becomes in a module that is loaded anew; and the kernel."""
    jit._stamp.cache_clear()
    jit._place.cache_clear()
    spec = importlib.util.spec_from_file_location("source", source)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.times(2), module.times


def test_compiled_code_is_kept_beside_its_source_and_found_again(source: Path) -> None:
    assert times(source)[0] == 6
    assert len(list((source.parent / "__pycache__").glob("*.nbc"))) == 1
    value, kernel = times(source)
    assert value == 6 and sum(kernel.stats.cache_hits.values()) == 1


def test_it_is_renewed_when_a_file_changes_from_which_it_takes_a_number(source: Path) -> None:
    assert times(source)[0] == 6
    source.with_name("factor.py").write_text("5")
    assert times(source)[0] == 10


def test_it_is_kept_elsewhere_when_it_cannot_be_beside(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (source.parent / "__pycache__").touch()
    monkeypatch.setattr(caches, "prepare", lambda: tmp_path / "cache")
    assert times(source)[0] == 6
    assert len(list((tmp_path / "cache" / "kernels").glob("code_*/*.nbc"))) == 1
    monkeypatch.setattr(caches, "prepare", lambda: None)
    value, kernel = times(source)
    assert value == 6 and not kernel.stats.cache_hits, "compiled anew, for want of a place"
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "given"))
    assert times(source)[0] == 6 and len(list((tmp_path / "given").glob("code_*/*.nbc"))) == 1


def test_a_damaged_cache_and_a_full_disk_do_no_harm(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    times(source)
    for path in (source.parent / "__pycache__").glob("*.nb?"):
        path.write_bytes(path.read_bytes()[:50])
    assert times(source)[0] == 6

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(caching.IndexDataCacheFile, "save", full)
    source.with_name("factor.py").write_text("7")
    assert times(source)[0] == 14
