from __future__ import annotations

import base64
import io
import json
import stat
import tarfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from models.errors import StorageError, VisavisError
from server.accounts.people import People
from server.accounts.tokens import Tokens, keep_secret
from server.commands.admin import command
from server.store.database import Database, sqlite_url
from server.store.files import FileStore
from server.store.queue import JobQueue, MadeAvatar
from tests.server.store.rows import add_job, read_avatar

PASSWORD = "a long password"
KEY, OTHER = (base64.b64encode(bytes([i] * 32)).decode() for i in (1, 2))


def run(state: Path, *arguments: str) -> Result:
    result = CliRunner().invoke(command, ["--state", str(state), *arguments])
    if isinstance(result.exception, VisavisError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result


def told(state: Path, *arguments: str) -> dict:
    return json.loads(run(state, *arguments, "--json").output.splitlines()[-1])


def fill(state: Path, key: str = "") -> tuple[str, str, str]:
    """An account with a kept photo and an avatar; returns the person, the avatar and a guest's token."""
    person = told(state, "add-person", "ada", "--password", PASSWORD)["id"]
    database, files = Database(sqlite_url(state)), FileStore(str(state / "files"), key)
    token = People(database, Tokens(keep_secret(state))).guest("Guest")
    job = add_job(database, person, keep_photo=True, folder="jobs1")
    queue = JobQueue(database)
    assert queue.take("w")
    files.write("jobs1/photo0", b"the photo")
    files.write("avatars/a.avatar", b"the avatar")
    files.write("avatars/left.avatar", b"nothing refers to it")
    assert queue.keep(job.id, "w", MadeAvatar("avatars/a.avatar", "", "instant", ["A note."]), last=True) == []
    database.close()
    return person, job.avatar_id, token


def test_people_keys_and_the_audit_log(tmp_path: Path) -> None:
    admin = told(tmp_path, "add-person", "ada", "--name", "Ada", "--admin", "--password", PASSWORD)
    grace = told(tmp_path, "add-person", "grace", "--password", PASSWORD)["id"]
    rows = told(tmp_path, "list-people")["people"]
    assert [(p["login"], p["name"], p["role"]) for p in rows] == [("ada", "Ada", "admin"), ("grace", "grace", "member")]
    run(tmp_path, "set-password", "grace", "--password", "another password")
    key = told(tmp_path, "keys", grace, "--add", "script")
    database = Database(sqlite_url(tmp_path))
    people = People(database, Tokens(keep_secret(tmp_path)))
    assert people.identify(key["key"]).person == people.identify(people.sign_in("grace", "another password")).person == grace
    assert [k["id"] for k in told(tmp_path, "keys", "grace")["keys"]] == [key["id"]]
    assert told(tmp_path, "keys", "grace", "--delete", key["id"])["keys"] == []
    run(tmp_path, "erase-person", "grace", "--yes")
    with pytest.raises(VisavisError, match="last admin"):
        run(tmp_path, "erase-person", admin["id"], "--yes")
    for arguments in (("keys", "grace"), ("set-password", "grace", "--password", PASSWORD), ("erase-person", "grace", "--yes")):
        with pytest.raises(VisavisError, match="list-people"):
            run(tmp_path, *arguments)
    log = told(tmp_path, "audit")["audit"]
    with pytest.raises(VisavisError, match="state folder"):
        run(tmp_path / "typo", "list-people")
    assert not (tmp_path / "typo").exists()
    acts = ["person.add", "person.add", "person.password", "key.add", "key.delete", "person.erase"]
    assert [e["act"] for e in log] == acts and {e["actor"] for e in log} == {"command-line"}
    assert len(told(tmp_path, "audit", "--last", "2")["audit"]) == 2
    assert "ada" in run(tmp_path, "list-people").output
    database.close()


def test_erasing_somebody_takes_their_files(tmp_path: Path) -> None:
    fill(tmp_path)
    run(tmp_path, "erase-person", "ada", "--yes")
    assert FileStore(str(tmp_path / "files")).names() == ["avatars/left.avatar"]


@pytest.mark.parametrize("key", ["", KEY])
def test_a_backup_brings_everything_back(tmp_path: Path, key: str) -> None:
    first, second, out = tmp_path / "first", tmp_path / "second", tmp_path / "backup.tar"
    person, avatar, token = fill(first, key)
    (first / "rooms-8080.json").write_text("{}")
    options = ("--storage-key", key) if key else ()
    assert told(first, *options, "backup", str(out)) == {"people": 2, "files": 2, "out": str(out)}
    assert stat.S_IMODE(out.stat().st_mode) == 0o600 and (not key or b"the avatar" not in out.read_bytes())
    assert told(second, *options, "restore", str(out)) == {"people": 2, "files": 2}
    database, files = Database(sqlite_url(second)), FileStore(str(second / "files"), key)
    people = People(database, Tokens(keep_secret(second)))
    assert people.identify(people.sign_in("ada", PASSWORD)).person == person
    assert people.identify(token).role == "guest" and (second / "rooms-8080.json").read_text() == "{}"
    found = read_avatar(database, avatar)
    assert (found.notes, files.read(found.file), files.read("jobs1/photo0")) == (["A note."], b"the avatar", b"the photo")
    database.close()
    assert told(second, *options, "audit")["audit"][-1]["detail"] == "people=2 files=2"
    assert [told(state, *options, "audit")["audit"][-1]["act"] for state in (first, second)] == ["store.backup", "store.restore"]
    with pytest.raises(StorageError, match="empty state folder"):
        run(second, *options, "restore", str(out))


def test_a_backup_of_another_key_brings_nothing_back(tmp_path: Path) -> None:
    first, second, out = tmp_path / "first", tmp_path / "second", tmp_path / "backup.tar"
    fill(first, KEY)
    run(first, "--storage-key", KEY, "backup", str(out))
    with pytest.raises(StorageError, match="another key"):
        run(second, "--storage-key", OTHER, "restore", str(out))
    assert told(second, "list-people")["people"] == [] and FileStore(str(second / "files")).names() == []
    (second / "token-secret").unlink()
    assert told(second, "--storage-key", KEY, "restore", str(out))["people"] == 2


def archive(*members: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


ROWS = json.dumps({"format": 1, "rows": {"people": []}}).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"", b"a letter", archive(), archive(("rows.json", b"{")), archive(("rows.json", b"[]")), archive(("files/a/b", b"x")),
        archive(("rows.json", json.dumps({"format": 9, "rows": {}}).encode())),
        archive(("rows.json", json.dumps({"format": 1, "rows": {"cats": []}}).encode())),
        archive(("rows.json", json.dumps({"format": 1, "rows": {"people": [{"id": "a"}]}}).encode())),
        archive(("rows.json", json.dumps({"format": 1, "rows": {"people": [{"id": "a", "new": 1}]}}).encode())),
        archive(("rows.json", ROWS), ("files/a/b", b"x"), ("files/../../x", b"x")),
        archive(("rows.json", ROWS), ("files/a/b", b"x"))[:1800],
    ],
)  # fmt: skip
def test_what_is_no_backup_is_a_sentence_and_brings_nothing_back(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "backup.tar").write_bytes(data)
    with pytest.raises(StorageError):
        run(tmp_path / "state", "restore", str(tmp_path / "backup.tar"))
    assert FileStore(str(tmp_path / "state" / "files")).names() == [] and not (tmp_path / "x").exists()
    with pytest.raises(VisavisError, match="no file"):
        run(tmp_path / "state", "restore", str(tmp_path / "none.tar"))


