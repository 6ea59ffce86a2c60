"""How a server is set up: by option, by environment variable, by file, or as it is.

Each field is the option `--field-name`, the variable `VISAVIS_FIELD_NAME` and the key `field_name` of the TOML file, in this
order of precedence. docs/configuration.md has the table.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import platformdirs
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)
from pydantic_settings.exceptions import SettingsError

from models.errors import VisavisError
from realtime.encoder import DEFAULT_BITRATE
from server.call.embedding import check_origins
from server.call.ice_settings import ICE_CREDENTIAL, ICE_USERNAME, PREFIX, check_turn_urls, json_text, read_ice_servers
from server.call.page_folder import page_folder
from server.call.protocol import CONNECT_LIMIT, IceServer
from server.call.turn import LIFETIME, Turn

SECRETS_FOLDER = f"{PREFIX}SECRETS"
"""Names a folder with a file for each setting that should stand in no command line and no environment."""
OTHER_VARIABLES = frozenset(
    {
        ICE_USERNAME,
        ICE_CREDENTIAL,
        SECRETS_FOLDER,
        "VISAVIS_C2PA_CERTIFICATE",
        "VISAVIS_C2PA_KEY",
        "VISAVIS_FLAME",
        "VISAVIS_SERVER",
        "VISAVIS_INSTALL_BROWSER",
    }
)
"""Variables with our prefix that are no settings of the server; `npm run dev` and `make test` read the last two."""
SECRETS = frozenset(
    {
        "ice_servers", "turn_secret", "factory_options", "database", "storage", "storage_key", "oidc_client_secret", "oidc_admin",
    }
)  # fmt: skip
"""Settings whose values no message repeats."""
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


def _listener(value: str) -> str:
    if value:
        host, _, port = value.rpartition(":")
        if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
            raise ValueError(f"an address and a port such as 127.0.0.1:9464 were expected, {value!r} came")
    return value


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
    media_timeout: float = Field(
        CONNECT_LIMIT, gt=0, allow_inf_nan=False, description="Seconds from joining to the first sign of life."
    )
    ice_servers: Annotated[tuple[IceServer, ...], NoDecode, BeforeValidator(read_ice_servers)] = Field(
        (), repr=False, description="STUN and TURN servers: URLs, or @FILE with a JSON list of RTCIceServer objects. User and "
        f"credential of a turn: URL come from {ICE_USERNAME} and {ICE_CREDENTIAL}.",
    )  # fmt: skip
    ice_addresses: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split), AfterValidator(_addresses)] = Field(
        (), description="Offer only these addresses of the machine for media; all but loopback when left out."
    )
    ice_ports: Annotated[tuple[int, int] | None, NoDecode, BeforeValidator(_ports), AfterValidator(_check_ports)] = Field(
        None, description="UDP ports for media, such as 50000-50100; any when left out."
    )
    turn_urls: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split), AfterValidator(check_turn_urls)] = Field(
        (), description="URLs of a TURN server with which this one shares `turn_secret`; each page gets credentials that run out."
    )
    turn_secret: str = Field(
        "", repr=False, description="The secret shared with it (coturn's static-auth-secret); better in a file."
    )
    turn_lifetime: float = Field(
        LIFETIME, ge=60, le=86_400, description="Seconds that such credentials can be used; a call that stands goes on."
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
    embed_from: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split), AfterValidator(check_origins)] = Field(
        (),
        description="Origins whose pages may show a viewers' page in a frame and draw avatars, such as https://www.example.org.",
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split), AfterValidator(_networks)] = Field(
        (), description="Addresses or networks of proxies whose X-Forwarded-For tells where a request comes from."
    )
    enrollments: int = Field(
        1, ge=0, le=16, description="Processes that make instant avatars in the background; 0 for none on this machine."
    )
    better_enrollments: int = Field(
        1,
        ge=0,
        le=16,
        description="Processes that make better avatars, from a clip or in minutes, when nobody needs the machine.",
    )
    better_avatars: Literal["offer", "always", "never"] = Field(
        "offer", description="Whether an instant avatar is made better: when its owner asks for it, always, or never."
    )
    better_steps: int = Field(
        0,
        ge=0,
        le=1_000_000,
        description="Steps of the optimisation of a better avatar; what suits the photos or the clip when 0.",
    )
    new_links: bool = Field(False, description="Make new links; those that were given away no longer work.")
    drain_time: float = Field(
        0.0, ge=0, le=86_400, description="Seconds that calls may go on after SIGTERM, while nobody new is let in; less when all "
        "have left before. A second SIGTERM ends them at once.",
    )  # fmt: skip
    metrics: Annotated[str, AfterValidator(_listener)] = Field(
        "", description="Address and port where Prometheus finds the metrics, such as 127.0.0.1:9464; never the public port, so "
        "nowhere when left out.",
    )  # fmt: skip
    least_disk: float = Field(
        0.5,
        ge=0,
        allow_inf_nan=False,
        description="Gigabytes that have to be free in the state folder for `/readyz` to say ready.",
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="text, or json: one JSON object a line. Neither has faces, names, keys or rooms in it."
    )
    web_dir: Path = Field(WEB_DIR, description="Folder of the built pages.")
    factory: str = Field(
        "realtime.room.pipeline:LiveRoomPipeline", description="What makes the pictures: 'module:callable' of a RoomPipeline."
    )
    factory_options: Annotated[dict[str, Any], NoDecode, BeforeValidator(json_text)] = Field(
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
        if bool(self.turn_urls) != bool(self.turn_secret):
            raise ValueError("turn_urls and turn_secret were expected together, one of them came alone")
        if bool(self.oidc_issuer) != bool(self.oidc_client_id):
            raise ValueError("oidc_issuer and oidc_client_id were expected together, one of them came alone")
        if self.no_passwords and not self.oidc_issuer:
            raise ValueError("no_passwords was expected with oidc_issuer, else nobody could sign in")
        return self

    @property
    def turn(self) -> Turn | None:
        """What makes TURN credentials, where there is a TURN server that takes them."""
        return Turn(self.turn_urls, self.turn_secret, self.turn_lifetime) if self.turn_urls else None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Options, then the environment, then the secrets, then the file."""
        assert isinstance(env_settings, EnvSettingsSource)
        file, folder = settings_cls.model_config.get("toml_file"), settings_cls.model_config.get("secrets_dir")
        secret = [SecretsSettingsSource(settings_cls, str(folder))] if folder else []
        return (init_settings, env_settings, *secret, *([TomlConfigSettingsSource(settings_cls)] if file else []))

    def with_values(self, **values: Any) -> ServerConfig:
        """The same with other values, checked as at first."""
        return ServerConfig(**{name: getattr(self, name) for name in ServerConfig.model_fields} | values)


