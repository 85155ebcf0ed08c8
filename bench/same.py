"""That all contenders give the same JSON, before anything is timed."""

from __future__ import annotations

import json
from typing import Any

from contenders import Running
from world import World
from wrk import paths

from servers import ask

COMMENT = '{"text": "I was there last year, 去年我也在。"}'
NEW = {"id", "created_at"}  # what two new comments need not have in common


def check(world: World, running: list[Running]) -> None:
    """Compare each contender's answers with those of the first. Raises AssertionError for one that differs."""
    expected = _answers(world, running[0])
    for one in running[1:]:
        found = _answers(world, one)
        for scenario in found:
            assert found[scenario] == expected[scenario], (
                f"{one.contender.name}, {scenario}:\n{found[scenario]}\nis not\n{expected[scenario]}"
            )


def _answers(world: World, one: Running) -> dict[str, Any]:
    token = {"Authorization": f"Bearer {world.tokens[0]}", "Content-Type": "application/json"}
    scenarios = one.contender.scenarios or tuple(paths(world))
    answers = {}
    for scenario in scenarios:
        path = paths(world)[scenario]
        if scenario.startswith("like"):
            path = f"/api/v1/videos/{world.video}/like"
            answers[scenario] = [ask(one.port, path, "PUT", **token)[0] for _ in range(2)]
            continue
        headers = token if scenario in ("comment", "three queries") else {}
        method, body = ("POST", COMMENT.encode()) if scenario == "comment" else ("GET", None)
        status, _, content = ask(one.port, path, method, body, **headers)
        answers[scenario] = status, _compared(json.loads(content), scenario)
    return answers


def _compared(answer: Any, scenario: str) -> Any:
    """Leave out what may differ: a cursor is each program's own, and counts of `one` follow the writes of the others."""
    if isinstance(answer, dict) and "next" in answer:
        return {**answer, "next": bool(answer["next"]), "items": [_compared(row, "") for row in answer["items"]]}
    if scenario == "comment":
        return {name: value for name, value in answer.items() if name not in NEW}
    if isinstance(answer, dict):
        return {name: value for name, value in answer.items() if name not in ("comment_count", "like_count")}
    return answer
