"""`bench/run`: the rounds, and what is made of them. See bench/run for its words."""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
from dataclasses import asdict
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import alone
import growth
import orjson
import process
import report
import same
from contenders import BEHIND_NGINX, CONTENDERS, DATABASE, WORKERS, Running, run_all
from world import World
from wrk import Sample, measure, memory, tree

from config import ROOT

SCENARIOS = ("ping", "one", "page of 20", "page of 100", "three queries", "danmaku", "comment", "like")
QUICK = ("one", "page of 20", "page of 100", "comment")
NEVER = ("three queries", "comment", "like", "ping")  # what nginx keeps nothing of
KEPT = ROOT / "instance" / "bench.json"

Results = dict[str, dict[str, list[Sample]]]  # by scenario and contender, one for each round


def main() -> None:
    """Read the words, run the rounds, and print or write what they say."""
    parser = argparse.ArgumentParser(prog="bench/run")
    parser.add_argument("what", nargs="?", choices=("quick", "full", "growth", "process", "report"), default="quick")
    parser.add_argument("--only", default="", help="words of the contenders' names, with commas between them")
    parser.add_argument("--videos", type=int, help="20,000 by default, 200,000 for full and growth")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float, help="of each measurement")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md and its chart")
    asked = parser.parse_args()
    if asked.what != "report":
        world = World(asked.videos or (20_000 if asked.what == "quick" else 200_000))
        if asked.what == "growth":
            growth.main(world, asked.seconds or 5)
            return
        if asked.what == "process":
            process.main(world)
            return
        is_full = asked.what == "full"
        names = asked.only.split(",") if asked.only else [one.name for one in CONTENDERS] + [BEHIND_NGINX, DATABASE]
        results, sizes = run_rounds(
            world, names, SCENARIOS if is_full else QUICK, asked.rounds or (7 if is_full else 2), asked.seconds or (5 if is_full else 1)
        )  # fmt: skip
        keep(results, sizes)
    results, facts = read()
    print(report.table(results, facts))
    if asked.write:
        report.write(results, facts)


def run_rounds(
    world: World, names: list[str], scenarios: tuple[str, ...], rounds: int, seconds: float
) -> tuple[Results, dict[str, float]]:
    """Measure each contender once in each round, in a different order each time. Return the samples, and MiB per worker."""
    with run_all(world, names) as running:
        same.check(world, [one for one in running if one.contender.command])
        turns = {one.contender.name: partial(measure_one, world, one, running[0]) for one in running}
        if any(name in DATABASE for name in names):
            turns[DATABASE] = partial(alone.measure, world)
        results: Results = {scenario: {} for scenario in scenarios}
        for number in range(rounds + 1):  # the first one is only to warm up
            for scenario, name in product(scenarios, turn(list(turns), number)):
                if not may_measure(name, scenario):
                    continue
                sample = turns[name](scenario, seconds if number else 1)
                if number:
                    results[scenario].setdefault(name, []).append(sample)
                    print(f"{number}/{rounds} {scenario:14} {name:34} {sample.rate:8.0f}/s", file=sys.stderr)
        sizes = {
            one.contender.name: statistics.mean(sorted(map(memory, tree(one.pid)[1:]))[-WORKERS:])
            for one in running
            if one.contender.command
        }
    names = sorted(turns, key=lambda name: not name.startswith("Rawreel"))
    return {s: {name: found[name] for name in names if name in found} for s, found in results.items()}, sizes


def turn(names: list[str], number: int) -> list[str]:
    """Return the names, beginning with another one in each round."""
    first = number % len(names)
    return names[first:] + names[:first]


def may_measure(name: str, scenario: str) -> bool:
    if name == DATABASE:
        return scenario in alone.QUERIES
    if name == BEHIND_NGINX:
        return scenario not in NEVER
    scenarios = next(one.scenarios for one in CONTENDERS if one.name == name)
    return not scenarios or scenario in scenarios


def measure_one(world: World, one: Running, ours: Running, scenario: str, seconds: float) -> Sample:
    """Measure a contender. Behind nginx its workers are our own."""
    if one.contender.command:
        return measure(world, one.port, scenario, seconds, [one.pid])
    return measure(world, one.port, scenario, seconds, [ours.pid], front=one.pid)


def keep(results: Results, sizes: dict[str, float]) -> None:
    """Write what was measured to instance/bench.json."""
    rows = {s: {name: [asdict(one) for one in found] for name, found in by.items()} for s, by in results.items()}
    facts = {"processor": processor(), "python": platform.python_version(), "memory": sizes}
    KEPT.write_bytes(orjson.dumps({"facts": facts, "results": rows}, option=orjson.OPT_INDENT_2))


def read() -> tuple[Results, dict[str, Any]]:
    kept = orjson.loads(KEPT.read_bytes())
    results = {
        s: {name: [Sample(**one) for one in found] for name, found in by.items()} for s, by in kept["results"].items()
    }
    return results, kept["facts"]


def processor() -> str:
    """Return the kind of the processor, and how many there are."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    name = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())
    return f"{os.cpu_count()} processors ({name})"


if __name__ == "__main__":
    main()
