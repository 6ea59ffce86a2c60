from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from models.errors import VisavisError
from server.accounts import people as accounts
from server.accounts.people import API_KEY_PREFIX, MAX_KEYS, ConflictError, People, SignInError, clean_name
from server.accounts.tokens import InvalidTokenError, Tokens
from server.store.database import Database
from server.store.tables import ApiKey, AuditEntry, Person
from tests.server.store.rows import add_person, make_database

PASSWORD = "a long password"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(make_database(tmp_path))
    yield opened
    opened.close()


@pytest.fixture
def people(database: Database) -> People:
    return People(database, Tokens("s" * 43))


def test_an_account_signs_in_with_its_password_only(people: People, database: Database) -> None:
    added = people.add("ada@example.org", " Ada\u202e\n ", PASSWORD)
    assert added.name == "Ada" and PASSWORD not in str(added.password)
    found = people.identify(people.sign_in("ada@example.org", PASSWORD))
    assert (found.person, found.role, found.name, found.is_admin) == (added.id, "member", "Ada", False)
    for login, password in (("ada@example.org", PASSWORD + "!"), ("eve", PASSWORD), ("", ""), ("ada@example.org", "")):
        with pytest.raises(SignInError):
            people.sign_in(login, password)
    with database.session() as session:
        session.get_one(Person, added.id).disabled = True
    with pytest.raises(SignInError):
        people.sign_in("ada@example.org", PASSWORD)


@pytest.mark.parametrize("login", ["", "Ada", "a b", "-a", "a" * 64, "a\n", "ä", "../a"])
def test_a_login_that_is_none_is_a_sentence(people: People, login: str) -> None:
    with pytest.raises(VisavisError, match="login"):
        people.add(login, "Ada", PASSWORD)


def test_a_login_is_one_persons_also_of_two_who_ask_at_once(people: People, database: Database) -> None:
    outcomes: list[str] = []

    def add() -> None:
        try:
            people.add("ada", "Ada", PASSWORD)
            outcomes.append("added")
        except ConflictError as error:
            outcomes.append(str(error))

    threads = [threading.Thread(target=add) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["added", *["this login is taken; choose another one"] * 2]


def test_signing_out_everywhere_ends_all_tokens_and_no_key(people: People) -> None:
    guest, ada = people.identify(token := people.guest("")), people.add("ada", "Ada", PASSWORD)
    other, (_, key) = people.sign_in("ada", PASSWORD), people.add_key(ada.id, "script")
    assert guest.name == "Guest" and guest.role == "guest"
    people.sign_out_everywhere(guest.person)
    people.sign_out_everywhere("nobody")
    with pytest.raises(InvalidTokenError):
        people.identify(token)
    assert people.identify(other).person == people.identify(key).person == ada.id
    people.set_password(ada.id, "another password", actor=ada.id)
    with pytest.raises(InvalidTokenError):
        people.identify(other)
    assert people.identify(people.sign_in("ada", "another password")).person == ada.id


def test_nobody_is_whom_the_database_does_not_know(people: People, database: Database) -> None:
    token = people.guest()
    with database.session() as session:
        session.delete(session.scalar(select(Person)))
    for credential in (token, API_KEY_PREFIX + "x" * 32, API_KEY_PREFIX, "", API_KEY_PREFIX + "\ud800"):
        with pytest.raises(InvalidTokenError):
            people.identify(credential)
    for guest in ("nobody", add_person(database)):
        with pytest.raises(VisavisError, match="login"):
            people.set_password(guest, PASSWORD, actor="")


def test_api_keys(people: People, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    ada, eve, guest = add_person(database, "member"), add_person(database, "member"), add_person(database)
    made, key = people.add_key(ada, "\n")
    with database.reading() as session:
        kept = session.get_one(ApiKey, made.id)
        assert key not in (kept.digest, kept.name) and kept.name == "key"
    assert people.identify(key).person == ada
    for person in (guest, "nobody"):
        with pytest.raises(VisavisError, match="guests have no API keys"):
            people.add_key(person, "")
    with pytest.raises(VisavisError, match="no such API key"):
        people.delete_key(eve, made.id)
    people.delete_key(ada, made.id)
    with pytest.raises(InvalidTokenError):
        people.identify(key)
    for _ in range(MAX_KEYS):
        people.add_key(eve, "")
    with pytest.raises(ConflictError, match=str(MAX_KEYS)):
        people.add_key(eve, "")
    with database.session() as session:
        session.get_one(Person, eve).disabled = True
    with database.reading() as session:
        acts = [(entry.act, entry.object) for entry in session.scalars(select(AuditEntry))]
    assert acts[:2] == [("key.add", ada), ("key.delete", ada)]


def test_a_credential_is_known_at_the_door_without_the_database(
    people: People, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = add_person(database, "member")
    (made, key), (_, other), token = people.add_key(ada, ""), people.add_key(ada, ""), people.guest()
    assert people.is_known(token) and not people.is_known(key) and not people.is_known("nonsense")
    people.identify(key)
    people.identify(other)
    monkeypatch.setattr(database, "_reading", None)
    assert people.is_known(key) and people.is_known(other) and not people.is_known(API_KEY_PREFIX + "x")
    monkeypatch.undo()
    people.delete_key(ada, made.id)
    assert not people.is_known(key)
    monkeypatch.setattr(accounts.time, "monotonic", lambda: 1e12)
    assert not people.is_known(other)


def test_the_first_admin_is_one(people: People) -> None:
    outcomes: list[str] = []
    assert not people.has_admin()

    def set_up(login: str) -> None:
        try:
            people.set_up(login, "Ada", PASSWORD)
            outcomes.append("made")
        except ConflictError:
            outcomes.append("refused")

    threads = [threading.Thread(target=set_up, args=(login,)) for login in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["made", "refused", "refused"] and people.has_admin()


@pytest.mark.parametrize(
    ("name", "clean"),
    [("Ada", "Ada"), (" Ada \n", "Ada"), ("A\0d\x1ba", "Ada"), ("\u202eadA", "adA"), ("\u200b", ""), ("Zoë 李 🙂", "Zoë 李 🙂")],
)
def test_names_hold_what_can_be_seen(name: str, clean: str) -> None:
    assert clean_name(name) == clean and len(clean_name("x " * 99)) <= 64
