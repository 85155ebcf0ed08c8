"""`bench/run growth`: what changes when there is more of something. All on Rawreel under gunicorn, as deployed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from urllib.parse import quote

from contenders import CONTENDERS, Running, run
from world import World
from wrk import Sample, measure, memory, paths, tree

from servers import ask

VIDEOS = "/api/v1/videos"
DEPTHS = (0, 1_000, 10_000, 100_000)  # rows before the page
CONNECTIONS = (1, 4, 16, 64, 256, 512)
LIKERS = (1, 4, 16, 64)
POLL = 3  # seconds between two questions of a watcher, as `poll_after` says


def main(world: World, seconds: float) -> None:
    """Print all tables."""
    starts = [start(world) for _ in range(3)]
    print(f"\nFrom nothing to the first 200: {', '.join(f'{one:.2f}' for one in starts)} s")
    with run(CONTENDERS[0], world) as ours:
        for title, rows in tables(world, ours, seconds):
            print(
                f"\n{title:34} {'requests/s':>10} {'us workers':>10} {'us database':>11} {'p50 ms':>8} {'p99 ms':>8}  lost / refused"
            )
            for name, sample in rows():
                print(f"{name:34} {line(sample)}", flush=True)
        print(f"\nMiB per worker after all this: {', '.join(f'{memory(pid):.0f}' for pid in tree(ours.pid)[1:])}")


def start(world: World) -> float:
    """Return the seconds from the start of the program to its first answer."""
    begun = time.monotonic()
    with run(CONTENDERS[0], world):
        return time.monotonic() - begun


def line(found: Sample) -> str:
    return (
        f"{found.rate:>10,.0f} {found.worker:>10,.0f} {found.database:>11,.0f} {found.p50:>8.1f} {found.p99:>8.1f}"
        f"  {found.errors} / {found.refused}"
    )


Rows = Callable[[], Iterator[tuple[str, Sample]]]


def tables(world: World, ours: Running, seconds: float) -> Iterator[tuple[str, Rows]]:
    """Yield each table: what grows, and its rows."""

    def sample(scenario: str, **how: object) -> Sample:
        return measure(world, ours.port, scenario, seconds, [ours.pid], **how)  # type: ignore[arg-type]

    def depth() -> Iterator[tuple[str, Sample]]:
        for rows, cursor in walk(ours.port):
            path = VIDEOS + (f"?after={quote(cursor)}" if cursor else "")
            yield f"{rows:,}", sample("page of 20", path=path)

    def rows() -> Iterator[tuple[str, Sample]]:
        for count in (1, 20, 40, 60, 80, 100):
            yield str(count), sample("page of 20", path=f"{VIDEOS}?limit={count}")

    def connections() -> Iterator[tuple[str, Sample]]:
        for count in CONNECTIONS:
            yield str(count), sample("page of 20", connections=count)

    def likes(scenario: str) -> Rows:
        def found() -> Iterator[tuple[str, Sample]]:
            for count in LIKERS:
                yield str(count), sample(scenario, connections=count)

        return found

    def danmaku() -> Iterator[tuple[str, Sample]]:
        for count in (1_000, 5_000, 20_000):
            path = paths(world)["danmaku"].replace("5000", str(count))
            yield f"{count:,}", sample("danmaku", path=path)

    def watchers() -> Iterator[tuple[str, Sample]]:
        path = chat(world, ours.port)
        for count in (16, 300):
            found = sample("page of 20", path=path, connections=count)
            yield f"{count} connections", found
        yield f"so many ask every {POLL} s: {found.rate * POLL:,.0f}", found

    yield "Rows before the page of 20", depth
    yield "Rows of the page", rows
    yield "Connections, on the page of 20", connections
    yield "Connections that like any video", likes("like")
    yield "Connections that like one video", likes("like one")
    yield "Danmaku of a video", danmaku
    yield "A live chat without news", watchers


def chat(world: World, port: int) -> str:
    """Write to the chat of a live room. Return the address that its watchers ask for what comes after."""
    token = {"Authorization": f"Bearer {world.tokens[0]}", "Content-Type": "application/json"}
    url = f"/api/v1/live/{world.room}/messages"
    status, _, body = ask(port, url, "POST", b'{"text": "hello"}', **token)
    assert status == 201, body
    return f"{url}?after={json.loads(body)['seq']}"


def walk(port: int) -> Iterator[tuple[int, str | None]]:
    """Follow the pages from the first one. Yield some depths, with the cursor of the page that begins there."""
    cursor: str | None = None
    for rows in range(0, DEPTHS[-1] + 1, 100):
        if rows in DEPTHS:
            yield rows, cursor
        page = json.loads(ask(port, f"{VIDEOS}?limit=100" + (f"&after={quote(cursor)}" if cursor else ""))[2])
        cursor = page["next"]
        if not cursor:
            return
