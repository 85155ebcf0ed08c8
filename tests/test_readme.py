"""The READMEs and CONTRIBUTING are true: their examples run in a copy of the project, and their tables name what is there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from dotenv import dotenv_values

from config import ROOT, load
from ops.commands.api import make_views_app
from projects import App, Project
from servers import ask

READMES = ("README.md", "README.zh-CN.md")
ADDRESS = "http://127.0.0.1:5000"
TOKEN = "kq3..."  # as the READMEs write it
pytestmark = pytest.mark.skipif(not (ROOT / ".git").exists(), reason="asks git which files are the project's")


def blocks(readme: str, language: str = "") -> list[str]:
    """The code blocks of a README, those of one language or all."""
    text = (ROOT / readme).read_text(encoding="utf-8")
    found = re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [code for kind, code in found if language in ("", kind)]


def tracked() -> list[str]:
    """The files of the project, also those that are not committed yet."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, encoding="utf-8").stdout.split("\0")
    return [name for name in names if name and (ROOT / name).exists()]


@pytest.fixture(autouse=True)
def empty_tables() -> None:
    """Nothing here uses the application of the other tests."""


@pytest.fixture(scope="module")
def make_copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Project]]:
    """Make a copy of the whole project."""
    copies: list[Project] = []

    def make() -> Project:
        copies.append(Project(tmp_path_factory.mktemp("readme") / "rawreel"))
        for name in tracked():
            copy = copies[-1].folder / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy)
        return copies[-1]

    yield make
    for one in copies:
        one.clean()


