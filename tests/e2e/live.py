"""Push streams through a real nginx with its RTMP module: python live.py PROJECT PORT OUT

PROJECT is a copy of the files in which `python app.py` is started, stopped and started again, at PORT. OUT gets the logs.
What each step took is printed.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

project, port, out = Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
SECRET = "a-secret-for-the-hooks"
URL, PASSWORD = f"http://127.0.0.1:{port}", "rawreel-demo"
CORS = "add_header Access-Control-Allow-Origin *;"  # as the pages are of another port
SOURCE = "-re -f lavfi -i testsrc2=size=320x180:rate=15 -f lavfi -i sine=frequency=330"
ENCODING = "-c:v libx264 -preset ultrafast -tune zerolatency -g 30 -pix_fmt yuv420p -c:a aac -f flv"
keys: list[str] = []  # all that were given out; none may be in a log


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


rtmp, hooks, hls = free_port(), free_port(), free_port()
work = Path(tempfile.mkdtemp(prefix="rawreel-live-"))


class App:
    """`python app.py` in the project's copy."""

    process: subprocess.Popen[bytes] | None = None

    def start(self, **settings: str) -> None:
        env = {
            "PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "LANG": "C.UTF-8", "PORT": str(port),
            "DEBUG": "0", "LIVE_HOOK_SECRET": SECRET, "LIVE_PUSH_URL": f"rtmp://127.0.0.1:{rtmp}/live",
            "HLS_URL": f"http://127.0.0.1:{hls}/hls", "LIVE_RECORDINGS": str(work / "recorded"), **settings,
        }  # fmt: skip
        log = (out / "server.log").open("ab")
        self.process = subprocess.Popen([sys.executable, "app.py"], cwd=project, env=env, stdout=log, stderr=log)
        wait(lambda: answers(f"{URL}/readyz"), 60, "the server answers")

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(20)
            self.process = None


class Nginx:
    """nginx with deploy/nginx-rtmp.conf, its paths and ports replaced; it also serves HLS."""

    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        text = (project / "deploy/nginx-rtmp.conf").read_text(encoding="utf-8")
        module = next(iter(Path("/usr/lib/nginx/modules").glob("ngx_rtmp_module.so")), "modules/ngx_rtmp_module.so")
        site = f"server {{ listen 127.0.0.1:{hls}; location /hls/ {{ alias {work}/hls/; {CORS} }} }}"
        paths = "".join(
            f"{name}_temp_path {work}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        for ours, here in {
            "modules/ngx_rtmp_module.so": str(module),
            "user www-data;": "user root;" if os.geteuid() == 0 else "",
            "/run/rawreel-rtmp.pid": f"{work}/pid",
            "/var/log/nginx": str(work),
            "/var/lib/rawreel-live": str(work),
            "listen 1935;": f"listen 127.0.0.1:{rtmp};",
            "127.0.0.1:5000": f"127.0.0.1:{port}",
            "127.0.0.1:8935": f"127.0.0.1:{hooks}",
            "=SECRET;": f"={SECRET};",
            "http {\n": f"http {{ {paths} {site}\n",
            "# record": "record",
            "# on_record_done": "on_record_done",
        }.items():
            assert ours in text, ours
            text = text.replace(ours, here)
        for folder in ("hls", "recorded"):
            (work / folder).mkdir(exist_ok=True)
        (work / "nginx.conf").write_text(text, encoding="utf-8")
        command = [
            shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin") or "nginx",
            "-e",
            work / "rawreel-rtmp.log",
        ]
        self.process = subprocess.Popen([*command, "-c", work / "nginx.conf"], start_new_session=True)
        wait(lambda: connects(rtmp), 10, "nginx listens")

    def kill(self) -> None:
        """Kill the master and its worker, as a crash of the machine does."""
        if self.process:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)
            self.process = None


def answers(url: str) -> bool:
    try:
        return bool(urlopen(url, timeout=2).status == 200)
    except (OSError, HTTPError):
        return False


