"""A contact sheet has one tile a head, and black where heads run out."""

from __future__ import annotations

from models.heads.base import HeadModel
from models.synthetic.contact_sheet import contact_sheet


def test_each_head_has_a_tile(model: HeadModel) -> None:
    sheet = contact_sheet(model, 3, seed=0, size=32, columns=2, supersample=1)
    assert sheet.shape == (64, 64, 3)
    tiles = [sheet[:32, :32], sheet[:32, 32:], sheet[32:, :32], sheet[32:, 32:]]
    assert [tile.std() > 10 for tile in tiles] == [True, True, True, False]
    assert not tiles[3].any()
