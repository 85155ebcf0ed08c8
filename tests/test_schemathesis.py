"""schemathesis tries every operation of the OpenAPI document once or twice. `script/e2e` tries far more."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from flask import Flask
from werkzeug.serving import make_server

from config import ROOT
from database import Database
from domain.lookalikes import shapes
from ops.server.serve import Handler
from pool import Connection
from web import passwords

pytestmark = pytest.mark.whole


@pytest.fixture
def address(app: Flask, db: Database, root: Connection) -> Iterator[str]:
    """Serve the application, with an admin in it."""
    password_hash = passwords.hash_password("in no example")  # as schemathesis.toml says
    names = {"username": "admin", "username_key": "admin", **shapes("admin")}
    user_id = db.insert("users.create", **names, email=None, password_hash=password_hash)
    root.cursor().execute("UPDATE users SET role = 'admin' WHERE id = %s", (user_id,))
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_whatever_is_asked_the_answer_is_the_documented_one(address: str, tmp_path: Path):
    program = [sys.executable, "-m", "schemathesis.cli", "--no-color", "--config-file", ROOT / "schemathesis.toml"]
    options = ["--phases=examples,fuzzing", "--max-examples=1", "--generation-deterministic", "--continue-on-failure"]
    command = [*program, "run", f"{address}/openapi.json", *options]
    hooks = {"SCHEMATHESIS_HOOKS": str(ROOT / "tests/e2e/kinds.py")}
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, **hooks}, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
