"""docs/deployment.md against the files, commands and settings that it names."""

from __future__ import annotations

import re
import runpy
from configparser import ConfigParser

import click
import pytest
from flask import Flask

from config import ROOT, Settings
from domain.files import PROBES
from web.errors import Problem, document

PAGE = (ROOT / "docs/deployment.md").read_text(encoding="utf-8")
SETTINGS = dict(re.findall(r"^([A-Z_]+)=(.*)$", PAGE.split(".env) <<END\n")[1].split("\nEND\n")[0], re.M))
UNITS = ("rawreel.service", "rawreel-worker.service")
LIVE = "rawreel-live.service"


def read(name: str) -> dict[str, list[str]]:
    """The lines of a unit by their names; a name may come more than once."""
    lines = (ROOT / "deploy" / name).read_text(encoding="utf-8").splitlines()
    parser = ConfigParser(interpolation=None, strict=False, delimiters="=")
    parser.read_string("\n".join(lines))
    assert parser.sections() == ["Unit", "Service", "Install"]
    found: dict[str, list[str]] = {}
    for line in lines:
        if "=" in line and not line.startswith("#"):
            found.setdefault(line.partition("=")[0], []).append(line.partition("=")[2])
    return found


def test_the_page_names_files_that_exist() -> None:
    named = {path.rstrip(".") for path in re.findall(r"(?:/srv/rawreel/|\b)((?:deploy|docs|script)/[\w./-]+)", PAGE)}
    assert {"deploy/nginx.conf", "deploy/gunicorn.conf.py", *(f"deploy/{unit}" for unit in UNITS)} <= named
    linked = {f"docs/{path}" for path in re.findall(r"\]\(([\w.]+)", PAGE)}
    assert [path for path in sorted(named | linked) if not (ROOT / path).is_file()] == []


