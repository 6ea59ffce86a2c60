from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.errors import VisavisError
from server.call.config import ServerConfig, load
from server.call.protocol import Lobby, Moderate, Welcome
from server.call.turn import Turn, password_of
from server.call_check.link import read_link
from server.call_check.run import check_call, summary, works
from tests.server.call.serving import running, until
from tests.server.call.test_signalling import KEYS, Table, said

SETTINGS = {"turn_urls": ("turn:127.0.0.1:9?transport=udp",), "turn_secret": "north"}
pytestmark = pytest.mark.timeout(240)


def test_the_password_is_what_openssl_computes() -> None:
    """printf 1433895918:ninefingers | openssl dgst -sha1 -hmac north -binary | base64; the second is RFC 2202's second."""
    assert password_of("1433895918:ninefingers", "north") == "jy8hTxmOO7UtEKXqSkSlvakPVYA="
    assert password_of("what do ya want for nothing?", "Jefe") == "7/zfauXrL6LSdBbV8YTfnCWafHk="


def test_each_credential_is_new_and_says_when_it_ends() -> None:
    turn = Turn(("turn:a",), "north", 600.0, clock=lambda: 1_000_000.0)
    first, second = turn.credentials(), turn.credentials()
    assert first.username.startswith("1000600:") and first.username != second.username
    assert first.credential == password_of(first.username, "north") and "north" not in repr(turn)


def test_url_and_secret_go_together_and_the_secret_is_never_repeated() -> None:
    for wrong in (
        {"turn_urls": "turn:a"},
        {"turn_secret": "x"},
        {**SETTINGS, "turn_urls": "stun:a"},
        {**SETTINGS, "turn_lifetime": 1},
    ):
        with pytest.raises(VisavisError) as error:
            ServerConfig(**wrong)
        assert "north" not in str(error.value)
    config = ServerConfig(**SETTINGS)
    assert "north" not in repr(config) and config.turn is not None and ServerConfig().turn is None


def test_only_who_may_join_gets_them_and_each_time_others() -> None:
    turn = Turn(("turn:a",), "north")
    table = Table(ice_servers=lambda: [turn.credentials()])
    host, welcome = table.enter(KEYS.host)
    _, again = table.enter(KEYS.host)
    socket_, actions = table.hello(KEYS.person)
    (offered,) = said(actions, Lobby, socket_).ice_servers
    names = {welcome.ice_servers[0].username, again.ice_servers[0].username, offered.username}
    assert len(names) == 3 and all(name.partition(":")[0].isdigit() for name in names)
    _, actions = table.hello(KEYS.host, resume=welcome.resume)
    assert said(actions, Welcome).ice_servers[0].username not in names, "a page that comes back gets new ones"
    other, _ = table.enter(KEYS.host)
    table.say(other, Moderate("lock"))
    locked_out, actions = table.hello(KEYS.person)
    assert said(actions, Lobby, locked_out).ice_servers == []
    stranger, actions = table.hello("x" * 22)
    assert all("turn" not in repr(action) for action in actions) and host != stranger


@pytest.fixture
def silent() -> Iterator[str]:
    """The URL of a TURN server that takes packets and says nothing, as one that hangs or is behind a firewall."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as hole:
        hole.bind(("127.0.0.1", 0))
        yield f"turn:127.0.0.1:{hole.getsockname()[1]}?transport=udp"


async def test_a_turn_server_that_is_down_stops_no_call_and_the_connection_test_says_so(silent: str, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<html><title>Visavis</title>")
    async with running(turn_urls=(silent,), turn_secret="north") as server, server.page("viewer") as page:
        assert page.welcome.ice_servers[0].urls == [silent]
        await until(lambda: page.pictures > 0)
    closed = "turn:127.0.0.1:9?transport=tcp"
    async with running(tmp_path, turn_urls=(closed,), turn_secret="north") as server:
        await until(lambda: server.room.ready)
        found = {finding.check: finding async for finding in check_call(read_link(server.addresses.viewer))}
        assert works(list(found.values())), found
        assert found[closed].state == "failed" and "nothing listens" in found[closed].text
        assert f"for others, mend this: {closed}" in summary(list(found.values()))


def test_secrets_come_from_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISAVIS_SECRETS", str(tmp_path))
    (tmp_path / "visavis_turn_secret").write_text("north\n")
    (tmp_path / "visavis_turn_urls").write_text("turn:a,turn:b?transport=tcp")
    (tmp_path / "somebody_elses").write_text("x")
    config = load({"port": 1})
    assert (config.turn_secret, config.turn_urls, config.port) == ("north", ("turn:a", "turn:b?transport=tcp"), 1)
    assert load({"turn_secret": "mine"}).turn_secret == "mine"
    file = tmp_path / "call.toml"
    file.write_text('turn_secret = "south"\nport = 2\n')
    assert (load({}, file).turn_secret, load({}, file).port) == ("north", 2), "the folder goes before the file"
    (tmp_path / "visavis_turn_secrte").write_text("west")
    with pytest.raises(VisavisError, match="visavis_turn_secrte is no setting; perhaps visavis_turn_secret was meant") as error:
        load({})
    assert "west" not in str(error.value)
    monkeypatch.setenv("VISAVIS_SECRETS", str(tmp_path / "none"))
    with pytest.raises(VisavisError, match="VISAVIS_SECRETS"):
        load({})
