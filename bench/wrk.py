"""Load by wrk, and what it cost: CPU and memory of the processes, from /proc.

wrk is C and takes a tenth of a processor. A generator in Python would take more of a small machine than what it measures.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from world import World

from config import ROOT
from servers import workers_of

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Sample:
    """One measurement. Times of CPU are in microseconds for a request, latencies in milliseconds."""

    rate: float
    worker: float
    database: float
    front: float
    p50: float
    p99: float
    errors: int
    refused: int


def find_wrk() -> str:
    return shutil.which("wrk") or sys.exit("There is no wrk: apt-get install wrk, or brew install wrk.")


def paths(world: World) -> dict[str, str]:
    """Return the address of each scenario."""
    videos = "/api/v1/videos"
    return {
        "ping": "/healthz",
        "one": f"{videos}/{world.video}",
        "page of 20": videos,
        "page of 100": f"{videos}?limit=100",
        "three queries": f"{videos}/{world.talked}/comments",
        "danmaku": f"{videos}/{world.flown}/danmaku.art.json?limit=5000",
        "comment": f"{videos}/{world.video}/comments",
        "like": videos,
        "like one": f"{videos}/{world.video}/like",
    }


def measure(
    world: World, port: int, scenario: str, seconds: float, pids: list[int], *, front: int = 0, connections: int = 16,
    path: str = "",
) -> Sample:  # fmt: skip
    """Send a scenario for so long, on so many connections. `pids` are the processes that began the contender."""
    url = f"http://127.0.0.1:{port}{path or paths(world)[scenario]}"
    command = [
        find_wrk(),
        "-t1",
        f"-c{connections}",
        f"-d{max(1, round(seconds))}s",
        "--latency",
        "-s",
        "bench/wrk.lua",
        url,
    ]
    named = {"SCENARIO": scenario, "FOLDER": str(world.folder)}
    trees = ([one for pid in pids for one in tree(pid)], [world.pid], tree(front) if front else [])
    before = [sum(map(cpu, pids)) for pids in trees]
    told = subprocess.run(command, cwd=ROOT, check=True, env={**os.environ, **named}, stdout=subprocess.PIPE, text=True)
    found = json.loads(told.stdout.splitlines()[-1])
    took = [sum(map(cpu, pids)) - begun for pids, begun in zip(trees, before, strict=True)]
    count = max(1, found["requests"])
    worker, database, proxy = (seconds * 1e6 / count for seconds in took)
    rate = found["requests"] / found["seconds"]
    return Sample(rate, worker, database, proxy, found["p50"], found["p99"], found["lost"], found["refused"])


def tree(pid: int) -> list[int]:
    """Return a process and all below it."""
    return [pid, *(one for child in workers_of(pid) for one in tree(int(child)))]


def cpu(pid: int) -> float:
    """Return the seconds of CPU that a process has used; 0 if it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory(pid: int) -> float:
    """Return the memory of a process in MiB; what it shares with others is divided among them."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:"))
