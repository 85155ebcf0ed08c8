"""The settings: their sources, their defaults, and the sentence for each wrong one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import config
from config import ConfigError, Settings, load

SERVER = {"DB_HOST": "db.example", "SECRET_KEY": "sixteen characters"}


@pytest.fixture(autouse=True)
def empty_tables() -> None:
    """Nothing here needs a database."""


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty environment, and no `.env`."""
    monkeypatch.setattr(config, "ROOT", tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name, raising=False)


def refusal(mode: config.Mode, **environment: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(mode, environment)
    return str(caught.value)


def example() -> list[tuple[str, str, str]]:
    """The line before, the name and the value of each setting of .env.example."""
    text = (Path(config.__file__).parent / ".env.example").read_text(encoding="utf-8")
    return re.findall(r"(?m)^(.*)\n# ([A-Z][A-Z0-9_]+)=(.*)$", text)


# Secrets


def test_a_secret_that_is_refused_is_not_shown():
    assert refusal("command", METRICS_TOKEN="too short").startswith("METRICS_TOKEN=...: ")


# .env.example


def test_the_example_names_every_setting_once_and_no_other():
    names = [name for _, name, _ in example()]
    assert sorted(names) == sorted(Settings.model_fields)


def test_the_example_shows_the_real_defaults():
    assert load("command", {"DB_HOST": "x", **{name: value for _, name, value in example() if value}}) == Settings(
        DB_HOST="x"
    )


def test_every_default_that_is_not_empty_is_in_the_example():
    shown = {name for _, name, value in example() if value}
    assert shown == {name for name, field in Settings.model_fields.items() if field.default not in (None, "")}


def test_the_example_gives_each_setting_one_sentence():
    assert [name for above, name, _ in example() if not re.fullmatch(r"# \S.*[^.]\.", above)] == []


def test_the_example_sets_nothing_as_it_stands():
    text = (Path(config.__file__).parent / ".env.example").read_text(encoding="utf-8")
    assert [line for line in text.splitlines() if line and not line.startswith("#")] == []


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("SITE_NAME", "\n"), ("SITE_NAME", " x"), ("SITE_NAME", "x\ny"), ("SITE_NAME", "x" * 61), ("LINK_URL", "app.example.org"),
        ("LINK_URL", "https://app.example.org/?page=account"), ("REGISTRATION", "off"),
    ],
)  # fmt: skip
def test_a_wrong_name_link_or_registration_is_told(name, wrong):
    assert refusal("command", **{name: wrong}).startswith(f"{name}=")


def test_mail_needs_an_address_for_its_links():
    mail = {"MAIL_HOST": "localhost", "MAIL_FROM": "x@example.org"}
    assert "PUBLIC_URL or LINK_URL" in refusal("command", **mail)
    assert load("command", {**mail, "LINK_URL": "https://app.example.org/account"}).MAIL_HOST == "localhost"


# Where they come from


def test_development_has_debug_and_the_tutorial_on_loopback():
    settings = load("development", {})
    assert (settings.DEBUG, settings.TUTORIAL, settings.HOST, settings.PORT) == (True, True, "127.0.0.1", 5000)
    assert settings.is_private


def test_development_may_switch_debug_and_the_tutorial_off():
    settings = load("development", {"DEBUG": "0", "TUTORIAL": "0"})
    assert (settings.DEBUG, settings.TUTORIAL) == (False, False)


def test_a_server_has_neither_debug_nor_the_tutorial():
    settings = load("server", SERVER)
    assert (settings.DEBUG, settings.TUTORIAL, settings.DB_PORT, settings.DB_NAME) == (False, False, 3306, "rawreel")


def test_a_command_without_a_database_is_development():
    assert load("command", {}).DEBUG


def test_a_command_with_a_database_is_no_development_and_needs_no_secret():
    settings = load("command", {"DB_HOST": "db.example"})
    assert (settings.DEBUG, settings.SECRET_KEY) == (False, "")


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / ".env").write_text("PORT=5001\nTHREADS=7\n", encoding="utf-8")
    monkeypatch.setenv("PORT", "5002")
    settings = load("development")
    assert (settings.PORT, settings.THREADS) == (5002, 7)


def test_an_empty_variable_does_not_hide_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / ".env").write_text("PORT=5001\n", encoding="utf-8")
    monkeypatch.setenv("PORT", "")
    assert load("development").PORT == 5001


def test_a_byte_order_mark_in_the_file_is_no_part_of_the_first_name(tmp_path: Path):
    (tmp_path / ".env").write_text("PORT=5001\n", encoding="utf-8-sig")
    assert load("development").PORT == 5001


