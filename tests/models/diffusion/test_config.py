from __future__ import annotations

from pathlib import Path

import pytest

from models.diffusion.config import PriorConfig, PriorConfigError, load_config


def test_small_and_full_are_files_of_the_same_classes() -> None:
    small, full = load_config("small"), load_config("full")
    assert type(small) is type(full) is PriorConfig
    assert (small.size, small.space.kind) == (64, "pixel")
    assert (full.size, full.space.kind) == (512, "latent")
    assert small.sampling.steps == 1 and full.sampling.steps == 25 and full.sampling.guidance == 2.5
    assert small.training.dropout == full.training.dropout == 0.1


def test_a_configuration_survives_json() -> None:
    small = load_config("small")
    assert PriorConfig.from_dict(small.as_dict()) == small
    assert small.replace(mechanisms={"warp": False}).mechanisms.joint_normals
    assert not small.replace(mechanisms={"warp": False}).mechanisms.warp


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("colour = 1", "has no key colour"),
        ("[training]\nspeed = 2", "has no key training.speed"),
        ("[network]\nchannels = 'wide'", "network.channels must be a list"),
        ("size = 6.5", "size must be int"),
        ("training = 3", "must be a section"),
        ("[network]\nchannels = [64, 64]", "equally long"),
        ("[network]\nchannels = [64, 64, 70]\nattention = [true, true, true]", "multiples"),
        ("[expression]\nback = [48, 64]", "needs 3 entries"),
        ("[expression]\nfine = [24]", "two, but they have 3 and 1"),
        ("[expression]\nback = [48, 60, 96]", "60 is not"),
        ("[expression]\ncrop = 100", "multiple of 32"),
        ("[space]\nkind = 'wavelet'", "space.kind"),
        ("[training]\nprecision = 'half'", "training.precision"),
        ("= 1", "not valid TOML"),
    ],
)
def test_what_a_file_gets_wrong_is_said_in_one_sentence(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(PriorConfigError, match=says) as error:
        load_config(path)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(PriorConfigError, match="full nor small"):
        load_config("medium")
