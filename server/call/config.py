"""How a server is set up: by option, by environment variable, by file, or as it is.

Each field is the option `--field-name`, the variable `VISAVIS_FIELD_NAME` and the key `field_name` of the TOML file, in this
order of precedence. docs/configuration.md has the table.
"""

from __future__ import annotations

import difflib
import ipaddress
import json
import os
import re
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import platformdirs
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)
from pydantic_settings.exceptions import SettingsError

from models.errors import VisavisError
from realtime.encoder import DEFAULT_BITRATE
from server.call.page_folder import page_folder
from server.call.protocol import IceServer

PREFIX = "VISAVIS_"
ICE_USERNAME, ICE_CREDENTIAL = f"{PREFIX}ICE_USERNAME", f"{PREFIX}ICE_CREDENTIAL"
OTHER_VARIABLES = frozenset(
    {
        ICE_USERNAME,
        ICE_CREDENTIAL,
        "VISAVIS_C2PA_CERTIFICATE",
        "VISAVIS_C2PA_KEY",
        "VISAVIS_FLAME",
        "VISAVIS_SERVER",
        "VISAVIS_INSTALL_BROWSER",
    }
)
"""Variables with our prefix that are no settings of the server; `npm run dev` and `make test` read the last two."""
SECRETS = frozenset({"ice_servers", "factory_options", "database", "storage", "storage_key", "oidc_client_secret", "oidc_admin"})
"""Settings whose values no message repeats."""
ICE_URL = re.compile(r"stuns?:[^?:/@\[\s]+(:\d{1,5})?|turns?:[^?:/@\[\s]+(:\d{1,5})?(\?transport=(udp|tcp))?")
"""RFC 7064, 3.1 and RFC 7065, 3.1."""
MAX_ICE_FILE = 64 * 1024
WEB_DIR = page_folder()


def _split(value: Any) -> Any:
    """'a,b' -> ('a', 'b')."""
    return tuple(part for part in value.split(",") if part) if isinstance(value, str) else value


def _ports(value: Any) -> Any:
    """'50000-50100' -> (50000, 50100)."""
    if not isinstance(value, str):
        return value
    if not value:
        return None
    match = re.fullmatch(r"(\d{1,5})-(\d{1,5})", value, re.ASCII)
    if match is None:
        raise ValueError(f"a port range such as 50000-50100 was expected, {value!r} came")
    return int(match[1]), int(match[2])


def _check_ports(value: tuple[int, int] | None) -> tuple[int, int] | None:
    if value is not None and not 0 < value[0] <= value[1] <= 65535:
        raise ValueError(f"a port range such as 50000-50100 was expected, {value[0]}-{value[1]} came")
    return value


def _even(value: int) -> int:
    if value % 2:
        raise ValueError(f"an even number of pixels was expected, {value} came")
    return value


def _public_url(value: str) -> str:
    if value:
        parts = urlsplit(value)
        plain = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.path.strip("/") == ""
        if not plain or parts.query or parts.fragment or "@" in parts.netloc:
            came = "one with a user or password" if "@" in value else repr(value)
            raise ValueError(f"a public URL such as https://call.example.org was expected, {came} came")
    return value.rstrip("/")


def _issuer(value: str) -> str:
    from server.accounts.oidc import is_safe_address

    parts = urlsplit(value)
    if value and (not is_safe_address(value) or parts.query or parts.fragment or "@" in parts.netloc):
        raise ValueError("an issuer such as https://login.example.org/realm was expected, something else came")
    return value


def _networks(value: tuple[str, ...]) -> tuple[str, ...]:
    for text in value:
        try:
            ipaddress.ip_network(text)
        except ValueError:
            raise ValueError(f"an IP address or network was expected, {text!r} came") from None
    return value


def _addresses(value: tuple[str, ...]) -> tuple[str, ...]:
    for text in value:
        try:
            ipaddress.ip_address(text)
        except ValueError:
            raise ValueError(f"an IP address was expected, {text!r} came") from None
    return value


def _json(value: Any) -> Any:
    """JSON text -> what it holds; anything else as it is. The text, which may hold secrets, is not repeated."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise ValueError("JSON was expected, something else came") from None


def _ice_servers(value: Any) -> Any:
    """URLs, '@FILE' with a JSON list of RTCIceServer objects, such objects, or `IceServer`s."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        value = _json(value)
    elif isinstance(value, str) and not value.startswith("@"):
        value = [part for part in value.split(",") if part]
    if not isinstance(value, list | tuple):
        value = [value]
    return tuple(server for entry in value for server in _ice_entry(entry))