def state_folder() -> Path:
    """Where a user's programs keep what must outlive them (XDG's state home on Linux); not absolute for one without a home."""
    return Path(platformdirs.user_state_dir("visavis", appauthor=False))


def load(options: dict[str, Any], file: Path | None = None) -> ServerConfig:
    """The settings of options, environment, the folder of secrets that it names, and a TOML file. Raises `VisavisError`, also for
    keys that are no settings."""
    _check_environment()
    if file is not None and not file.is_file():
        raise VisavisError(f"a TOML file of settings was expected at {file}, there is none; change --config")
    secrets = _secrets_folder()

    class _Loaded(ServerConfig):
        model_config = SettingsConfigDict(toml_file=file, secrets_dir=secrets)

    try:
        return _Loaded(**options)
    except (OSError, UnicodeDecodeError) as error:
        raise VisavisError(f"a file of settings cannot be read ({error}); change --config or {SECRETS_FOLDER}") from None
    except ValueError as error:  # tomllib.TOMLDecodeError
        raise VisavisError(f"{file} is no TOML file ({error}); mend it") from None


def _secrets_folder() -> Path | None:
    """Its files are named as environment variables are, in any case, such as `visavis_turn_secret`; others in it are not ours."""
    folder = os.environ.get(SECRETS_FOLDER)
    if not folder:
        return None
    names = {f"{PREFIX}{name}".lower() for name in ServerConfig.model_fields}
    try:
        found = sorted(path.name for path in Path(folder).iterdir())
    except OSError as error:
        raise VisavisError(f"a folder of secrets was expected at {folder} ({error.strerror}); change {SECRETS_FOLDER}") from None
    for name in found:
        if name.lower().startswith(PREFIX.lower()) and name.lower() not in names:
            raise VisavisError(f"the secret {name} is no setting{_meant(name.lower(), names)}; rename or remove it")
    return Path(folder)


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
