from __future__ import annotations

import pytest

from models.errors import VisavisError
from server.accounts.passwords import LEAST, MOST, hashed, matches


def test_a_password_fits_its_own_hash_only() -> None:
    kept = hashed("pässword of Ada")
    assert kept.startswith("$argon2id$") and "ssword" not in kept and len(kept) <= 256
    assert matches("pässword of Ada", kept)
    for other in ("password of Ada", "", "pässword of Ada ", "\ud800" * 12, "x" * 5000):
        assert not matches(other, kept)


@pytest.mark.parametrize("kept", [None, "", "nonsense", "$argon2id$v=19$m=65536,t=3,p=4$x$y"])
def test_nothing_fits_where_no_password_is_kept(kept: str | None) -> None:
    assert not matches("a long password", kept)


@pytest.mark.parametrize("length", [0, LEAST - 1, MOST + 1])
def test_a_password_of_another_length_is_a_sentence_which_does_not_repeat_it(length: int) -> None:
    with pytest.raises(VisavisError, match=f"{LEAST} to {MOST}") as caught:
        hashed("p" * length)
    assert "ppp" not in str(caught.value)