def test_the_page_names_commands_that_exist(app: Flask) -> None:
    lines = re.findall(r"(?:\.venv/bin/|`)flask ([a-z][^`\n|]*)", PAGE)
    assert len(lines) > 5
    for line in lines:
        command: click.Command = app.cli
        words = line.partition("#")[0].split()
        while isinstance(command, click.Group) and words:
            assert words[0] in command.commands, line
            command = command.commands[words.pop(0)]
        options = {name for parameter in command.params for name in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= options, line


def test_the_page_names_settings_that_exist() -> None:
    Settings.model_validate({**SETTINGS, "SECRET_KEY": "0123456789abcdef"})
    inline = set(re.findall(r"`([A-Z][A-Z_]{3,})(?:=[^`]*)?`", PAGE)) - {"ADDRESS"}
    assert {"MEDIA_DIR", "X_ACCEL", "LOG_FORMAT"} <= inline | SETTINGS.keys()
    assert (inline | SETTINGS.keys()) - Settings.model_fields.keys() == set()


def test_the_page_names_addresses_that_exist(app: Flask) -> None:
    addresses = app.url_map.bind("localhost")
    for path in set(re.findall(r"(?:\$URL|:5000)(/[\w/]+)", PAGE)):
        assert addresses.allowed_methods(path), path


@pytest.mark.parametrize("name", [*UNITS, LIVE])
def test_a_unit_names_what_is_there(name: str, app: Flask) -> None:
    unit = read(name)
    folder = unit["WorkingDirectory"][0]
    assert unit["User"] == ["rawreel"]
    assert f"--home-dir {folder} --shell /usr/sbin/nologin rawreel\n" in PAGE
    assert (ROOT / unit["Documentation"][0].removeprefix(f"file:{folder}/")).is_file()
    # The second one need not be there: docs/live.md makes it.
    recorded = "" if name == LIVE else " -/var/lib/rawreel-live/recorded"
    assert unit["ReadWritePaths"] == [f"{SETTINGS['MEDIA_DIR']}{recorded}"]
    program, *arguments = unit["ExecStart"][0].split()
    assert program.startswith(f"{folder}/.venv/bin/")
    if program.endswith("/gunicorn"):
        assert (ROOT / arguments[arguments.index("-c") + 1]).is_file()
    else:
        assert arguments[0] in app.cli.commands


def test_the_units_are_confined_alike() -> None:
    api, worker = map(read, UNITS)
    theirs = {
        "Description",
        "Type",
        "ExecStart",
        "TimeoutStopSec",
        "Nice",
        "MemoryMax",
        "TasksMax",
    }
    assert {key: value for key, value in api.items() if key not in theirs} == {
        key: value for key, value in worker.items() if key not in theirs
    }
    # The worker sends the mails that wait, and asks media servers.
    assert "AF_INET" in worker["RestrictAddressFamilies"][0]
    # media/thumbnails.py limits ffmpeg's memory with a system call of this group.
    assert not any(line.startswith("~") and "@resources" in line for line in worker["SystemCallFilter"])


def test_the_unit_of_live_events_is_confined_like_that_of_the_api() -> None:
    from ops.live.server import MOST, SPARE

    api, live = read(UNITS[0]), read(LIVE)
    theirs = {
        "ReadWritePaths",
        "Description",
        "Documentation",
        "Type",
        "ExecStart",
        "TimeoutStopSec",
        "RestartSec",
        "LimitNOFILE",
        "TasksMax",
    }
    assert {key: value for key, value in api.items() if key not in theirs} == {
        key: value for key, value in live.items() if key not in theirs
    }
    assert int(live["LimitNOFILE"][0]) > MOST + SPARE + 100


def test_the_units_have_memory_for_what_the_program_allows_itself_and_no_more() -> None:
    from media import remux, thumbnails, video

    api, worker = (int(unit["MemoryMax"][0].removesuffix("M")) * video.MiB for unit in map(read, UNITS))
    fields = Settings.model_fields
    processes, threads = fields["WEB_CONCURRENCY"].default, fields["THREADS"].default
    one_process, password, picture = 100 * video.MiB, 32 * video.MiB, 200 * video.MiB
    assert processes * (one_process + password) + picture <= api <= 512 * video.MiB
    assert max(thumbnails.MEMORY, remux.MEMORY) + 80 * video.MiB <= worker <= 400 * video.MiB  # one ffmpeg at a time
    # A thread for each request, a few more, and for each run of ffprobe the program and two threads that watch it.
    assert processes * (threads + 8 + PROBES * 3) < int(read(UNITS[0])["TasksMax"][0])


def test_what_runs_gets_the_time_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    from media import thumbnails, video

    monkeypatch.setenv("DB_SOCKET", "/nowhere")
    monkeypatch.setenv("SECRET_KEY", "0123456789abcdef")
    gunicorn = runpy.run_path(str(ROOT / "deploy/gunicorn.conf.py"))
    api, worker = map(read, UNITS)
    assert int(api["TimeoutStopSec"][0]) > gunicorn["graceful_timeout"]
    assert int(worker["TimeoutStopSec"][0]) > thumbnails.TIMEOUT + video.TIMEOUT
    assert api["KillMode"] == worker["KillMode"] == ["mixed"]  # the signal first goes only to the main process


def test_nginx_serves_the_folder_that_the_page_makes() -> None:
    conf = (ROOT / "deploy/nginx.conf").read_text(encoding="utf-8")
    location = re.search(rf"location {SETTINGS['X_ACCEL']}/ {{(.*?)\n    }}", conf, re.S)
    assert location
    assert "internal;" in location[1]
    assert f"alias {SETTINGS['MEDIA_DIR']}/files/;" in location[1]
    assert f"server 127.0.0.1:{Settings().PORT};" in conf
    assert f"server 127.0.0.1:{Settings().LIVE_PORT};" in conf
    for path in re.findall(r"^[^#\n]*alias /srv/rawreel/([^;]*);", conf, re.M):
        assert (ROOT / path).is_dir()


def test_nginx_speaks_of_errors_as_the_application_does(app: Flask) -> None:
    conf = (ROOT / "deploy/nginx.conf").read_text(encoding="utf-8")
    for status, title, code in re.findall(
        r"""^ +(\d{3}) '"title":"([^"]+)","detail":"[^"]+","code":"(\w+)"';""", conf, re.M
    ):
        with app.test_request_context():
            body = document(Problem(int(status), "")).json
        assert (title, code) == (body["title"], body["code"])
    told = set(re.findall(r"""^ +(\d{3}) '"title":""", conf, re.M))
    answered = set()
    for codes, becomes in re.findall(r"error_page ([\d ]+?)(?: =(\d{3}))? /_problem;", conf):
        answered |= {becomes} if becomes else set(codes.split())
    assert told == answered
    assert {"400", "413", "414", "429", "431", "503", "504"} <= told


def test_nginx_has_connections_for_more_than_one_address() -> None:
    conf = (ROOT / "deploy/nginx.conf").read_text(encoding="utf-8")
    (of_one,) = re.findall(r"limit_conn addresses (\d+);", conf)
    for page in (conf, PAGE):
        (of_all,) = set(re.findall(r"worker_connections (\d+);", page))
        (files,) = set(re.findall(r"worker_rlimit_nofile (\d+);", page))
        # One to the client, one to gunicorn.
        assert int(files) >= 2 * int(of_all) >= 2 * 4 * 2 * int(of_one)
