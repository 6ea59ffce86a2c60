from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import HeadModelError, StorageError
from models.heads import asset, registry
from models.heads.base import HeadModel
from tests.models import makers

HEAD = makers.random_head()


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "head.safetensors"
    asset.save(HEAD, path)
    back = asset.load(path)
    assert back.name == HEAD.name
    for field in fields(HeadModel):
        a, b = getattr(back, field.name), getattr(HEAD, field.name)
        if field.name in asset.BASES:
            # half precision, and what is smaller than can be seen is dropped
            np.testing.assert_allclose(a, b, atol=asset.SMALLEST, rtol=1e-3)
        elif field.name != "name":
            np.testing.assert_array_equal(a, b)
            assert (a.dtype, a.flags.writeable) == (b.dtype, True)


def test_saving_again_gives_the_same_bytes(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    asset.save(HEAD, one)
    asset.save(asset.load(one), two)
    assert one.read_bytes() == two.read_bytes()


def test_an_old_asset_stays_when_the_new_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        asset.save(HEAD, tmp_path / "missing" / "head")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"faces": HEAD.faces + 100}, "faces points outside"),
        ({"faces": HEAD.faces - 100}, "faces points outside"),
        ({"face_uv": HEAD.face_uv + 100}, "face_uv points outside"),
        ({"landmark_face": HEAD.landmark_face + 100}, "landmark_face points outside"),
        ({"region": HEAD.region + 9}, "region points outside"),
        ({"template": HEAD.template * np.nan}, "not finite"),
        ({"weights": HEAD.weights[:, :5]}, "weights has the shape"),
        ({"joints_basis": HEAD.joints_basis[:1]}, "joints_basis has the shape"),
        ({"expression_basis": HEAD.expression_basis[:51]}, "expression_basis has the shape"),
        ({"landmark_weight": HEAD.landmark_weight.astype(np.float16)}, "no tensor 'landmark_weight'"),
    ],
)
def test_an_asset_that_does_not_fit_together(tmp_path: Path, change: dict[str, np.ndarray], reason: str) -> None:
    path = tmp_path / "head"
    asset.save(replace(HEAD, **change), path)
    with pytest.raises(HeadModelError, match=reason):
        asset.load(path)


def test_what_is_no_asset(tmp_path: Path) -> None:
    with pytest.raises(HeadModelError, match="does not exist"):
        asset.load(tmp_path / "missing")
    huge = tmp_path / "huge"
    with huge.open("wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(HeadModelError, match="larger than"):
        asset.load(huge)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("asset") / "head"
    asset.save(HEAD, path)
    return path


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_damaged_asset_is_read_or_refused(whole: Path, data: st.DataObject) -> None:
    good = whole.read_bytes()
    place = data.draw(st.integers(0, len(good) - 1) | st.integers(0, 3000))
    new = data.draw(st.binary(max_size=4))
    removed = data.draw(st.sampled_from([0, len(new), len(good)]))
    broken = whole.with_name("broken")
    broken.write_bytes(good[:place] + new + good[place + removed :])
    try:
        head = asset.load(broken)
    except HeadModelError:
        return
    asset.check(head)


def test_the_registry() -> None:
    assert registry.by_name("anny").name == "anny"
    with pytest.raises(HeadModelError, match="anny, flame2020, flame2023"):
        registry.by_name("smpl")
