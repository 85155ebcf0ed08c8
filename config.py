"""The settings: read once from the environment and `.env`, validated, with defaults. `.env.example` explains each."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from click import ClickException
from dotenv import dotenv_values
from pydantic import AfterValidator, BaseModel, Field, ValidationError, field_validator, model_validator

from language import clause_of, join, of_terminal, say, translate, whole
from pool import LOST

ROOT = Path(__file__).resolve().parent
VERSION = "0.1.0"  # of Rawreel; the newest heading of CHANGELOG.md has it too: see CONTRIBUTING.md, "A release"

SAVE_AS_UTF8 = say(
    "Save it in UTF-8 (Notepad: Save as, Encoding). `>` in PowerShell writes UTF-16; `Set-Content -Encoding utf8` does not."
)


def sources(root: Path = ROOT) -> list[Path]:
    """List the Python files of the project: those at the top, and those in every folder that is a package."""
    packages = [path.parent for path in root.glob("*/__init__.py")]
    return sorted([*root.glob("*.py"), *(path for package in packages for path in package.rglob("*.py"))])


class TerminalError(ClickException):
    """An error for the person at the terminal. `flask` prints it in their language, and ends with exit code 1."""

    def format_message(self) -> str:
        return translate(self.message, of_terminal())


class ConfigError(TerminalError):
    """A setting is missing or wrong. The message is one sentence for the person who starts the server."""


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _check_root(url: str) -> str:
    """Refuse a path: stream_url, thumbnail_url, /watch and the files of pages are addresses that begin at the root."""
    if urlsplit(url).path.strip("/"):
        raise ValueError("Rawreel needs a host of its own, so this has no path: https://video.example.org")
    return url.rstrip("/")


def _strip_slash(url: str) -> str:
    return url.rstrip("/")


def _check_networks(text: str) -> str:
    for word in text.split():
        ipaddress.ip_network(word)
    return text


def _check_absolute(text: str) -> str:
    if text and not Path(text).is_absolute():
        raise ValueError("it begins at the root: nothing else tells from where a media server starts")
    return text


Address = Annotated[str, Field(pattern=r"^(https?://[^\s?#]+)?$"), AfterValidator(_strip_slash)]
Limit = Annotated[str, Field(pattern=r"^[1-9]\d{0,6}/[1-9]\d{0,6}/[1-9]\d{0,6}$")]
Rate = Annotated[str, Field(pattern=r"^[1-9]\d{0,6}/[1-9]\d{0,6}$")]
Identifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9_$-]{1,64}$")]


class Settings(BaseModel, frozen=True, extra="ignore"):
    """All settings, by their names in the environment. An empty value counts as not set."""

    DB_HOST: str | None = None
    DB_PORT: int = Field(3306, ge=1, le=65535)
    DB_SOCKET: str | None = None
    DB_USER: str = "root"
    DB_PASSWORD: str = Field("", repr=False)
    DB_NAME: Identifier = "rawreel"
    DB_POOL_SIZE: int = Field(16, ge=1, le=1000)
    DB_POOL_WAIT: float = Field(5.0, gt=0, le=60)
    DB_READ_TIMEOUT: float = Field(10.0, ge=3, le=3600)
    SLOW_QUERY_MS: float = Field(200.0, ge=0)
    SECRET_KEY: str = Field("", repr=False)
    HOST: str = "127.0.0.1"
    PORT: int = Field(5000, ge=1, le=65535)
    DEBUG: bool = False
    TUTORIAL: bool = False
    LOG_FORMAT: Literal["text", "json"] = "text"
    TRUSTED_PROXIES: int = Field(0, ge=0, le=10)
    PUBLIC_URL: Annotated[str, Field(pattern=r"^(https?://[^\s?#]+)?$"), AfterValidator(_check_root)] = ""
    LINK_URL: str = Field("", pattern=r"^(https?://[^\s?]+)?$")
    SITE_NAME: str = Field("Rawreel", pattern=r"^\S[^\x00-\x1f\x7f]{0,59}$")
    SEARCH_ENGINES: bool = True
    EMBED_SITES: str = Field("", pattern=r"^(\*|(https?://(\*\.)?[A-Za-z0-9.-]+(:[0-9]+)?( +|$))*)$")
    CORS_ORIGINS: Annotated[str, Field(pattern=r"^(https?://[A-Za-z0-9.:-]+( +|$))*$")] = ""
    REGISTRATION: Literal["open", "approval", "closed"] = "open"
    RATE_LIMITS: bool = True
    LIMIT_LOGIN: Limit = "30/300/900"
    LIMIT_REGISTER: Limit = "10/200/3600"
    LIMIT_FORGOT: Limit = "3/60/3600"
    LIMIT_RESET: Limit = "10/60/3600"
    LIMIT_VERIFY: Limit = "10/200/3600"
    LIMIT_REPORTS: Limit = "50/1000/86400"
    LIMIT_WRITES: Rate = "600/60"
    LIMIT_MAILS: Rate = "10/3600"
    MAIL_HOST: str | None = None
    MAIL_PORT: int = Field(587, ge=1, le=65535)
    MAIL_TLS: Literal["starttls", "tls", "none"] = "starttls"
    MAIL_USERNAME: str = ""
    MAIL_PASSWORD: str = Field("", repr=False)
    MAIL_FROM: str = ""
    MEDIA_DIR: str = ""
    QUOTA_BYTES: int = Field(10 * 1024**3, ge=0, lt=2**63)
    QUOTA_VIDEOS: int = Field(5000, ge=0, le=10**9)
    HLS_URL: Annotated[str, Field(pattern=r"^(https?://[^\s?#]+|/[^\s?#]*)$"), AfterValidator(_strip_slash)] = "/hls"
    LIVE_PUSH_URL: Annotated[str, Field(pattern=r"^[a-z]+://[^\s?#]+$"), AfterValidator(_strip_slash)] = (
        "rtmp://127.0.0.1/live"
    )
    LIVE_HOOK_SECRET: str = Field("", pattern=r"^([A-Za-z0-9._~-]{16,})?$", repr=False)
    LIVE_HOOK_ADDRESSES: Annotated[str, AfterValidator(_check_networks)] = "127.0.0.0/8 ::1"
    LIVE_PORT: int = Field(5001, ge=1, le=65535)
    LIVE_NGINX_CONTROL: Address = ""
    LIVE_SRS_API: Address = ""
    LIVE_MEDIAMTX_API: Address = ""
    LIVE_RECORDINGS: Annotated[str, AfterValidator(_check_absolute)] = ""
    LIVE_CHAT_DELAY: int = Field(6, ge=0, le=60)
    X_ACCEL: Annotated[str, Field(pattern=r"^(/[A-Za-z0-9_-]+)*$")] = ""
    METRICS_TOKEN: str = Field("", pattern=r"^([!-~]{16,})?$", repr=False)
    WEB_CONCURRENCY: int = Field(2, ge=1, le=256)
    THREADS: int = Field(16, ge=1, le=256)

    @property
    def is_private(self) -> bool:
        """Return whether no database server is set, so that `python app.py` runs a private one."""
        return not (self.DB_HOST or self.DB_SOCKET)

    @property
    def media_dir(self) -> Path:
        """Return the folder for the files of videos."""
        return Path(self.MEDIA_DIR or ROOT / "instance" / "media")

    def database(self) -> dict[str, Any]:
        """Return the arguments of Database() that say where the server is."""
        where = {"unix_socket": self.DB_SOCKET} if self.DB_SOCKET else {"host": self.DB_HOST, "port": self.DB_PORT}
        return {**where, "user": self.DB_USER, "password": self.DB_PASSWORD, "database": self.DB_NAME}

    def explain(self, error: Exception) -> str:
        """Say in one sentence why the database cannot be used. `error` comes from PyMySQL."""
        where = self.DB_SOCKET or f"{self.DB_HOST}:{self.DB_PORT}"
        number = error.args[0] if error.args else None
        if number in (1045, 1698):  # 1698: MariaDB on a unix socket
            sentence = "The database at {where} refuses user {user} with this password: see DB_USER and DB_PASSWORD."
            return say(sentence, where=where, user=self.DB_USER)
        if number == 1049:
            sentence = "There is no database {name} at {where}: `flask db migrate` creates it, with its tables."
            return say(sentence, name=self.DB_NAME, where=where)
        if number == 1044:
            sentence = "There is no database {name} at {where} that {user} may use, and none may be created."
            return say(sentence, name=self.DB_NAME, where=where, user=self.DB_USER)
        if number == 1146:
            return say(
                "The schema of {name} at {where} is not there: run `flask db migrate`.", name=self.DB_NAME, where=where
            )
        if number in (2002, 2003, *LOST):
            sentence = "No database answers at {where}: start it, or correct DB_HOST, DB_PORT or DB_SOCKET."
            return say(sentence, where=where)
        return say("The database at {where} cannot be used: {reason}.", where=where, reason=error.args[-1])

    @field_validator("DB_HOST")
    @classmethod
    def _refuse_port_in_host(cls, host: str | None) -> str | None:
        if host and host.count(":") == 1:  # an IPv6 address has more
            raise ValueError("write the port as DB_PORT")
        return host

    @model_validator(mode="after")
    def _check_mail_addresses(self) -> Settings:
        if self.MAIL_HOST and not (self.MAIL_FROM and (self.PUBLIC_URL or self.LINK_URL)):
            raise ValueError("MAIL_HOST needs MAIL_FROM, and PUBLIC_URL or LINK_URL for the links in the mails")
        return self

    @model_validator(mode="after")
    def _refuse_public_debug(self) -> Settings:
        if self.DEBUG and not is_loopback(self.HOST):
            sentence = "DEBUG=1 is for this machine alone: set DEBUG=0, or HOST to 127.0.0.1 and not {host}"
            raise ValueError(say(sentence, host=self.HOST))
        return self


Mode = Literal["server", "development", "command"]


def load(mode: Mode = "server", environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings. The environment wins over `.env`. Raises ConfigError.

    A `server` (gunicorn, waitress) needs a database and a SECRET_KEY, and refuses DEBUG. In `development`, which is
    `python app.py`, DEBUG and TUTORIAL are on by default. A `command` (`flask ...`) is like development if no database
    is set; else it needs less than a server.
    """
    if environment is None:
        environment = {**_dotenv(), **{name: value for name, value in os.environ.items() if value}}
    values: dict[str, Any] = {name: value for name, value in environment.items() if value}
    if mode == "development" or (mode == "command" and not values.keys() & {"DB_HOST", "DB_SOCKET"}):
        values = {"DEBUG": "1", "TUTORIAL": "1", **values}
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        value = first["input"] if name and Settings.model_fields[name].repr else "..."  # no secret is shown
        sentence = "{name}={value}: {clause}." if name else "{clause}."
        raise ConfigError(say(sentence, name=name, value=value, clause=whole(clause_of(first)))) from None
    if mode == "server":
        if settings.is_private:
            raise ConfigError(
                "No database: set DB_HOST or DB_SOCKET (only `python app.py` keeps a database of its own)."
            )
        if len(settings.SECRET_KEY) < 16:
            raise ConfigError(
                "No SECRET_KEY: set it to 16 or more random characters; `openssl rand -hex 32` makes some."
            )
        if settings.DEBUG:
            raise ConfigError("DEBUG=1 is for `python app.py`: leave it out here.")
    return settings


def _dotenv() -> dict[str, str]:
    """Read `.env` beside this file. (A Windows editor may have put a byte order mark in front.)"""
    file = ROOT / ".env"
    try:
        if file.exists() and b"\0" in file.read_bytes():
            raise ConfigError(join([say("{file} is in UTF-16.", file=file), SAVE_AS_UTF8]))
        return {name: value for name, value in dotenv_values(file, encoding="utf-8-sig").items() if value}
    except UnicodeDecodeError as error:
        line = 1 + error.object.count(b"\n", 0, error.start)
        raise ConfigError(
            join([say("{file}, line {line}: this is not UTF-8.", file=file, line=line), SAVE_AS_UTF8])
        ) from None
