"""What `visavis serve` understands, without serving."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from models.errors import VisavisError
from server import builtin
from server.call import app, avatars
from server.call.config import ServerConfig
from server.call.protocol import IceServer
from server.commands import serve

SETUP = "http://localhost/setup/k"


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[ServerConfig]:
    """The settings of the servers that were started."""
    configs: list[ServerConfig] = []

    def run(config: ServerConfig, announce: Any) -> None:
        configs.append(config)
        announce(
            app.Addresses(
                "http://localhost/room/x", "http://a/room/y", "http://a/room/z", config.host == "127.0.0.1", "a note", SETUP
            )
        )

    monkeypatch.setattr(app, "run", run)
    monkeypatch.setattr(avatars, "default_folder", lambda: Path("no folder"))
    monkeypatch.setattr(builtin, "avatar_path", lambda announce: Path("built in"))
    monkeypatch.setattr("models.avatar_file.load", lambda _: type("Loaded", (), {"head": "anny"}))
    monkeypatch.setattr("models.avatar_file.check", lambda *_: None)
    monkeypatch.setattr("models.heads.registry.by_name", lambda _: None)
    return configs


def visavis(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(serve.command, list(arguments), env=environment)


def test_every_setting_reaches_the_server(started: list[ServerConfig], tmp_path: Path) -> None:
    servers = tmp_path / "ice.json"
    servers.write_text(json.dumps([{"urls": "turn:b.example", "username": "u", "credential": "c"}, {"urls": ["stun:c.example"]}]))
    result = visavis(
        "--host", "0.0.0.0", "--port", "9000", "--public-url", "https://call.example.org", "--max-viewers", "3",
        "--avatar", "ada.avatar", "--avatar", "bob.avatar",
        "--size", "640x480", "--ice-server", "stun:a.example:3478", "--ice-server", f"@{servers}",
        "--ice-server", "turn:d.example?transport=tcp", "--ice-ports", "50000-50100", "--state", str(tmp_path), "--new-links",
        VISAVIS_ICE_USERNAME="user", VISAVIS_ICE_CREDENTIAL="secret",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    (config,) = started
    assert (config.host, config.port, config.public_url) == ("0.0.0.0", 9000, "https://call.example.org")
    assert (config.max_viewers, config.width, config.height) == (3, 640, 480)
    assert config.avatars == (Path("ada.avatar"), Path("bob.avatar"))
    assert config.ice_ports == (50000, 50100) and config.state == tmp_path and config.new_links
    assert config.ice_servers == (
        IceServer(["stun:a.example:3478"]),
        IceServer(["turn:b.example"], "u", "c"),
        IceServer(["stun:c.example"]),
        IceServer(["turn:d.example?transport=tcp"], "user", "secret"),
    )


def test_what_is_left_out_and_who_can_come(started: list[ServerConfig]) -> None:
    result = visavis()
    (config,) = started
    assert (config.width, config.height, config.max_viewers, config.ice_ports) == (512, 512, 8, None)
    assert config.state is not None and not config.new_links and config.avatars == (Path("built in"),)
    assert "this machine only" in result.output and "--host 0.0.0.0" in result.output and "a note" in result.output
    assert "this machine only" not in visavis("--host", "0.0.0.0").output
    assert f"no admin yet; to become its admin, open  {SETUP}" in result.output
    assert json.loads(visavis("--json").stdout.splitlines()[-1])["setup"] == SETUP


@pytest.mark.parametrize(
    "arguments",
    [("--size", "5x"), ("--size", "63"), ("--size", "-2"), ("--ice-ports", "5"), ("--ice-ports", "9-1"), ("--ice-server", "x"),
     ("--ice-server", "turn:a.example"), ("--ice-server", "@nothing-here"), ("--public-url", "a.example"),
     ("--max-people", "0"), ("--ice-server", "stun:[::1]")],
)  # fmt: skip
def test_what_cannot_work_is_one_sentence_before_anything_is_loaded(
    started: list[ServerConfig], arguments: tuple[str, ...]
) -> None:
    error = visavis(*arguments).exception
    assert isinstance(error, VisavisError) and "\n" not in str(error) and started == []


@pytest.mark.parametrize(
    "content", ["", "5", "[5]", '[{"urls": 5}]', '[{"urls": []}]', '{"urls": ["a"], "username": 1}', "[" * 9000]
)
def test_a_file_of_ice_servers_that_holds_none_is_one_sentence(started: list[ServerConfig], tmp_path: Path, content: str) -> None:
    (tmp_path / "ice.json").write_text(content)
    error = visavis("--ice-server", f"@{tmp_path / 'ice.json'}").exception
    assert isinstance(error, VisavisError) and "JSON list" in str(error)


def test_every_setting_has_an_option_in_a_group() -> None:
    grouped = [name for names in serve.GROUPS.values() for name in names]
    assert sorted(grouped) == sorted(ServerConfig.model_fields)
    text = visavis("--help").output
    assert all(f"--{name.replace('_', '-').removesuffix('s')}" in text for name in grouped)


def test_a_file_and_the_environment_reach_the_server(started: list[ServerConfig], tmp_path: Path) -> None:
    file = tmp_path / "call.toml"
    file.write_text("port = 9001\nmax_viewers = 2\nwidth = 320\n")
    assert visavis("--config", str(file), "--width", "256", VISAVIS_MAX_VIEWERS="4").exit_code == 0
    (config,) = started
    assert (config.port, config.max_viewers, config.width) == (9001, 4, 256)
