"""Whole runs of GaussianAvatars, as folders and as zips of them."""

from __future__ import annotations

import io
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from models.errors import AvatarFileError
from models.exchange import gaussian_avatars as ga
from models.exchange import reading
from tests.models.exchange import making

HEAD = making.flame_like()
AVATAR = making.flame_avatar(HEAD)
OURS = np.flatnonzero(AVATAR.gaussians.face < ga.FLAME_FACES)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What training leaves behind, with three iterations; the newest has the fewest Gaussians."""
    at = tmp_path_factory.mktemp("runs") / "306"
    members, _ = ga.encode(AVATAR, HEAD)
    for iteration, kept in ((30_000, 30), (600_000, 10), (60_000, 20)):
        folder = at / "point_cloud" / f"iteration_{iteration}"
        folder.mkdir(parents=True)
        (folder / ga.POINTS).write_bytes(ga.write_bound(AVATAR.gaussians.select(OURS[:kept])))
        (folder / ga.PARAMETERS).write_bytes(members[ga.PARAMETERS])
    (at / "input.ply").write_bytes(b"ply\n")
    (at / "cfg_args").write_text("Namespace(sh_degree=3)")
    (at / "cameras.json").write_text("[]")
    return at


def zipped(run: Path, at: Path, within: str) -> Path:
    with zipfile.ZipFile(at, "w") as archive:
        for path in sorted(run.rglob("*")):
            archive.write(path, within + path.relative_to(run).as_posix())
            if path.name == ga.POINTS:
                archive.writestr("__MACOSX/" + within + path.relative_to(run).as_posix(), b"")
    return at


def newest(path: Path) -> None:
    back = ga.load(path)
    assert len(back.gaussians) == 10
    assert back.provenance["imported"]["iteration"] == 600_000
    np.testing.assert_array_equal(back.identity, AVATAR.identity)


@pytest.mark.parametrize("place", ["..", ".", "point_cloud", "point_cloud/iteration_600000"])
def test_of_a_run_the_newest_iteration_is_read(run: Path, place: str) -> None:
    newest(run / place)


@pytest.mark.parametrize("within", ["", "306/", "a/b/c/d/306/"])
def test_so_it_is_from_a_zip(run: Path, tmp_path: Path, within: str) -> None:
    newest(zipped(run, tmp_path / "run.zip", within))
    newest((tmp_path / "run.zip").rename(tmp_path / "without an ending"))


def test_the_ply_of_an_older_iteration_is_that_one(run: Path) -> None:
    assert ga.load(run / "point_cloud/iteration_60000" / ga.POINTS).provenance["imported"]["iteration"] == 60_000


def test_one_head_above_all_iterations_is_found(run: Path, tmp_path: Path) -> None:
    at = tmp_path / "run"
    shutil.copytree(run, at)
    for path in at.rglob(ga.PARAMETERS):
        data = path.read_bytes()
        path.unlink()
    (at / ga.PARAMETERS).write_bytes(data)
    newest(at)
    newest(zipped(at, tmp_path / "run.zip", "306/"))


def test_of_two_runs_one_must_be_chosen(run: Path, tmp_path: Path) -> None:
    both = tmp_path / "both"
    for name in ("a", "b"):
        shutil.copytree(run, both / name)
    for path in (both, zipped(both, tmp_path / "both.zip", "")):
        with pytest.raises(AvatarFileError, match="several avatars, 'a/point_cloud' and 'b/point_cloud'") as error:
            ga.load(path)
        assert "\n" not in str(error.value)


def test_a_zip_is_not_trusted(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is unpacked onto the disk or beyond its limit, and no list of files is read that is too long."""
    evil = tmp_path / "evil.zip"
    with zipfile.ZipFile(evil, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../out/point_cloud.ply", b"ply\n" + bytes(1 << 20))
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(AvatarFileError, match=r"evil\.zip cannot be used"):
        ga.load(evil)
    assert sorted(tmp_path.rglob("*")) == before
    monkeypatch.setattr(ga.ply, "MAX_BYTES", 1 << 16)
    with pytest.raises(AvatarFileError, match="more than the 65536 bytes"):
        ga.load(evil)
    monkeypatch.setattr(reading, "MAX_DIRECTORY_BYTES", 40)
    with pytest.raises(AvatarFileError, match="list of files"):
        ga.load(evil)


def test_the_length_of_a_zips_list_is_the_one_it_has() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for i in range(5):
            archive.writestr(f"{i}", b"x")
    assert reading._directory_bytes(stream) == 5 * 47
