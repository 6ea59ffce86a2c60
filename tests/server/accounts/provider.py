"""A small OpenID provider on this machine, which can be told to lie."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, quote_plus, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

CLIENT, SECRET = "visavis", "the client's secret"


@cache
def _first_key() -> RSAKey:
    """Of every provider: to find one takes longer than most sign-ins."""
    return RSAKey.generate_key(2048, {"kid": secrets.token_hex(4), "use": "sig", "alg": "RS256"})


class Provider:
    """Everything a test may set is public. lies: claims of the next ID tokens; `None` leaves one out."""

    def __init__(self, port: int) -> None:
        self.issuer = f"http://127.0.0.1:{port}"
        self.metadata: dict[str, Any] = {
            "issuer": self.issuer, "authorization_endpoint": f"{self.issuer}/authorize", "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
        }  # fmt: skip
        self.user: dict[str, Any] = {"sub": "ada-1", "name": "Ada", "email": "ada@example.org", "email_verified": True}
        self.lies: dict[str, Any] = {}
        self.algorithm = "RS256"
        self.raw: Any = None
        """Said instead of an ID token."""
        self.answers: dict[str, tuple[int, bytes]] = {}
        """Said instead of what is at a path."""
        self.asked: list[str] = []
        self.codes: dict[str, dict[str, str]] = {}
        self.key: Any = _first_key()
        self.keys = [self.key.as_dict(private=False)]

    def new_key(self, kind: str = "RS256", *, told: bool = True) -> None:
        """Sign with another key from now on; told: whether it is at `jwks_uri`."""
        options = {"kid": secrets.token_hex(4), "use": "sig", "alg": kind}
        self.key = ECKey.generate_key("P-256", options) if kind == "ES256" else RSAKey.generate_key(2048, options)
        self.algorithm = kind
        if told:
            self.keys = [self.key.as_dict(private=False)]

    def sign_in(self, address: str) -> dict[str, str]:
        """What the browser brings back from the authorization endpoint after its user has signed in."""
        query = dict(parse_qsl(urlsplit(address).query))
        assert address.startswith(self.metadata["authorization_endpoint"]) and query["client_id"] == CLIENT
        assert (
            query["response_type"] == "code" and query["code_challenge_method"] == "S256" and "openid" in query["scope"].split()
        )
        code = secrets.token_hex(8)
        self.codes[code] = query
        return {"code": code, "state": query["state"]}

    def answer(self, path: str, form: dict[str, str], authorization: str) -> tuple[int, Any]:
        self.asked.append(path)
        if path == "/.well-known/openid-configuration":
            return 200, self.metadata
        if path == "/keys":
            return 200, {"keys": self.keys}
        if path != "/token":
            return 404, {}
        query = self.codes.pop(form.get("code", ""), None)  # each works once
        basic = base64.b64encode(f"{CLIENT}:{quote_plus(SECRET)}".encode()).decode()
        challenge = (
            base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest()).rstrip(b"=").decode()
        )
        if query is None or query["code_challenge"] != challenge or query["redirect_uri"] != form.get("redirect_uri"):
            return 400, {"error": "invalid_grant"}
        if authorization != f"Basic {basic}" and (form.get("client_id"), form.get("client_secret")) != (CLIENT, SECRET):
            return 401, {"error": "invalid_client"}
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": query.get("nonce"), **self.user}
        claims = {name: value for name, value in (claims | self.lies).items() if value is not None}
        header = {"alg": self.algorithm, "kid": self.key.kid}
        token = self.raw(claims) if self.raw is not None else jwt.encode(header, claims, self.key, algorithms=[self.algorithm])
        return 200, {"access_token": "access", "token_type": "Bearer", "id_token": token}


@contextmanager
def provider() -> Iterator[Provider]:
    """One that runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._say({})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
            self._say({name: values[0] for name, values in parse_qs(body).items()})

        def _say(self, form: dict[str, str]) -> None:
            if self.path in found.answers:
                status, data = found.answers[self.path]
            else:
                status, body = found.answer(self.path, form, self.headers.get("authorization", ""))
                data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Provider(server.server_port)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
