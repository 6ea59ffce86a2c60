from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest

from models import avatar_file, caches
from models.errors import AvatarFileError
from models.heads import anny
from server import builtin


@dataclass(frozen=True)
class Named:
    name: str = "astronaut"
    previews: dict[str, bytes] = field(default_factory=dict)


def test_the_builtin_avatar_is_made_again_for_another_head_and_kept_for_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Path] = []

    def load(path: Path, _: object) -> None:
        if not path.exists():
            raise AvatarFileError("no such file")

    def save(avatar: Named, path: Path) -> None:
        assert avatar.previews == {"astronaut": b"png"}, "people choose it by its picture"
        path.write_bytes(b"avatar")
        made.append(path)

    monkeypatch.setattr(caches, "folder", lambda: tmp_path)
    monkeypatch.setattr("enrollment.enroll", lambda *_, **__: SimpleNamespace(avatar=Named()))
    monkeypatch.setattr("enrollment.report.previews", lambda avatar, _: {avatar.name: b"png"})
    monkeypatch.setattr(avatar_file, "load", load)
    monkeypatch.setattr(avatar_file, "save", save)
    others = [tmp_path / "astronaut.avatar", tmp_path / "mine.avatar"]
    for other in others:
        other.write_bytes(b"of the first release")
    first = builtin.avatar_path()
    assert builtin.avatar_path() == first and made == [first]
    assert sorted(tmp_path.iterdir()) == sorted([first, others[1]])

    head = tmp_path / "head"
    head.write_bytes(anny.PATH.read_bytes() + b"\0")
    monkeypatch.setattr(anny, "PATH", head)
    second = builtin.avatar_path()
    assert second != first and made == [first, second]
    assert not first.exists() and second.exists() and others[1].exists()

    monkeypatch.setattr(builtin, "version", lambda _: "another")
    assert builtin.avatar_path() not in (first, second)
