"""Files with the networks behind the corrections (version 3)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models import avatar_file
from models.networks import DEFORMATION, Networks
from tests.models import makers
from tests.models.test_avatar_file import refused
from tests.models.test_avatar_file_corrections import parts, with_hash

HEAD = makers.random_head()
CORRECTIONS = makers.corrections(HEAD)
BOTH = makers.networks(HEAD, CORRECTIONS)
PLAIN = replace(makers.avatar(HEAD), corrections=CORRECTIONS)
AVATAR = replace(PLAIN, corrections=replace(CORRECTIONS, networks=BOTH))
DATA = avatar_file.encode(AVATAR)


@pytest.mark.parametrize("networks", [BOTH, replace(BOTH, dynamics=None), replace(BOTH, deformation=None)])
def test_round_trip(tmp_path: Path, networks: Networks) -> None:
    avatar_file.save(replace(PLAIN, corrections=replace(CORRECTIONS, networks=networks)), tmp_path / "a")
    back = avatar_file.load(tmp_path / "a", HEAD).corrections
    assert back is not None and back.networks is not None and parts((tmp_path / "a").read_bytes())[0]["version"] == "3"
    for name in ("dynamics", "deformation"):
        ours, theirs = getattr(networks, name), getattr(back.networks, name)
        assert (ours is None) == (theirs is None)
        for key in ours or ():
            np.testing.assert_array_equal(ours[key], theirs[key])


def test_without_networks_a_file_is_what_it_was_in_version_2() -> None:
    data = avatar_file.encode(PLAIN)
    assert parts(data)[0]["version"] == "2" and not any("." in n for n in parts(data)[1] if not n.startswith("preview."))
    back = avatar_file.decode(data).corrections
    assert back is not None and back.networks is None


def changed(version: str = "3", drop: tuple[str, ...] = (), **put: np.ndarray) -> bytes:
    meta, tensors = parts(DATA)
    tensors = {name: t for name, t in (tensors | {n.replace("__", "."): t for n, t in put.items()}).items() if name not in drop}
    return with_hash(meta | {"version": version}, tensors)


F16 = np.float16
GAUSSIANS = ("active", "gaussian_directions", "gaussian_mixing")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (changed("2"), "should not have the tensor 'deformation."),
        (changed(dynamics__points=np.zeros((19, 7), F16)), "'dynamics.points' is"),
        (changed(dynamics__points=np.zeros((20, 7), np.float32)), "'dynamics.points' is F32"),
        (changed(deformation__rest=np.zeros((41, 3), F16)), "'deformation.rest' is"),
        (changed(deformation__tokens__weight=np.zeros((512, 52), F16)), "'deformation.tokens.weight' is"),
        (changed(dynamics__more=np.zeros((2, 2), F16)), "should not have the tensor 'dynamics.more'"),
        (changed(dynamics__last__weight=np.full((14, 48), np.nan, F16)), "not finite"),
        (changed(dynamics__last__weight=np.full((14, 48), 2000, F16)), "-1000 to 1000"),
        (changed(drop=("dynamics.code.weight",)), "'dynamics.code.weight'"),
        (changed(drop=GAUSSIANS), "'dynamics."),
        (changed(drop=(*GAUSSIANS, *(f"deformation.{name}" for name in DEFORMATION))), "lacks or should not have"),
    ],
)
def test_a_fitting_hash_does_not_help_bad_weights(tmp_path: Path, data: bytes, reason: str) -> None:
    refused(tmp_path / "a", data, reason)


def test_nothing_is_allocated_for_a_layer_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wide = changed(deformation__into__weight=np.zeros((16, 4, 300, 300), F16))

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("room was made before the header was checked")

    monkeypatch.setattr(np, "frombuffer", refuse)
    refused(tmp_path / "a", wide, "'deformation.into.weight' is")


def test_an_avatar_of_fewer_gaussians_keeps_their_points() -> None:
    which = CORRECTIONS.active[::2]
    left = AVATAR.select(which).corrections
    assert left is not None and left.networks is not None and left.networks.dynamics is not None and BOTH.dynamics is not None
    np.testing.assert_array_equal(left.networks.dynamics["points"], BOTH.dynamics["points"][::2])
    idle = AVATAR.select(np.setdiff1d(np.arange(50), CORRECTIONS.active)).corrections
    assert idle is not None and idle.networks is not None and idle.networks.dynamics is None
