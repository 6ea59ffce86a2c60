from __future__ import annotations

from pathlib import Path

import pytest

from models.errors import VisavisError
from server.store.database import Database, sqlite_url
from server.store.files import FileStore
from server.store.queue import JobQueue, MadeAvatar
from server.store.tables import Consent
from tests.server.commands.test_admin import PASSWORD, run, told

AGREED = ("--subject", "Ada Lovelace", "--agreed")


def test_a_colleague_gets_an_avatar_and_a_better_one(tmp_path: Path) -> None:
    state, photo, clip = tmp_path / "state", tmp_path / "ada.jpg", tmp_path / "ada.webm"
    photo.write_bytes(b"a photo")
    clip.write_bytes(b"a clip")
    ada = told(state, "add-person", "ada", "--name", "Ada", "--password", PASSWORD)["id"]
    for wrong, sentence in (
        ((str(photo), "--subject", "Ada"), "consent"), (AGREED, "photos or a clip"),
        ((str(tmp_path / "none"), *AGREED), "cannot be read"),
        ((*[str(photo)] * 9, *AGREED), "1 to 8 photos"), (("--clip", str(clip), "--quality", "high", *AGREED), "high quality"),
        ((str(photo), "--better", "none", *AGREED), "no such avatar"),
    ):  # fmt: skip
        with pytest.raises(VisavisError, match=sentence):
            run(state, "enroll", "ada", *wrong)
    files, database = FileStore(str(state / "files")), Database(sqlite_url(state))
    assert files.names() == []
    made = told(state, "enroll", "ada", str(photo), "--keep-photo", "--consent", "These words, on paper.", *AGREED)
    queue = JobQueue(database)
    job = queue.take("w")
    assert (
        job is not None and (job.id, job.quality) == (made["job"], "instant") and files.read(f"{job.folder}/photo0") == b"a photo"
    )
    with database.reading() as session:
        consent = session.query(Consent).one()
    assert (consent.subject, consent.text, consent.recorded_by) == ("Ada Lovelace", "These words, on paper.", "command-line")
    files.write("avatars/a.avatar", b"the avatar")
    assert queue.keep(job.id, "w", MadeAvatar("avatars/a.avatar", "", "instant", []), last=True) == []
    better = told(state, "enroll", "ada", "--clip", str(clip), "--better", made["avatar"], *AGREED)
    assert better["avatar"] == made["avatar"]
    rows = {row["id"]: row for row in told(state, "jobs")["jobs"]}
    assert (rows[better["job"]]["quality"], rows[better["job"]]["state"], rows[made["job"]]["state"]) == (
        "standard",
        "waiting",
        "done",
    )
    rows = {row["id"]: row for row in told(state, "jobs", "--cancel", better["job"])["jobs"]}
    assert rows[better["job"]]["state"] == "cancelled"
    with pytest.raises(VisavisError, match="has failed"):
        run(state, "jobs", "--retry", better["job"])
    (row,) = told(state, "avatars")["avatars"]
    assert (row["owner_id"], row["name"], row["quality"]) == (ada, "Ada", "instant")
    assert told(state, "avatars", "--erase", made["avatar"])["avatars"] == [] and files.names() == []
    acts = [entry["act"] for entry in told(state, "audit")["audit"]]
    assert acts == ["person.add", "avatar.enroll", "avatar.improve", "job.cancel", "avatar.erase"]
    database.close()