def test_the_file_may_have_windows_line_ends_quotes_and_chinese(tmp_path: Path):
    (tmp_path / ".env").write_bytes('# 设置\r\nDB_PASSWORD="密码 # 1"\r\nPORT=5001\r\n'.encode())
    settings = load("development")
    assert (settings.DB_PASSWORD, settings.PORT) == ("密码 # 1", 5001)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("PORT=5001\n".encode("utf-16"), r"\.env is in UTF-16. Save it in UTF-8"),
        ("PORT=5001\n".encode("utf-16-be"), r"\.env is in UTF-16. Save it in UTF-8"),
        ("PORT=5001\n# 设置\n".encode("gbk"), r"\.env, line 2: this is not UTF-8. Save it in UTF-8"),
    ],
)
def test_a_file_that_is_no_utf_8_is_refused_with_a_way_out(tmp_path: Path, text: bytes, sentence: str):
    (tmp_path / ".env").write_bytes(text)
    with pytest.raises(ConfigError, match=sentence):
        load("development")


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_an_empty_value_means_not_set(name: str):
    assert load("development", {name: ""}) == load("development", {})


def test_names_that_are_no_settings_are_left_alone():
    assert load("development", {"PATH": "/bin", "DB_TYPO": "1"}) == load("development", {})


def test_the_public_address_loses_its_last_slash():
    assert load("development", {"PUBLIC_URL": "https://v.example/"}).PUBLIC_URL == "https://v.example"


def test_a_public_address_below_a_path_is_refused_in_a_sentence():
    for url in ("https://v.example/lab", "https://v.example/lab/", "http://v.example:8080/a/b"):
        message = refusal("server", **SERVER, PUBLIC_URL=url)
        assert message.startswith(f"PUBLIC_URL={url}: Rawreel needs a host of its own")
        assert "\n" not in message


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_debug_is_for_every_loopback_address(host: str):
    assert host == load("development", {"HOST": host}).HOST


# What is refused


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "video.example"])
def test_debug_on_another_address_is_refused(host: str):
    message = refusal("development", HOST=host)
    assert "DEBUG=1" in message
    assert host in message


def test_another_address_without_debug_is_fine():
    assert load("development", {"HOST": "0.0.0.0", "DEBUG": "0"}).HOST == "0.0.0.0"


def test_a_server_without_a_database_is_refused():
    assert "set DB_HOST or DB_SOCKET" in refusal("server", SECRET_KEY=SERVER["SECRET_KEY"])


def test_a_server_with_a_socket_alone_is_fine():
    assert load("server", {"DB_SOCKET": "/s", "SECRET_KEY": SERVER["SECRET_KEY"]}).database()["unix_socket"] == "/s"


def test_a_server_without_a_secret_is_refused():
    assert "No SECRET_KEY" in refusal("server", DB_HOST="db.example")


def test_a_server_with_a_short_secret_is_refused_without_showing_it():
    message = refusal("server", DB_HOST="db.example", SECRET_KEY="fifteen letters")
    assert "SECRET_KEY" in message
    assert "fifteen letters" not in message


def test_a_server_with_debug_is_refused():
    assert "DEBUG=1 is for `python app.py`" in refusal("server", **SERVER, DEBUG="1")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DB_PORT", "abc"),
        ("DB_PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "80.5"),
        ("DB_POOL_SIZE", "0"),
        ("DB_POOL_WAIT", "-1"),
        ("DB_POOL_WAIT", "nan"),
        ("DB_READ_TIMEOUT", "1"),
        ("SLOW_QUERY_MS", "-1"),
        ("DEBUG", "maybe"),
        ("TUTORIAL", "2"),
        ("LOG_FORMAT", "xml"),
        ("TRUSTED_PROXIES", "-1"),
        ("PUBLIC_URL", "ftp://v.example"),
        ("WEB_CONCURRENCY", "many"),
        ("THREADS", "0"),
        ("DB_NAME", "a`b"),
        ("DB_NAME", "x" * 65),
    ],
)
def test_a_bad_value_is_refused_by_the_name_of_its_setting(name: str, value: str):
    message = refusal("development", **{name: value})
    assert message.startswith(f"{name}={value}: ")
    assert "\n" not in message


# Secrets


def test_secrets_do_not_show_in_the_settings_as_text():
    settings = load("server", {**SERVER, "DB_PASSWORD": "hunter22"})
    for text in (repr(settings), str(settings)):
        assert "hunter22" not in text
        assert SERVER["SECRET_KEY"] not in text


@pytest.mark.parametrize("wrong", [{"PORT": "abc"}, {"HOST": "0.0.0.0", "DEBUG": "1"}])
def test_secrets_do_not_show_in_a_refusal(wrong: dict[str, str]):
    message = refusal("server", **{**SERVER, "DB_PASSWORD": "hunter22", **wrong})
    assert "hunter22" not in message
    assert SERVER["SECRET_KEY"] not in message


def test_a_port_belongs_into_its_own_setting():
    with pytest.raises(ConfigError, match="DB_PORT"):
        load("development", {"DB_HOST": "localhost:3306"})
    assert load("development", {"DB_HOST": "::1"}).DB_HOST == "::1"
