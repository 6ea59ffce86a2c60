"""Every code of a mechanism (G10, F8) that the tree mentions is explained in docs/mechanisms.md, with a file that exists."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from enrollment.reconstruction.config import ReconstructConfig
from enrollment.reconstruction.config_file import changed
from models.diffusion.config import PriorConfig

ROOT = Path(__file__).parent.parent
CODE = re.compile(r"\b(?:G(?:[1-9]|1[0-5])|F[1-9])\b(?!\")")
DOCUMENT = (ROOT / "docs" / "mechanisms.md").read_text("utf-8")
ROWS = re.findall(r"^\| ([GF]\d+) \|.*\| `([^`]+)` \|[^|]+\|$", DOCUMENT, re.MULTILINE)


def test_every_code_in_the_tree_is_in_the_table() -> None:
    listed, used = dict(ROWS), dict[str, Path]()
    for folder in ("models", "enrollment", "realtime", "server", "tests"):
        for path in (ROOT / folder).rglob("*.py"):
            if path != Path(__file__):
                used |= dict.fromkeys(CODE.findall(path.read_text("utf-8")), path)
    assert used and set(used) <= set(listed), {code: used[code] for code in set(used) - set(listed)}


@pytest.mark.parametrize(("code", "path"), ROWS)
def test_a_row_names_a_file_of_the_tree(code: str, path: str) -> None:
    assert (ROOT / path).is_file()


def test_the_examples_are_valid_configurations() -> None:
    of_training, of_the_optimiser = re.findall(r"```toml\n(.*?)```", DOCUMENT, re.DOTALL)
    assert changed(ReconstructConfig(), tomllib.loads(of_the_optimiser)).dynamics
    assert PriorConfig.from_dict(tomllib.loads(of_training)).training.temporal_only
