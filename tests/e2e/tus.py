"""Upload a video with tuspy to a server that is killed in the middle: python tus.py ADDRESS FILE PID ...

PID is the server's: this kills it (-9) while it sends a piece. script/e2e starts the server again.
"""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from hashlib import sha256
from pathlib import Path

import requests
from tusclient import client

address, path, pid = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
PIECE = 8 * 1024 * 1024


class Film(io.BytesIO):
    """The file. Soon after its middle is read, the server is killed."""

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        if self.tell() > len(film) / 2 and not killed:
            killed.append(True)
            threading.Timer(0.01, os.kill, (pid, signal.SIGKILL)).start()
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        if killed and offset:
            resumed.append(offset)
        return super().seek(offset, whence)


film, killed, resumed = path.read_bytes(), [], []  # type: bytes, list[bool], list[int]
login = {"username": "demo", "password": "rawreel-demo"}
token = requests.post(f"{address}/api/v1/auth/login", json=login, timeout=10).json()["token"]
bearer = {"Authorization": f"Bearer {token}"}
tus = client.TusClient(f"{address}/api/v1/uploads", headers=bearer)
about = {"filename": "海 with tuspy.avi", "filetype": "video/x-msvideo"}
uploader = tus.uploader(file_stream=Film(film), chunk_size=PIECE, metadata=about, retries=60, retry_delay=0.5)
uploader.upload()
assert killed, "the server was not ended"

made = requests.head(uploader.url, headers={**bearer, "Tus-Resumable": "1.0.0"}, timeout=10).headers["Content-Location"]
video = requests.get(f"{address}{made}", headers=bearer, timeout=10).json()
assert video["title"] == "海 with tuspy", video
stored = requests.get(f"{address}{video['stream_url']}", headers=bearer, timeout=60).content
assert sha256(stored).digest() == sha256(film).digest(), "the file has changed on its way"
print(
    f"tuspy: {len(film)} bytes, the server killed, resumed at {resumed[0]}; {made} plays for {video['duration_ms']} ms"
)
