"""The READMEs and CONTRIBUTING are true: their examples run in a copy of the project, and the map is what `ls` shows."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator

import pytest

from config import ROOT
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


@pytest.fixture(scope="module")
def project(make_copy: Callable[[], Project]) -> Project:
    """A copy with the example of the README pasted in."""
    project = make_copy()
    (query,), (view, test) = blocks(READMES[0], "sql"), blocks(READMES[0], "python")
    for name, code in (("sql/videos.sql", query), ("routes/videos.py", view), ("tests/test_videos.py", test)):
        with (project.folder / name).open("a", encoding="utf-8") as file:
            file.write(("\n" if name.endswith(".sql") else "\n\n") + code)
    return project


@pytest.fixture
def running(project: Project) -> App:
    return project.running()


# Both languages


def test_both_readmes_have_the_same_code():
    def plain(block: str) -> str:
        """Remove the words for people: comments, and the title of a video."""
        return re.sub(r'("title": )"[^"]*"', r"\1...", re.sub(r"[ \t]+#.*", "", block))

    english, chinese = ([plain(block) for block in blocks(readme)] for readme in READMES)
    assert english == chinese


@pytest.mark.parametrize("readme", READMES)
def test_the_map_is_what_ls_shows(readme: str):
    text = (ROOT / readme).read_text(encoding="utf-8")
    mapped = re.findall(r"^\| `([\w./]+)` \|", text, re.MULTILINE)
    there = {name.partition("/")[0] + "/" if "/" in name else name for name in tracked()}
    shown = {name for name in there if name.endswith(("/", ".py")) and not name.startswith(".")}
    assert sorted(mapped) == sorted(shown)


# Add an endpoint


@pytest.mark.whole
def test_the_example_is_well_written_and_its_test_is_green_with_all_others_of_the_file(project: Project):
    for command in ("ruff check .", "ruff format --check .", "pytest -rp tests/test_videos.py"):
        done = project.run("-m", *command.split())
        assert done.returncode == 0, done.stdout + done.stderr
    assert "PASSED tests/test_videos.py::test_public_videos_are_counted\n" in done.stdout


@pytest.mark.whole
def test_the_example_is_described_at_once_and_checks_what_it_is_sent(running: App):
    described = running.get("/openapi.json")[1]
    operation = described["paths"]["/api/v1/videos/count"]["get"]
    assert operation["summary"] == "Count the public videos of one person"
    assert described["components"]["schemas"]["videos.count_for_user"]["required"] == ["video_count"]
    status, answer = running.get("/api/v1/videos/count?user_id=1")
    assert (status, list(answer)) == (200, ["video_count"])
    status, answer = running.get("/api/v1/videos/count?user_id=x")
    assert (status, list(answer["errors"])) == (422, ["user_id"])
    checked = running.project.run("-m", "flask", "sql", "check")
    assert ", 0 findings, " in checked.stdout, checked.stdout


@pytest.mark.whole
def test_a_stale_catalog_and_collection_fail_a_test_by_name_until_flask_api_write(project: Project):
    shutil.copy2(ROOT / "sql/catalog.json", project.folder / "sql/catalog.json")  # a running app may have renewed it
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
    steps = re.findall(r"^\d\. `([\w/.]+)`.*?^```\w+\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert len(steps) == 8
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
    token, sent = "", []
    for command, shown in (pair for block in blocks(readme, "console") for pair in commands(block)):
        real = command.replace(ADDRESS, f"http://127.0.0.1:{running.port}").replace(TOKEN, token)
        done = subprocess.run(["sh", "-c", f"{real} -w '\\n%{{http_code}}'"], capture_output=True, encoding="utf-8")
        answer, _, status = done.stdout.rpartition("\n")
        sent.append(status)
        token = json.loads(answer).get("token", token)
        rest = iter(keys(answer))
        assert all(key in rest for key in keys(shown)), f"{command}\nshows {keys(shown)}\nbut gives {keys(answer)}"
    assert sent == ["200", "200", "201"]


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
