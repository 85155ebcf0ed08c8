"""Change the password of a user: python new_password.py ADDRESS USERNAME PASSWORD NEW."""

from __future__ import annotations

import json
import sys
import urllib.request

address, username, password, new = sys.argv[1:]


def send(method: str, path: str, body: dict[str, str], token: str = "") -> bytes:
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    request = urllib.request.Request(f"{address}/api/v1{path}", json.dumps(body).encode(), headers, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return bytes(answer.read())


token = json.loads(send("POST", "/auth/login", {"username": username, "password": password}))["token"]
send("PUT", "/auth/password", {"password": password, "new_password": new}, token)
