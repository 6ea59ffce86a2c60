from __future__ import annotations

import asyncio
from pathlib import Path

import aioice.ice
import pytest

from models.errors import VisavisError
from server.call import ice
from server.call.config import ServerConfig, load
from server.call.protocol import IceServer


@pytest.mark.parametrize(
    "settings",
    [
        {"port": 70_000},
        {"max_viewers": -1},
        {"width": 511},
        {"height": 5000},
        {"max_bitrate": 1},
        {"heartbeat": 3.0, "dead_after": 3.0},
        {"heartbeat": 0.0},
        {"dead_after": float("inf")},
        {"media_timeout": float("inf")},
        {"ice_servers": 3},
        {"factory_options": "{"},
        {"max_rooms": 0},
        {"max_people": 0},
        {"least_rate": -1.0},
        {"ice_addresses": ("localhost",)},
        {"ice_ports": (5000, 4000)},
        {"ice_servers": (IceServer(["http://example.org"]),)},
        {"ice_servers": (IceServer(["stun:example.org:port"]),)},
        {"ice_servers": (IceServer(["turn:example.org"]),)},
        {"metrics": "9464"},
        {"metrics": ":9464"},
        {"metrics": "127.0.0.1:port"},
        {"metrics": "127.0.0.1:70000"},
        {"drain_time": -1.0},
        {"log_format": "xml"},
        {"public_url": "call.example.org"},
        {"public_url": "https://example.org/below/?q"},
    ],
)
def test_settings_that_cannot_work_are_one_sentence(settings: dict) -> None:
    with pytest.raises(VisavisError) as error:
        ServerConfig(**settings)
    assert "\n" not in str(error.value)


def test_options_go_before_the_environment_and_that_before_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "call.toml"
    file.write_text('host = "10.0.0.1"\nport = 1\nmax_viewers = 3\nice_ports = [5000, 5001]\nice_servers = ["stun:a:1"]\n')
    monkeypatch.setenv("VISAVIS_PORT", "2")
    monkeypatch.setenv("VISAVIS_HOST", "10.0.0.2")
    monkeypatch.setenv("VISAVIS_ICE_ADDRESSES", "127.0.0.1,::1")
    monkeypatch.setenv("VISAVIS_AVATARS", "ada.avatar,bob.avatar")
    config = load({"host": "10.0.0.3"}, file)
    assert (config.host, config.port, config.max_viewers) == ("10.0.0.3", 2, 3)
    assert config.ice_ports == (5000, 5001) and config.ice_servers == (IceServer(["stun:a:1"]),)
    assert config.ice_addresses == ("127.0.0.1", "::1") and config.with_values(port=7).port == 7
    assert config.avatars == (Path("ada.avatar"), Path("bob.avatar")) and load({}).max_viewers == 8


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('hots = "x"', "'hots' is no setting; perhaps host was meant"),
        ("port = 99999", "port: "),
        ("port = [", "no TOML file"),
        ('ice_servers = [{ url = "stun:a" }]', "JSON list"),
        ("heartbeat = 9.0", "dead_after must be longer"),
    ],
)
def test_a_file_with_a_mistake_stops_the_start_with_a_sentence(tmp_path: Path, content: str, says: str) -> None:
    file = tmp_path / "call.toml"
    file.write_text(content)
    with pytest.raises(VisavisError) as error:
        load({}, file)
    assert says in str(error.value) and "\n" not in str(error.value)
    with pytest.raises(VisavisError, match="there is none"):
        load({}, tmp_path / "nothing.toml")


@pytest.mark.parametrize(
    "values",
    [
        {"ice_servers": "turn:alice:271828182845904523@host:3478"},
        {"public_url": "https://alice:271828182845904523@host"},
        {"factory_options": '{"token": 271828182845904523'},
        {"factory_options": 271828182845904523},
    ],
)
def test_a_secret_of_the_wrong_form_is_not_repeated(values: dict) -> None:
    with pytest.raises(VisavisError) as error:
        load(values)
    assert "271828182845904523" not in str(error.value)


def test_lists_and_tables_may_be_json_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISAVIS_ICE_SERVERS", '[{"urls": "stun:a:1"}, "stun:b"]')
    config = load({"factory_options": '{"a": 1}'})
    assert config.ice_servers == (IceServer(["stun:a:1"]), IceServer(["stun:b"])) and config.factory_options == {"a": 1}


def test_variables_of_the_other_commands_do_not_stop_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISAVIS_SERVER", "http://127.0.0.1:8080")  # of `npm run dev`
    monkeypatch.setenv("VISAVIS_INSTALL_BROWSER", "no")  # of `make test`
    assert load({}).port == 8080


def test_a_variable_that_is_no_setting_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISAVIS_PROT", "1")
    with pytest.raises(VisavisError, match="VISAVIS_PROT is no setting; perhaps VISAVIS_PORT was meant"):
        load({})


def test_the_documentation_has_every_setting() -> None:
    text = (Path(__file__).parents[3] / "docs" / "configuration.md").read_text()
    for name, field in ServerConfig.model_fields.items():
        assert f"| `{name}` | `--{name.replace('_', '-')}"[:-1] in text and f"`VISAVIS_{name.upper()}`" in text
        assert f"{field.description} |" in text


@pytest.fixture
def aioice_as_it_was():
    yield
    ice.install()


@pytest.mark.usefixtures("aioice_as_it_was")
def test_a_machine_without_a_network_offers_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ice, "_all_addresses", lambda *_: [])
    ice.install()
    assert aioice.ice.get_host_addresses(True, True) == ["127.0.0.1"]


@pytest.mark.usefixtures("aioice_as_it_was")
async def test_media_ports_come_from_the_configured_range() -> None:
    ice.install(("127.0.0.1",), (47_100, 47_103))
    connections = [aioice.Connection(ice_controlling=True) for _ in range(3)]
    for connection in connections:
        await connection.gather_candidates()
    used = {c.port for connection in connections for c in connection.local_candidates}
    assert len(used) == 3 and used <= set(range(47_100, 47_104))
    extra = [aioice.Connection(ice_controlling=True) for _ in range(2)]
    for connection in extra:
        await connection.gather_candidates()
    assert sum(len(connection.local_candidates) for connection in extra) == 1
    await asyncio.gather(*(connection.close() for connection in connections + extra))