def test_a_link_in_a_backup_is_no_file(tmp_path: Path) -> None:
    data = io.BytesIO(archive(("rows.json", ROWS)))
    with tarfile.open(fileobj=data, mode="a") as tar:
        link = tarfile.TarInfo("files/a/b")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    (tmp_path / "backup.tar").write_bytes(data.getvalue())
    with pytest.raises(StorageError):
        run(tmp_path / "state", "restore", str(tmp_path / "backup.tar"))
    assert FileStore(str(tmp_path / "state" / "files")).names() == []


def test_files_come_under_a_key_and_under_another_one(tmp_path: Path) -> None:
    fill(tmp_path)
    for options, old, count in (([KEY], "", 3), ([KEY], "", 0), ([OTHER], KEY, 3), ([], OTHER, 3)):
        arguments = [part for key in options for part in ("--storage-key", key)]
        assert told(tmp_path, *arguments, "encrypt", *(["--old-key", old] if old else []))["files"] == count
        files = FileStore(str(tmp_path / "files"), *options)
        assert len(files.names()) == 3 and files.read("avatars/a.avatar") == b"the avatar"
        plain = [path for path in (tmp_path / "files").rglob("*") if path.is_file() and b"the avatar" in path.read_bytes()]
        assert len(plain) == (0 if options else 1)
