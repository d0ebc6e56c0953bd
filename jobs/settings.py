"""What an installation is told: the environment over `discmill.toml` over defaults. Nothing else reads either."""

import hashlib
import os
import socket
import tomllib
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

from platformdirs import user_data_path
from pydantic import BaseModel, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from jobs.errors import Faults
from jobs.masking import mask
from jobs.webhooks import prefix_fault

#: Bytes a Unix socket's path may have, with room for the NUL (unix(7)).
_SOCKET_PATH = 100
RECORDER_NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$"


def _machine_id() -> str:
    """Name this machine: what systemd minted (machine-id(5)), hashed as that page asks, else the host name."""
    try:
        text = Path("/etc/machine-id").read_text(encoding="ascii").strip()
    except OSError:
        text = ""
    return hashlib.sha256(f"discmill {text or socket.gethostname()}".encode()).hexdigest()[:32]


class RecorderSetting(BaseModel):
    """One recorder of the rig, a `[[recorder]]` of `discmill.toml`."""

    name: str = Field(pattern=RECORDER_NAME)
    uri: str


class Settings(BaseSettings):
    """All settings, as `DISCMILL_<NAME>` or as a key of `discmill.toml`."""

    model_config = SettingsConfigDict(
        env_prefix="DISCMILL_", extra="forbid", env_ignore_empty=True, allow_inf_nan=False
    )

    home: Path = Field(default_factory=lambda: user_data_path("discmill"), description="database, store, evidence")
    database_url: str = Field(default="", description="default: SQLite in the home")
    broker_url: str = Field(default="", description="default: the embedded Redis of the home")
    content_roots: Annotated[list[Path], NoDecode] = Field(
        default_factory=lambda: [Path.home(), Path.cwd()],
        description=f"folders that content may be read from, separated by '{os.pathsep}'",
    )
    client: str = Field(default="local", description="who submits, where --client does not say")
    machine_id: str = Field(default_factory=_machine_id, description="tells hosts apart")
    host: str = Field(default_factory=socket.gethostname, description="how this host is shown")
    redis_server: Path | None = Field(default=None, description="the embedded Redis server's program")

    lease: float = Field(default=30, gt=0, description="seconds without a heartbeat until a worker counts as gone")
    heartbeat: float = Field(default=5, gt=0, description="seconds between heartbeats")
    tick: float = Field(default=1, gt=0, description="seconds between the dispatcher's rounds")
    watch: float = Field(default=0.5, gt=0, description="seconds between looks at an idle drive's medium")
    stall_after: float = Field(default=120, gt=0, description="seconds without progress until a burn counts as stalled")
    replace_after: float | None = Field(
        default=None, gt=0, description="seconds until the disc of a host that is gone is ordered anew; default: never"
    )
    quarantine_after: int = Field(default=3, ge=1, description="spoiled discs in a row until a recorder is set aside")
    back_off: float = Field(default=1, ge=0, description="seconds before a failed copy is tried again, doubling")

    flower_port: int = Field(default=0, ge=0, le=65535, description="0: any free port")
    flower_address: str = Field(default="127.0.0.1", description="where Flower listens")
    flower_user: str = "discmill"
    flower_password: SecretStr | None = Field(default=None, description="needed where Flower is not on loopback")
    metrics_port: int = Field(default=9464, ge=0, le=65535, description="where `discmill metrics` listens")
    metrics_address: str = Field(default="127.0.0.1", description="the address it listens on")
    webhooks: Annotated[list[str], NoDecode] = Field(
        default_factory=list, description="beginnings of the URLs that orders may name, separated by ','; default: none"
    )
    webhook_secret: SecretStr | None = Field(default=None, description="what webhooks are signed with")
    webhook_timeout: float = Field(default=10, gt=0, description="seconds a webhook's receiver may take")
    recorder: list[RecorderSetting] = Field(default_factory=list, description="the rig's recorders")

    @field_validator("*", mode="before")
    @classmethod
    def _is_no_switch(cls, value: object) -> object:
        """Refuse `true` and `false`, which would count as 1 and 0: nothing here is a switch."""
        if isinstance(value, bool):
            raise ValueError(f"{str(value).lower()} says nothing here")  # noqa: TRY004  (pydantic takes this one)
        return value

    @field_validator("content_roots", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return value.split(os.pathsep) if isinstance(value, str) else value

    @field_validator("webhooks", mode="before")
    @classmethod
    def _split_urls(cls, value: object) -> object:
        return [each.strip() for each in value.split(",")] if isinstance(value, str) else value

    @field_validator("webhooks", mode="after")
    @classmethod
    def _check_urls(cls, value: list[str]) -> list[str]:
        faults = [fault for prefix in value if (fault := prefix_fault(prefix))]
        if faults:
            raise ValueError("; ".join(faults))
        return value

    @field_validator("home", mode="after")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("content_roots", mode="after")
    @classmethod
    def _real(cls, value: list[Path]) -> list[Path]:
        return [root.expanduser().resolve() for root in value]

    @model_validator(mode="after")
    def _defaults_of_the_home(self) -> "Settings":
        embedded = f"sqlite:///{self.home / 'discmill.db'}"
        self.database_url = self.database_url or embedded
        if self.database_url != embedded:
            _check_url(self.database_url)
        self.broker_url = self.broker_url or f"redis+socket://{quote(str(self.redis_socket))}?virtual_host=0"
        if self.lease < 2 * self.heartbeat:
            raise ValueError("lease must be at least two heartbeats")
        if self.webhooks and not (self.webhook_secret and self.webhook_secret.get_secret_value()):
            raise ValueError("webhooks are signed: set webhook_secret, which their receivers know as well")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  (the signature is pydantic's)
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let arguments rule over the environment, and that over the file."""
        given = init_settings()  # an argument that names the home decides which file is read, too
        return (init_settings, env_settings, TomlConfigSettingsSource(settings_cls, _toml_file(given.get("home"))))

    @property
    def store(self) -> Path:
        """Staged content and masters; the same path on every host."""
        return self.home / "store"

    @property
    def evidence(self) -> Path:
        """Plan, progress and evidence of each burn; this host's own."""
        return self.home / "evidence"

    @property
    def redis_socket(self) -> Path:
        """The embedded Redis server's socket; elsewhere when the home's path is too long for one."""
        inside = self.home / "run" / "redis.sock"
        if len(os.fsencode(inside)) < _SOCKET_PATH:
            return inside
        digest = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:12]
        return Path("/tmp") / f"discmill-{os.getuid()}-{digest}" / "redis.sock"  # noqa: S108  (made private: embedded)

    @property
    def is_embedded(self) -> bool:
        """True if this is one box with everything in the home."""
        return self.database_url == f"sqlite:///{self.home / 'discmill.db'}"


def _toml_file(home: Path | str | None) -> Path | None:
    """Find the file: the one named, the one here, or the one in the home.

    Raises:
        Faults: the one named is not there, or it is not TOML.
    """
    named = os.environ.get("DISCMILL_CONFIG")
    in_home = Path(home or os.environ.get("DISCMILL_HOME") or user_data_path("discmill")) / "discmill.toml"
    places = [Path(named)] if named else [Path("discmill.toml"), in_home]
    file = next((place for place in places if place.is_file()), None)
    faults = [f"DISCMILL_CONFIG names {named}, which is not a file"] if named and file is None else []
    try:
        tomllib.loads(file.read_text(encoding="utf-8") if file else "")
    except (OSError, ValueError) as error:
        faults.append(f"{file}: {error}")
    if faults:
        subject = "the configuration has faults"
        raise Faults(subject, faults)
    return file


def load_settings(**given: object) -> Settings:
    """Read the settings; `given` rules over environment and file, None values are left out.

    Raises:
        Faults: every fault of the configuration.
    """
    try:
        return Settings.model_validate({key: value for key, value in given.items() if value is not None})
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc'])) or 'settings'}: {fault['msg']}" for fault in error.errors()]
        # Not chained: pydantic's own words repeat what was given, secrets included.
        raise Faults("the configuration has faults", list(map(mask, faults))) from None


def subprocess_environment(settings: Settings) -> dict[str, str]:
    """Return the environment for this project's own programs: what was inherited, with these settings made explicit."""
    named = {name: _as_text(getattr(settings, name)) for name in Settings.model_fields if name != "recorder"}
    named["webhooks"] = ",".join(settings.webhooks)
    return {**os.environ, **{f"DISCMILL_{name.upper()}": text for name, text in named.items()}}


def program_environment() -> dict[str, str]:
    """Return what programs that are not ours start with: no settings and no secrets, only what the loader is told."""
    told = {name: text for name, text in os.environ.items() if name.startswith("LD_") or name == "DISCMILL_MMC"}
    return {**told, "PATH": os.defpath, "LC_ALL": "C"}


def _check_url(url: str) -> None:
    from sqlalchemy import make_url  # noqa: PLC0415  (slow to import, and few rigs name a database)
    from sqlalchemy.exc import ArgumentError  # noqa: PLC0415

    try:
        make_url(url)
    except ArgumentError as error:
        raise ValueError(f"database_url: {error}") from error


def _as_text(value: object) -> str:
    """Write a value as the environment holds it; empty stands for "not set"."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, list):
        return os.pathsep.join(map(str, value))
    return "" if value is None else str(value)