def connects(to: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", to), timeout=1):
        return True
    return False


def wait(condition: Callable[[], Any], seconds: float, what: str) -> float:
    """Wait until it is so. Return how long that took."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < seconds, f"not within {seconds} s: {what}"
        time.sleep(0.1)
    return time.monotonic() - begun


def ask(method: str, path: str, body: Any = None, token: str = "") -> Any:
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    data = None if body is None else json.dumps(body).encode()
    with urlopen(Request(f"{URL}/api/v1{path}", data, headers, method=method), timeout=20) as answer:
        return json.loads(answer.read() or "null")


def log_in(username: str) -> str:
    return str(ask("POST", "/auth/login", {"username": username, "password": PASSWORD})["token"])


def push(name_and_key: str) -> subprocess.Popen[bytes]:
    """Push a stream, as OBS does with this stream key."""
    target = f"rtmp://127.0.0.1:{rtmp}/live/{name_and_key}"
    command = ["ffmpeg", "-nostdin", "-v", "error", *SOURCE.split(), *ENCODING.split(), target]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def is_refused(name_and_key: str) -> bool:
    """Return whether a push ends by itself, within seconds."""
    process = push(name_and_key)
    try:
        return process.wait(8) != 0
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return False


def push_again(name_and_key: str, seconds: float) -> tuple[subprocess.Popen[bytes], float]:
    """Push until it is let in, every two seconds as OBS does. Return the push, and how long that took."""
    begun = time.monotonic()
    while time.monotonic() - begun < seconds:
        process = push(name_and_key)
        with suppress(subprocess.TimeoutExpired):
            process.wait(4)
            time.sleep(2)
            continue
        return process, time.monotonic() - begun - 4
    raise AssertionError(f"not let in within {seconds} s")


def end(process: subprocess.Popen[bytes], how: int = signal.SIGINT) -> None:
    process.send_signal(how)
    process.wait(10)


def room() -> Any:
    return ask("GET", f"/live/{room_id}")


def is_live() -> bool:
    return bool(room()["is_live"])


def report(step: str, seconds: float | None = None) -> None:
    print(f"live: {step}{'' if seconds is None else f': {seconds:.1f} s'}", flush=True)


def end_of(process: subprocess.Popen[bytes], seconds: float) -> float:
    return wait(lambda: process.poll() is not None, seconds, "the stream is taken off")


def plays() -> bool:
    """Return whether HLS has a picture and sound."""
    command = ["ffprobe", "-v", "error", "-show_entries", "stream=codec_name", "-of", "csv=p=0", room()["hls_url"]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    return set(done.stdout.split()) == {"h264", "aac"}


def recordings() -> Any:
    return ask("GET", "/live/room/recordings?limit=100", token=token)["items"]


def watch_in_browser() -> None:
    """Let live.mjs look at the room, and begin and end the stream when it says so."""
    command = ["node", Path(__file__).with_name("live.mjs"), URL, out, str(room_id), token, f"http://127.0.0.1:{hls}"]
    before, stream = {one["id"] for one in recordings()}, None
    browser = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
    assert browser.stdin
    assert browser.stdout
    for line in browser.stdout:
        if not line.startswith(">"):
            print(line, end="", flush=True)
            continue
        answer = ""
        if line == ">begin\n":
            stream = push(right)
            wait(is_live, 10, "live")
        elif line == ">library\n":
            subprocess.run([project / "script/hls-js"], check=True, stdout=subprocess.DEVNULL, timeout=120)
        elif line == ">end\n":
            assert stream
            end(stream)
        elif line == ">replay\n":
            report("the replays are made", wait(partial(are_done, before), 60, "a video of each recording"))
            answer = str(min(one["video_id"] for one in recordings() if one["id"] not in before))
        browser.stdin.write(f"{answer}\n")
    assert browser.wait(30) == 0


def are_done(before: set[int]) -> bool:
    """Return whether there are recordings beside those of before, and each is a video with its chat."""
    states = [one["state"] for one in recordings() if one["id"] not in before]
    return bool(states) and set(states) == {"done"}


app, nginx = App(), Nginx()
try:
    app.start()
    nginx.start()
    username = f"streamer{os.getpid()}"
    ask("POST", "/auth/register", {"username": username, "password": PASSWORD})
    token = log_in(username)
    made = ask("POST", "/live/room", {"title": "End to end"}, token)
    room_id, name, right = made["id"], made["stream_name"], made["push_key"]
    keys.append(made["key"])
    assert made["push_url"] == f"rtmp://127.0.0.1:{rtmp}/live"

    # Refused: a wrong key, none, the bare key, the right one after a wrong one
    wrong = (
        f"{name}?key=wrong",
        name,
        made["key"],
        f"{name}?key=wrong&key={made['key']}",
        f"x?key={made['key']}&name={name}",
    )
    assert all(is_refused(one) for one in wrong)
    assert not is_live()
    report(f"{len(wrong)} wrong keys refused")

    # The right key: the room is live, HLS plays; a second publisher is refused
    first = push(right)
    report("live after the push", wait(is_live, 10, "the room is live"))
    report("HLS plays", wait(plays, 20, "HLS plays"))
    (shown,) = (one for one in ask("GET", "/live")["items"] if one["id"] == room_id)
    assert shown["username"] == username
    assert is_refused(right)
    assert first.poll() is None
    begun = room()["started_at"]
    report("a second publisher refused")

    # The server is away until the stream counts as off: it goes on, and nothing begins. Then the room is on again
    app.stop()
    assert is_refused(right)
    time.sleep(28)
    assert first.poll() is None
    app.start()
    report("live again after the server was away", wait(is_live, 15, "the room is live again"))
    time.sleep(12)
    assert (first.poll(), room()["started_at"], is_live()) == (None, begun, True)
    report("the stream lived through it")

    # An orderly end
    end(first)
    report("off after the end", wait(lambda: not is_live(), 5, "the room is off"))

    # kill -9: the kernel closes the connection. SIGSTOP: nobody does
    second = push(right)
    wait(is_live, 10, "live")
    end(second, signal.SIGKILL)
    report("off after kill -9 of ffmpeg", wait(lambda: not is_live(), 5, "the room is off"))
    third = push(right)
    wait(is_live, 10, "live")
    time.sleep(3)  # nginx does not drop a publisher that has sent nothing at all yet
    third.send_signal(signal.SIGSTOP)
    fourth, seconds = push_again(right, 60)
    report("let in again after SIGSTOP of ffmpeg", seconds)
    third.kill()
    third.wait()
    wait(is_live, 10, "live")

    # kill -9 of nginx: nobody tells of the end
    nginx.kill()
    fourth.wait(10)
    nginx.start()
    fifth, seconds = push_again(right, 60)
    report("let in again after kill -9 of nginx", seconds)
    wait(is_live, 10, "live")
    nginx.kill()
    fifth.wait(10)
    report("off after kill -9 of nginx", wait(lambda: not is_live(), 35, "the room is off"))
    assert [one for one in ask("GET", "/live")["items"] if one["id"] == room_id] == []
    nginx.start()

    # Another key: the stream is taken off at its next update
    sixth = push(right)
    wait(is_live, 10, "live")
    keys.append(ask("POST", "/live/room/key", token=token)["key"])
    old, right = right, f"{name}?key={keys[-1]}"
    assert not is_live()
    report("taken off after another key", end_of(sixth, 15))
    assert is_refused(old)

    # A ban: the same
    seventh = push(right)
    wait(is_live, 10, "live")
    admin = log_in("admin")
    ask("PUT", f"/admin/users/{username}/ban", {"reason": "e2e", "until": None}, admin)
    report("taken off after a ban", end_of(seventh, 15))
    assert is_refused(right)
    ask("DELETE", f"/admin/users/{username}/ban", token=admin)

    # By the control of nginx: at once
    app.stop()
    app.start(LIVE_NGINX_CONTROL=f"http://127.0.0.1:{hooks}/control")
    eighth = push(right)
    wait(is_live, 10, "live")
    ask("PUT", f"/admin/live/{room_id}/closed", {"reason": "e2e"}, admin)
    report("taken off at once by the control", end_of(eighth, 3))
    assert is_refused(right)
    ask("DELETE", f"/admin/live/{room_id}/closed", token=admin)
    ninth = push(right)
    wait(is_live, 10, "live")
    end(ninth)
    wait(lambda: not is_live(), 5, "the room is off")

    # The page, and the replay of what it showed
    watch_in_browser()
    assert all(one["state"] in ("done", "failed", "waiting") for one in recordings())

    # No log has a key or the secret
    logs = [*work.glob("*.log"), out / "server.log"]
    text = "".join(path.read_text(encoding="utf-8", errors="replace") for path in logs)
    assert "/hooks/nginx-rtmp" in text
    found = [word for word in (*keys, SECRET) if word in text]
    assert not found, found
    report("no key in a log")
finally:
    nginx.kill()
    app.stop()
    for path in work.glob("*.log"):
        shutil.copy(path, out)
    shutil.rmtree(work, ignore_errors=True)
