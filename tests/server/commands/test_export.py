from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from models import avatar_file
from models.errors import AvatarFileError
from models.exchange import ply, spz
from models.heads.anny import AnnyHead
from server.cli import cli
from tests.models import makers


@pytest.fixture
def avatar(tmp_path: Path) -> Path:
    path = tmp_path / "me.avatar"
    avatar_file.save(makers.avatar(AnnyHead(), 60), path)
    return path


def call(*words: object) -> Result:
    return CliRunner().invoke(cli, [str(w) for w in words], standalone_mode=False)


@pytest.mark.parametrize(
    ("name", "more", "kind"),
    [
        ("a.ply", [], "ply"),
        ("a.spz", [], "spz"),
        ("a.webavatar", [], "web"),
        ("folder", [], "gaussian-avatars"),
        ("a.zip", ["--format", "gaussian-avatars"], "gaussian-avatars"),
        ("a.zip", ["--format", "lam"], "lam"),
    ],
)
def test_export(tmp_path: Path, avatar: Path, name: str, more: list[str], kind: str) -> None:
    result = call("export", avatar, "-o", tmp_path / name, *more, "--json")
    assert result.exception is None
    told = json.loads(result.stdout.splitlines()[-1])
    assert told["format"] == kind
    assert 0 < told["gaussians"] <= 60
    assert (tmp_path / name).exists()


def test_a_still_head_has_all_gaussians(tmp_path: Path, avatar: Path) -> None:
    call("export", avatar, "-o", tmp_path / "a.ply")
    call("export", avatar, "-o", tmp_path / "a.spz")
    assert len(ply.load(tmp_path / "a.ply")) == len(spz.load(tmp_path / "a.spz")) == 60


def test_import_undoes_export(tmp_path: Path, avatar: Path) -> None:
    call("export", avatar, "-o", tmp_path / "folder")
    assert call("import", tmp_path / "folder", "-o", tmp_path / "b.avatar", "--consent", "Zoë").exception is None
    back = avatar_file.load(tmp_path / "b.avatar", AnnyHead())
    assert (back.gaussians.face == avatar_file.load(avatar).gaussians.face).all()
    assert back.provenance["consent"] == "Zoë"


def test_a_zip_must_be_told_and_a_still_head_is_refused(tmp_path: Path, avatar: Path) -> None:
    assert "--format" in str(call("export", avatar, "-o", tmp_path / "a.zip").exception)
    call("export", avatar, "-o", tmp_path / "a.ply")
    refused = call("import", tmp_path / "a.ply", "-o", tmp_path / "b.avatar").exception
    assert isinstance(refused, AvatarFileError) and "still head" in str(refused)
    assert not (tmp_path / "b.avatar").exists()
