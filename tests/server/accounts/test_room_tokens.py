from __future__ import annotations

from typing import Any

import jwt
import pytest

from server.accounts.room_tokens import ExpiredTokenError, Grants, RoomTokens
from server.accounts.tokens import LEEWAY, Claims, InvalidTokenError, Tokens

SECRET = "s" * 64
ADA = Grants("room1", "ada", "Ada", publish=True, issuer="bo", generation=3)


def forged(secret: str = SECRET, algorithm: str = "HS256", **changes: Any) -> str:
    """A token of ours with claims changed or, where `None`, left out."""
    claims = jwt.decode(RoomTokens(SECRET).make(ADA)[0], options={"verify_signature": False}) | changes
    return jwt.encode({name: value for name, value in claims.items() if value is not None}, secret, algorithm)


@pytest.mark.parametrize(
    ("grants", "role"),
    [
        (ADA, "person"), (Grants("room1", host=True), "host"), (Grants("room1", watch=True, publish=True), "person"),
        (Grants("room1", watch=True), "viewer"), (Grants("room1"), None),
        (Grants("room1", publish=True, subscribe=False), "person"),
    ],
)  # fmt: skip
def test_a_token_says_what_was_put_into_it(grants: Grants, role: str | None) -> None:
    token, made = RoomTokens(SECRET).make(grants)
    assert RoomTokens(SECRET).verify(token, "room1") == made and made.role == role
    assert Grants(**vars(made) | {"id": "", "expires": 0.0}) == grants and made.id
    assert RoomTokens(SECRET).make(grants)[1].id != made.id


def test_it_is_for_one_room_and_for_a_time() -> None:
    now = [1000.0]
    tokens = RoomTokens(SECRET, lambda: now[0])
    token, _ = tokens.make(ADA, 60)
    with pytest.raises(InvalidTokenError, match="another room"):
        tokens.verify(token, "room2")
    now[0] += 60 + LEEWAY
    assert tokens.verify(token, "room1").person == "ada"
    now[0] += 1.0
    with pytest.raises(ExpiredTokenError, match="expired"):
        tokens.verify(token, "room1")
    assert tokens.read(token).person == "ada"


@pytest.mark.parametrize(
    "token",
    [
        "", "x", "a.b.c", "x" * 5000, "\ud800", forged(secret="o" * 64), forged(algorithm="HS512"), forged(aud=None),
        forged(aud="visavis"), forged(iss="others"), forged(exp=None), forged(jti=None), forged(grants=None),
        forged(grants=["all"]), forged(grants="host"), forged(room=7), forged(gen="0"), forged(exp="never"), forged(sub=None),
        jwt.encode({"aud": "visavis-room"}, None, "none"), Tokens(SECRET).make(Claims("ada", "admin", 0)),
    ],
)  # fmt: skip
def test_what_is_no_token_of_a_room_is_refused(token: str) -> None:
    with pytest.raises(InvalidTokenError, match="of this server's rooms was expected"):
        RoomTokens(SECRET).read(token)


def test_it_is_no_sign_in() -> None:
    with pytest.raises(InvalidTokenError):
        Tokens(SECRET).read(RoomTokens(SECRET).make(ADA)[0])
