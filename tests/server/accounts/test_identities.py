from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from server.accounts.identities import MOST, identities_of, link, unlink
from server.accounts.oidc import Subject
from server.accounts.people import ConflictError, People, SignInError
from server.accounts.tokens import Tokens
from server.store.database import Database
from server.store.tables import AuditEntry, Person
from tests.server.store.rows import make_database

PASSWORD = "a long password"
THERE = Subject("https://id.example", "ada-1", "Ada", "ada@example.org")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(make_database(tmp_path))
    yield opened
    opened.close()


@pytest.fixture
def people(database: Database) -> People:
    return People(database, Tokens("s" * 43))


def linked(database: Database, person: str) -> list[str]:
    with database.reading() as session:
        return [identity.subject for identity in identities_of(session, person)]


def test_a_linked_sign_in_leads_to_the_account_and_an_unlinked_one_no_longer(database: Database, people: People) -> None:
    ada = people.add("ada@example.org", "Ada", PASSWORD).id
    alone = people.identify(people.sign_in_external(THERE)).person
    assert alone != ada, "the same address links nothing"
    with pytest.raises(ConflictError, match="account of its own"):
        link(database, ada, 0, THERE)
    second = Subject(THERE.issuer, "ada-2")
    for _ in range(2):  # the second time changes nothing
        link(database, ada, 0, second)
    assert people.identify(people.sign_in_external(second)).person == ada and linked(database, ada) == ["ada-2"]
    with database.reading() as session:
        (identity,) = identities_of(session, ada)
        assert [entry.act for entry in session.query(AuditEntry) if entry.object == ada] == ["person.add", "person.link"]
    unlink(database, ada, identity.id, issuer=THERE.issuer, passwords=True)
    assert people.identify(people.sign_in_external(second)).person not in (ada, alone)


def test_the_last_way_in_stays(database: Database, people: People) -> None:
    ada = people.add("ada", "Ada", PASSWORD).id
    link(database, ada, 0, THERE)
    with database.reading() as session:
        (identity,) = identities_of(session, ada)
    with pytest.raises(ConflictError, match="only way"):
        unlink(database, ada, identity.id, issuer=THERE.issuer, passwords=False)
    for issuer in ("https://elsewhere.example", ""):  # the other one is of a provider that is not there any more
        link(database, ada, 0, Subject("https://old.example", "ada"))
        with pytest.raises(ConflictError, match="only way"):
            unlink(database, ada, identity.id, issuer=issuer, passwords=False)
    alone = people.identify(people.sign_in_external(Subject(THERE.issuer, "bo"))).person
    with database.reading() as session:
        (of_bo,) = identities_of(session, alone)
    with pytest.raises(ConflictError, match="only way"):
        unlink(database, alone, of_bo.id, issuer=THERE.issuer, passwords=True)
    with pytest.raises(ConflictError, match="not yours"):
        unlink(database, ada, of_bo.id, issuer=THERE.issuer, passwords=True)


@pytest.mark.parametrize("meanwhile", ["signed out", "disabled", "erased", "guest"])
def test_who_is_not_signed_in_any_more_links_nothing(database: Database, people: People, meanwhile: str) -> None:
    ada = people.add("ada", "Ada", PASSWORD).id
    with database.session() as session:
        person = session.get_one(Person, ada)
        if meanwhile == "erased":
            session.delete(person)
        elif meanwhile == "signed out":
            person.generation += 1
        elif meanwhile == "guest":
            person.role = "guest"
        else:
            person.disabled = True
    with pytest.raises(SignInError):
        link(database, ada, 0, THERE)
    assert linked(database, ada) == []


def test_one_person_has_few(database: Database, people: People) -> None:
    ada = people.add("ada", "Ada", PASSWORD).id
    for index in range(MOST):
        link(database, ada, 0, Subject(THERE.issuer, str(index)))
    with pytest.raises(ConflictError, match="at most"):
        link(database, ada, 0, THERE)
