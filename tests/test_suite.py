"""The suite itself: which tests run by default, and which run only if they are named."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from config import ROOT


@pytest.fixture(autouse=True)
def empty_tables() -> None:
    """Nothing here needs a database."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small suite: a short and a long test, with our own conftest.py."""
    folder = tmp_path_factory.mktemp("suite")
    (folder / "test_small.py").write_text(
        "import pytest\ndef test_short(): ...\n@pytest.mark.whole\ndef test_long(): ...\n", encoding="utf-8"
    )
    (folder / "conftest.py").write_bytes((ROOT / "tests/conftest.py").read_bytes())
    return folder


@pytest.mark.whole
@pytest.mark.parametrize(
    ("words", "found"),
    [
        ([""], {"short"}),
        (["", "--whole"], {"short", "long"}),
        (["test_small.py"], {"short", "long"}),
        (["test_small.py::test_long"], {"long"}),
        (["", "-k", "long"], {"long"}),
        (["", "-m", "not whole"], {"short"}),
    ],
    ids=lambda words: " ".join(words if isinstance(words, list) else sorted(words)),  # the same in every process
)
def test_what_takes_long_runs_if_it_is_asked_for(folder: Path, words: list[str], found: set[str]):
    command = [sys.executable, "-m", "pytest", "--collect-only", "-c", ROOT / "pyproject.toml"]
    place, *options = words
    done = subprocess.run(
        [*command, f"{folder}/{place}", *options], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert {line.partition("::test_")[2] for line in done.stdout.splitlines() if "::" in line} == found
    assert ("quick run" in done.stdout) == (words == [""])