def pieces(readme: str) -> list[tuple[str, str]]:
    """Return the files of the examples, in order: the path that the paragraph before names last, and the code for it."""
    text, found = (ROOT / readme).read_text(encoding="utf-8"), []
    for block in re.finditer(r"^```(?:sql|python|diff)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        paragraph = text[: block.start()].rstrip().rpartition("\n\n")[2]
        found.append((re.findall(r"`(\w+(?:/\w+)+\.\w+)`", paragraph)[-1], block[1]))
    return found


def paste(file: Path, code: str) -> None:
    """Put the code where the README says: beside the line that it shows, at the end, or into a new file."""
    there = file.read_text(encoding="utf-8") if file.exists() else ""
    if re.match(r"[ +]", code):
        old, new = ("".join(line[1:] for line in code.splitlines(True) if line[0] in kinds) for kinds in (" ", " +"))
    else:
        space = "" if not there else "\n" if file.suffix == ".sql" else "\n\n"
        old, new = there, there + space + code
    assert old in there, f"{file.name} has no {old}"
    file.write_text(there.replace(old, new, 1) if old else new, encoding="utf-8", newline="\n")


@pytest.fixture(scope="module")
def project(make_copy: Callable[[], Project]) -> Project:
    """A copy with the examples of the README pasted in: an endpoint, and a resource with a table."""
    project = make_copy()
    for name, code in pieces(READMES[0]):
        paste(project.folder / name, code)
    return project


@pytest.fixture
def running(project: Project) -> App:
    return project.running()


# Both languages


def test_both_readmes_have_the_same_code():
    def plain(block: str) -> str:
        """Remove the words for people: comments, and the title of a video."""
        return re.sub(r'("title": ?)"[^"]*"', r"\1...", re.sub(r"[ \t]+#.*", "", block))

    english, chinese = ([plain(block) for block in blocks(readme)] for readme in READMES)
    assert english == chinese


@pytest.mark.parametrize("readme", READMES)
def test_the_map_is_what_ls_shows(readme: str):
    text = (ROOT / readme).read_text(encoding="utf-8")
    mapped = re.findall(r"^\| `([\w./]+)` \|", text, re.MULTILINE)
    there = {name.partition("/")[0] + "/" if "/" in name else name for name in tracked()}
    shown = {name for name in there if name.endswith(("/", ".py")) and not name.startswith(".")}
    assert sorted(mapped) == sorted(shown)


@pytest.mark.parametrize("readme", READMES)
def test_the_steps_of_the_tutorial_are_those_of_its_views(readme: str):
    app = make_views_app()
    text = (ROOT / readme).read_text(encoding="utf-8")
    rows = re.findall(r"^\| [^|]+ \| `(/[^`]*)` \| (.+) \|$", text, re.MULTILINE)
    shown = {(address, view) for address, where in rows for view in re.findall(r"`(\w+)\(\)`", where)}
    rules = [rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith("tutorial.")]
    assert shown == {(rule.rule, rule.endpoint.partition(".")[2]) for rule in rules}
    files = [file for _, where in rows for file in re.findall(r"`([\w/]+\.\w+)`", where)]
    assert len(files) >= 5
    assert [file for file in files if not (ROOT / file).exists()] == []


@pytest.mark.parametrize("readme", READMES)
def test_what_the_readme_says_of_postman_is_in_its_files(readme: str):
    text = (ROOT / readme).read_text(encoding="utf-8")
    collection, environment = (
        json.loads((ROOT / f"postman/rawreel.postman_{kind}.json").read_text(encoding="utf-8"))
        for kind in ("collection", "environment")
    )
    folder, login = collection["item"][0]["name"], collection["item"][1]["item"][0]["name"]
    address = environment["values"][0]["value"]
    for needed in (
        f"`{folder}`",
        f'"{login}"',
        f"`{environment['name']}`",
        "`baseUrl`",
        f"`{address}`",
        "Working directory",
    ):
        assert needed in text, needed


# On Windows


@pytest.mark.parametrize("readme", READMES)
def test_the_commands_for_windows_have_no_quotes_and_name_what_is_there(readme: str):
    made = {name for name, _ in pieces(readme)}
    lines = [line for block in blocks(readme, "bat") for line in block.splitlines()]
    assert "python app.py" in lines
    for line in lines:
        assert not re.search(r"""['"$]""", line), line
        files = [word for word in line.split() if re.fullmatch(r"[\w/-]+\.(py|txt)", word)]
        assert [file for file in files if file not in made and not (ROOT / file).exists()] == [], line


@pytest.mark.parametrize("readme", READMES)
def test_three_lines_of_env_are_enough(readme: str, tmp_path: Path):
    (block,) = blocks(readme, "ini")
    (tmp_path / ".env").write_text(block, encoding="utf-8")
    settings = load("development", {name: value or "" for name, value in dotenv_values(tmp_path / ".env").items()})
    assert (settings.DB_HOST, settings.DB_USER, settings.DB_PASSWORD) == ("127.0.0.1", "root", "12345678")
    assert settings.DEBUG


# The examples


@pytest.mark.whole
def test_the_examples_are_well_written_and_their_tests_are_green_with_all_others_of_the_files(project: Project):
    commands = [line.split() for block in blocks(READMES[0], "bat") for line in block.splitlines()]
    write, own, one, whole = commands[-4:]
    assert one[2:] == ["pytest", "tests/test_permissions.py", "-k", "notes"]  # a part of the next
    for command in (
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy"],
        write,
        [*whole[2:], *own[3:], "tests/test_videos.py"],
    ):
        done = project.run("-m", *command, *(("-rp", "-n", "2") if command[0] == "pytest" else ()))
        assert done.returncode == 0, done.stdout + done.stderr
    for name in ("videos.py::test_public_videos_are_counted", "notes.py::test_only_the_writer_deletes_a_note"):
        assert f"PASSED tests/test_{name}\n" in done.stdout


@pytest.mark.whole
def test_the_resource_has_a_table_four_requests_and_a_place_in_the_export(running: App):
    token = running.call("POST", "/api/v1/auth/login", {"username": "demo", "password": "rawreel-demo"})[1]["token"]
    headers = {"Authorization": f"Bearer {token}", "Content_Type": "application/json"}
    status, _, body = ask(running.port, "/api/v1/notes", "POST", '{"text": "记得拍海"}'.encode(), **headers)
    assert (status, json.loads(body)["text"]) == (201, "记得拍海")
    exported = json.loads(ask(running.port, "/api/v1/me/export", **headers)[2])
    assert [note["text"] for note in exported["notes"]] == ["记得拍海"]
    running.project.run("-m", "flask", "api", "write")
    written = (running.project.folder / "postman/rawreel.postman_collection.json").read_text(encoding="utf-8")
    folder = next(one for one in json.loads(written)["item"] if one["name"] == "notes")
    assert [one["request"]["url"]["raw"].partition("/notes")[2] for one in folder["item"]] == [
        "",
        "",
        "/{{note_id}}",
        "/{{note_id}}",
    ]


@pytest.mark.whole
def test_the_example_is_described_at_once_and_checks_what_it_is_sent(running: App):
    described = running.get("/openapi.json")[1]
    operation = described["paths"]["/api/v1/videos/count"]["get"]
    assert operation["summary"] == "Count the public videos of one person 统计一个人的公开视频"
    assert described["components"]["schemas"]["videos.count_for_user"]["required"] == ["video_count"]
    status, answer = running.get("/api/v1/videos/count?user_id=1")
    assert (status, list(answer)) == (200, ["video_count"])
    status, answer = running.get("/api/v1/videos/count?user_id=x")
    assert (status, list(answer["errors"])) == (422, ["user_id"])
    checked = running.project.run("-m", "flask", "sql", "check")
    assert ", 0 findings, " in checked.stdout, checked.stdout


@pytest.mark.whole
def test_a_stale_catalog_and_collection_fail_a_test_by_name_until_flask_api_write(project: Project):
    for name in ("sql/catalog.json", "postman/rawreel.postman_collection.json"):  # other tests have renewed them
        shutil.copy2(ROOT / name, project.folder / name)
    tests = (
        "tests/test_contract.py::test_the_catalog_is_what_the_server_says",
        "tests/test_postman.py::test_the_committed_files_are_what_the_document_gives",
    )
    stale = project.run("-m", "pytest", *tests)
    assert "2 failed" in stale.stdout, stale.stdout
    assert "sql/catalog.json is out of date: run `flask api write`" in stale.stdout
    assert "postman/ is out of date: run `flask api write`" in stale.stdout
    written = project.run("-m", "flask", "api", "write")
    assert written.stdout == "changed sql/catalog.json\nchanged postman/rawreel.postman_collection.json\n"
    fresh = project.run("-m", "pytest", *tests)
    assert fresh.returncode == 0, fresh.stdout


# A relation with a counter


def test_what_contributing_shows_of_the_relation_stands_in_its_files():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    steps = re.findall(r"^(?:\d\.|  ) `([\w/.]+)`: .*?^```\w+\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert len(steps) == 9  # one place has two files
    for name, code in steps:
        there = (ROOT / name).read_text(encoding="utf-8")
        missing = [part for part in code.split("...\n") if part not in there]
        assert not missing, f"CONTRIBUTING.md shows what does not stand in {name}:\n{missing[0]}"


# What is sent with curl


def commands(text: str) -> Iterator[tuple[str, str]]:
    """Return each command of a console block, with the answer that the README shows."""
    for part in text.removeprefix("$ ").split("\n$ "):
        lines = part.splitlines()
        end = next(number for number, line in enumerate(lines, 1) if not line.endswith("\\"))
        yield "\n".join(lines[:end]), "\n".join(lines[end:])


def keys(text: str) -> list[str]:
    return re.findall(r'"(\w+)":', text)


@pytest.mark.whole
@pytest.mark.skipif(not shutil.which("curl"), reason="there is no curl")
@pytest.mark.parametrize("readme", READMES)
def test_what_the_readme_sends_is_answered_as_it_shows(running: App, readme: str):
    token, video_id, sent = "", "", []
    for command, shown in (pair for block in blocks(readme, "console") for pair in commands(block)):
        real = command.replace(ADDRESS, f"http://127.0.0.1:{running.port}").replace(TOKEN, token)
        real = re.sub(r"/videos/\d+/", f"/videos/{video_id}/", real)
        done = subprocess.run(
            ["sh", "-c", f"{real} -w '\\n%{{http_code}}'"], cwd=ROOT, capture_output=True, encoding="utf-8"
        )
        answer, _, status = done.stdout.rpartition("\n")
        sent.append(status)
        token, video_id = json.loads(answer).get("token", token), json.loads(answer).get("id")
        rest = iter(keys(answer))
        assert all(key in rest for key in keys(shown)), f"{command}\nshows {keys(shown)}\nbut gives {keys(answer)}"
    assert sent == ["200", "200", "201", "200"]


@pytest.mark.whole
@pytest.mark.parametrize("readme", READMES)
def test_the_error_that_the_readme_shows_is_the_one_that_is_sent(running: App, readme: str):
    (shown,) = (json.loads(block) for block in blocks(readme, "json"))
    _, login = running.call("POST", "/api/v1/auth/login", {"username": "demo", "password": "rawreel-demo"})
    headers = {"Authorization": f"Bearer {login['token']}", "Content_Type": "application/json"}
    status, _, body = ask(running.port, "/api/v1/videos", "POST", b'{"titel": "x"}', **headers)
    answer = json.loads(body)
    assert (status, answer.pop("request_id") == shown.pop("request_id")) == (422, False)
    assert answer == shown