def _ice_entry(entry: Any) -> list[IceServer]:
    if isinstance(entry, IceServer):
        servers = [entry]
    elif isinstance(entry, str) and entry.startswith("@"):
        servers = [server for found in _ice_file(Path(entry[1:])) for server in _ice_entry(found)]
    elif isinstance(entry, str):
        secret = (os.environ.get(ICE_USERNAME, ""), os.environ.get(ICE_CREDENTIAL, "")) if entry.startswith("turn") else ("", "")
        servers = [IceServer([entry], *secret)]
    else:
        found = entry if isinstance(entry, dict) else {}
        urls, user, secret_ = found.get("urls"), found.get("username", ""), found.get("credential", "")
        urls = [urls] if isinstance(urls, str) else urls
        if not isinstance(urls, list) or not urls or not all(isinstance(text, str) for text in [*urls, user, secret_]):
            raise ValueError("a JSON list of objects with urls, username and credential was expected, something else came")
        servers = [IceServer(urls, user, secret_)]
    for server in servers:
        for url in server.urls:
            if ICE_URL.fullmatch(url) is None:
                came = "one with a user or password" if "@" in url else repr(url)
                raise ValueError(f"ICE URLs such as stun:host:3478 were expected, {came} came")
            if url.startswith("turn") and not (server.username and server.credential):
                raise ValueError(f"a user and a credential were expected for {url}, none came")
    return servers


def _ice_file(path: Path) -> list[Any]:
    try:
        with open(path, "rb") as stream:
            found = json.loads(stream.read(MAX_ICE_FILE))
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError):
        raise ValueError(f"a JSON list of objects with urls, username and credential was expected in {path}") from None
    return found if isinstance(found, list) else [found]


class ServerConfig(BaseSettings):
    """Settings of one server. Raises `VisavisError` for a value that cannot work. `load` also reads a file."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="forbid", frozen=True, hide_input_in_errors=True, arbitrary_types_allowed=True
    )

    avatars: Annotated[tuple[Path, ...], NoDecode, BeforeValidator(_split)] = Field(
        (), description="Avatar files that people can take; the built-in portrait when there are none at all."
    )
    avatar_folder: Path | None = Field(
        None,
        description="Folder of further avatars, looked into while the server runs; the user's own (XDG) when left out.",
    )
    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 to be reached by others.")
    port: int = Field(8080, ge=0, le=65535, description="Port to listen on; 0 for a free one.")
    public_url: Annotated[str, AfterValidator(_public_url)] = Field(
        "", description="How others reach this server, such as https://call.example.org, where that is not host and port."
    )
    tls: bool = Field(False, description="Serve HTTPS with a self-signed certificate, of which browsers warn once.")
    tls_certificate: Path | None = Field(None, description="PEM file of a certificate (with its chain) to serve HTTPS with.")
    tls_key: Path | None = Field(None, description="PEM file of the certificate's key.")
    max_rooms: int = Field(16, ge=1, le=256, description="Rooms at the most; each with people in it has a process of its own.")
    max_people: int = Field(8, ge=1, le=16, description="People with an avatar in a room at the most.")
    max_viewers: int = Field(8, ge=0, le=64, description="People who only watch, in a room at the most.")
    least_rate: float = Field(
        15.0, ge=0, le=30, description="Pictures a second that everybody should still have when one more comes in; 0 lets all in."
    )
    width: Annotated[int, AfterValidator(_even)] = Field(512, ge=64, le=2048, description="Width of the pictures, pixels, even.")
    height: Annotated[int, AfterValidator(_even)] = Field(
        512, ge=64, le=2048, description="Height of the pictures, pixels, even."
    )
    max_bitrate: int = Field(DEFAULT_BITRATE, ge=200_000, description="Bits a second at the most for each page's picture.")
    heartbeat: float = Field(1.0, gt=0, allow_inf_nan=False, description="Seconds between two signs of life of a page.")
    dead_after: float = Field(
        3.0, gt=0, allow_inf_nan=False, description="Seconds without a sign of life after which a page is gone."
    )
    media_timeout: float = Field(15.0, gt=0, allow_inf_nan=False, description="Seconds from joining to the first sign of life.")
    ice_servers: Annotated[tuple[IceServer, ...], NoDecode, BeforeValidator(_ice_servers)] = Field(
        (), repr=False, description="STUN and TURN servers: URLs, or @FILE with a JSON list of RTCIceServer objects. User and "
        f"credential of a turn: URL come from {ICE_USERNAME} and {ICE_CREDENTIAL}.",
    )  # fmt: skip
    ice_addresses: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split), AfterValidator(_addresses)] = Field(
        (), description="Offer only these addresses of the machine for media; all but loopback when left out."
    )
    ice_ports: Annotated[tuple[int, int] | None, NoDecode, BeforeValidator(_ports), AfterValidator(_check_ports)] = Field(
        None, description="UDP ports for media, such as 50000-50100; any when left out."
    )
    state: Path | None = Field(None, description="Folder where the links are kept, so that they outlive a restart.")
    database: str = Field(
        "", repr=False, description="Database URL of SQLAlchemy; an SQLite file in the state folder when left out."
    )
    storage: str = Field(
        "", repr=False, description="Folder or fsspec URL of people's avatars; a folder in the state folder when left out."
    )
    storage_key: str = Field(
        "", repr=False, description="32 bytes in base64: encrypts people's avatars at rest; better in a file."
    )
    oidc_issuer: Annotated[str, AfterValidator(_issuer)] = Field(
        "", description="URL of an OpenID provider where people sign in, such as https://login.example.org/realm."
    )
    oidc_client_id: str = Field("", description="Name of this server at the OpenID provider.")
    oidc_client_secret: str = Field("", repr=False, description="Its secret there; better in a file.")
    oidc_admin: str = Field(
        "", repr=False, description="E-mail address, verified by the OpenID provider, whose first sign-in makes an admin."
    )
    no_passwords: bool = Field(False, description="Nobody signs in with a password, only at the OpenID provider.")
    guest_days: int = Field(
        30, ge=1, le=3650, description="Days without use after which guests and their avatars are erased, and their tokens end."
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split), AfterValidator(_networks)] = Field(
        (), description="Addresses or networks of proxies whose X-Forwarded-For tells where a request comes from."
    )
    enrollments: int = Field(
        1, ge=0, le=16, description="Processes that make avatars in the background; 0 for none on this machine."
    )
    new_links: bool = Field(False, description="Make new links; those that were given away no longer work.")
    web_dir: Path = Field(WEB_DIR, description="Folder of the built pages.")
    factory: str = Field(
        "realtime.room.pipeline:LiveRoomPipeline", description="What makes the pictures: 'module:callable' of a RoomPipeline."
    )
    factory_options: Annotated[dict[str, Any], NoDecode, BeforeValidator(_json)] = Field(
        {}, repr=False, description="Arguments of the factory, as JSON."
    )

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise VisavisError(_sentence(error)) from None
        except SettingsError as error:
            raise VisavisError(f"settings were expected, {str(error)[:120]}; change the setting and start again") from None

    @model_validator(mode="after")
    def _together(self) -> ServerConfig:
        if self.heartbeat >= self.dead_after:
            raise ValueError("dead_after must be longer than heartbeat")
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("a certificate and its key were expected together, one of them came alone")
        if bool(self.oidc_issuer) != bool(self.oidc_client_id):
            raise ValueError("oidc_issuer and oidc_client_id were expected together, one of them came alone")
        if self.no_passwords and not self.oidc_issuer:
            raise ValueError("no_passwords was expected with oidc_issuer, else nobody could sign in")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Options, then the environment, then the file."""
        assert isinstance(env_settings, EnvSettingsSource)
        file = settings_cls.model_config.get("toml_file")
        return (init_settings, env_settings, *([TomlConfigSettingsSource(settings_cls)] if file else []))

    def with_values(self, **values: Any) -> ServerConfig:
        """The same with other values, checked as at first."""
        return ServerConfig(**{name: getattr(self, name) for name in ServerConfig.model_fields} | values)


