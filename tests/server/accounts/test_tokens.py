from __future__ import annotations

import base64
import json
import stat
import subprocess
import sys
import time
from pathlib import Path

import jwt
import pytest

from models.errors import VisavisError
from server.accounts.tokens import (
    ALGORITHM,
    DAY,
    GUEST_DAYS,
    LEEWAY,
    LIFETIME,
    MAX_TOKEN,
    Claims,
    InvalidTokenError,
    Tokens,
    keep_secret,
)

SECRET, ADA = "s" * 64, Claims("ada", "member", 3)
TOKENS = Tokens(SECRET)
PAYLOAD = {"iss": "visavis", "sub": "ada", "role": "member", "gen": 3, "iat": int(time.time()), "exp": int(time.time()) + 3600}


def signed(secret: str = SECRET, algorithm: str = ALGORITHM, **changes: object) -> str:
    payload = {name: value for name, value in (PAYLOAD | changes).items() if value is not None}
    return jwt.encode(payload, secret, algorithm)


def unsigned(header: dict[str, object]) -> str:
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (header, PAYLOAD)]
    return ".".join([*parts, ""])


def altered(token: str) -> str:
    """The same signature under other words."""
    head, _, signature = token.split(".")
    body = base64.urlsafe_b64encode(json.dumps(PAYLOAD | {"role": "admin"}).encode()).decode().rstrip("=")
    return ".".join([head, body, signature])


def test_a_token_says_what_it_was_made_of_and_no_two_are_the_same() -> None:
    token = TOKENS.make(ADA)
    assert TOKENS.read(token) == ADA and TOKENS.is_one(token) and token != TOKENS.make(ADA) and len(token) < 400
    assert TOKENS.read(signed()) == ADA


@pytest.mark.parametrize("role", ["guest", *sorted(LIFETIME)])
def test_a_token_ends(role: str) -> None:
    now = [1000.0]
    tokens = Tokens(SECRET, lambda: now[0])
    token = tokens.make(Claims("ada", role, 0))
    now[0] += (LIFETIME | {"guest": GUEST_DAYS * DAY})[role] + LEEWAY - 1
    assert tokens.is_one(token)
    now[0] += 2
    assert not tokens.is_one(token)
    with pytest.raises(InvalidTokenError, match="expired"):
        tokens.read(token)
    now[0] = 0.0  # a clock that was set back ends nobody's sign-in
    assert tokens.is_one(token)


@pytest.mark.parametrize(
    "token",
    [
        "", ".", "..", "a.b.c", "é", "\ud800", "\0", "vv_key", "a" * 5000,
        unsigned({"alg": "none"}), unsigned({"alg": "None", "typ": "JWT"}), unsigned({"alg": "HS256"}), unsigned({"alg": 7}),
        altered(signed()), signed()[:-3], signed() + "A" * MAX_TOKEN, signed("o" * 64), signed(SECRET, "HS512"),
        signed(iss="other"), signed(iss=None), signed(exp=None), signed(iat=None), signed(sub=None), signed(gen=None),
        signed(gen="3"), signed(gen=None, role=["admin"]), signed(role="root"), signed(role=None), signed(aud="other"),
        signed(exp="soon"), signed(exp=1),
    ],
)  # fmt: skip
def test_what_is_no_token_of_this_server_is_refused(token: str) -> None:
    assert not TOKENS.is_one(token)
    with pytest.raises(InvalidTokenError, match="sign in again"):
        TOKENS.read(token)


def test_a_subject_that_is_no_text_is_refused() -> None:
    assert not TOKENS.is_one(jwt.api_jws.encode(json.dumps(PAYLOAD | {"sub": 7}).encode(), SECRET, ALGORITHM))


def test_the_secret_stays_and_is_for_the_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    secret = keep_secret(folder)
    assert keep_secret(folder) == secret and len(secret) >= 40
    (path,) = folder.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_IMODE(folder.stat().st_mode) == 0o700
    for damaged in (b"", b"short", b"\xff" * 5):
        path.write_bytes(damaged)
        assert len(keep_secret(folder)) >= 40 and keep_secret(folder) != secret
    assert keep_secret(tmp_path / "other") != keep_secret(folder)


def test_servers_that_start_at_once_get_the_same_secret(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from server.accounts.tokens import keep_secret\n"
        "print('ready', flush=True); sys.stdin.readline(); print(keep_secret(Path(sys.argv[1])))"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    assert len({process.communicate(timeout=60)[0] for process in processes}) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["token-secret"]


def test_a_folder_that_cannot_be_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(VisavisError, match="--state"):
        keep_secret(tmp_path / "file" / "state")
