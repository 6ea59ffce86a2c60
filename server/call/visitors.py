"""Whether a room token still holds: its people are there, and nobody has removed its holder since it was made."""

from __future__ import annotations

from server.accounts.room_tokens import Grants, RoomTokens
from server.accounts.tokens import InvalidTokenError
from server.call.kept_rooms import standing
from server.call.rules import Visitor
from server.store.database import Database

GONE = "this token is not valid any more; ask for a new one"


def visitor_of(database: Database, tokens: RoomTokens, grants: Grants) -> Visitor:
    """Who shows a token that was read. Blocks. Raises `InvalidTokenError` when whom it is for or who made it was erased or
    disabled, when its person's tokens have ended, or when its holder was removed."""
    role = grants.role
    people, is_revoked = standing(database, {grants.person, grants.issuer} - {""}, grants.id)
    holds = (grants.person == "" or people.get(grants.person) == grants.generation) and (
        not grants.issuer or grants.issuer in people
    )
    if role is None or is_revoked or not holds:
        raise InvalidTokenError(GONE)
    return Visitor(
        role, grants.person, grants.name, grants.id, grants.expires, grants.subscribe, is_late=tokens.has_expired(grants)
    )