def state_folder() -> Path:
    """Where a user's programs keep what must outlive them (XDG's state home on Linux); not absolute for one without a home."""
    return Path(platformdirs.user_state_dir("visavis", appauthor=False))


def load(options: dict[str, Any], file: Path | None = None) -> ServerConfig:
    """The settings of options, environment and a TOML file. Raises `VisavisError`, also for keys that are no settings."""
    _check_environment()
    if file is None:
        return ServerConfig(**options)
    if not file.is_file():
        raise VisavisError(f"a TOML file of settings was expected at {file}, there is none; change --config")

    class _WithFile(ServerConfig):
        model_config = SettingsConfigDict(toml_file=file)

    try:
        return _WithFile(**options)
    except (OSError, UnicodeDecodeError) as error:
        raise VisavisError(f"{file} cannot be read ({error}); change --config") from None
    except ValueError as error:  # tomllib.TOMLDecodeError
        raise VisavisError(f"{file} is no TOML file ({error}); mend it") from None


def _check_environment() -> None:
    names = {PREFIX + name.upper() for name in ServerConfig.model_fields} | OTHER_VARIABLES
    for variable in sorted(os.environ):
        if variable.startswith(PREFIX) and variable not in names:
            raise VisavisError(f"the environment variable {variable} is no setting{_meant(variable, names)}; remove it")


def _meant(name: str, names: set[str]) -> str:
    near = difflib.get_close_matches(name, names, 1)
    return f"; perhaps {near[0]} was meant" if near else ""


def _sentence(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=True)[0]
    name = str(first["loc"][0]) if first["loc"] else ""
    if first["type"] == "extra_forbidden":
        return f"{name!r} is no setting{_meant(name, set(ServerConfig.model_fields))}; remove it and start again"
    came = "something else" if name in SECRETS else repr(first["input"])
    text = str(first["ctx"]["error"]) if first["type"] == "value_error" else f"{_lower(first['msg'])}, {came} came"
    return f"{f'{name}: ' if name else ''}{text}; change the setting and start again"


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
