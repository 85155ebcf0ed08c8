"""What the rounds say: a table for the terminal, docs/performance.md, and a chart."""

from __future__ import annotations

import re
import statistics
from html import escape
from typing import Any

from contenders import BEHIND_NGINX, DATABASE, OURS
from wrk import Sample

from config import ROOT

PAGE, CHART = ROOT / "docs/performance.md", ROOT / "docs/performance.svg"
CHARTED = ("one", "page of 20", "page of 100")
TITLES = {"one": "One video", "page of 20": "A page of 20", "page of 100": "A page of 100"}

Results = dict[str, dict[str, list[Sample]]]


def ratios(results: Results, scenario: str, name: str) -> list[float]:
    """Return a contender's requests per second against ours, in each round."""
    ours = results[scenario][OURS]
    return [found.rate / mine.rate for found, mine in zip(results[scenario][name], ours, strict=True)]


def median(samples: list[Sample], what: str) -> float:
    return statistics.median(getattr(one, what) for one in samples)


def rows(results: Results, scenario: str) -> list[list[str]]:
    """Return the cells of a scenario's table."""
    found = []
    for name, samples in results[scenario].items():
        against = ratios(results, scenario, name)
        spread = f"{statistics.median(against):.2f} ({min(against):.2f}-{max(against):.2f})"
        workers = median(samples, "worker") + median(samples, "front")
        failed = sum(one.errors for one in samples), sum(one.refused for one in samples)
        found.append(
            [name, f"{median(samples, 'rate'):,.0f}", spread, f"{workers:,.0f}", f"{median(samples, 'database'):,.0f}",
             f"{median(samples, 'p50'):.1f}", f"{median(samples, 'p99'):.1f}", f"{failed[0]} / {failed[1]}"]
        )  # fmt: skip
    return found


HEADS = ["", "requests/s", "against ours", "us of workers", "us of database", "p50 ms", "p99 ms", "lost / refused"]


def table(results: Results, facts: dict[str, Any]) -> str:
    """Return all scenarios as text for a terminal."""
    lines = [facts["processor"]]
    for scenario in results:
        cells = [[scenario, *HEADS[1:]], *rows(results, scenario)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines.append("")
        lines += [
            "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:]))]) for row in cells
        ]
    lines += ["", "MiB per worker: " + ", ".join(f"{name} {size:.0f}" for name, size in facts["memory"].items())]
    return "\n".join(lines)


def write(results: Results, facts: dict[str, Any]) -> None:
    """Write the tables between the marks of docs/performance.md, and the chart."""
    parts = [
        f"On {facts['processor']}, Python {facts['python']}, {len(next(iter(results[next(iter(results))].values())))} rounds.\n"
    ]
    for scenario in results:
        parts.append(f"### {scenario[0].upper()}{scenario[1:]}\n")
        parts.append("| " + " | ".join(HEADS) + " |\n|" + "---|" * len(HEADS))
        parts.append("\n".join("| " + " | ".join(row) + " |" for row in rows(results, scenario)) + "\n")
    sizes = ", ".join(f"{name} {size:.0f}" for name, size in facts["memory"].items())
    parts.append(f"MiB of memory per worker: {sizes}.")
    page = PAGE.read_text(encoding="utf-8")
    made = "\n".join(parts)
    page = re.sub(r"(?s)(<!-- figures -->\n).*(\n<!-- end -->)", lambda found: f"{found[1]}\n{made}\n{found[2]}", page)
    PAGE.write_text(page, encoding="utf-8")
    CHART.write_text(chart(results), encoding="utf-8")


def chart(results: Results) -> str:
    """Draw the requests per second against ours, with the spread over the rounds, as SVG.

    A bar that is far longer than all others, that of nginx, ends at the edge.
    """
    scenarios = [one for one in CHARTED if one in results]
    names = [name for name in results[scenarios[0]] if name != DATABASE]
    left, top, row, panel, gap = 290, 60, 26, 190, 24
    width, height = left + len(scenarios) * (panel + gap), top + len(names) * row + 44
    shown = {s: {n: ratios(results, s, n) for n in names if n in results[s]} for s in scenarios}
    most = max(statistics.median(one) for by in shown.values() for name, one in by.items() if name != BEHIND_NGINX)
    scale = panel / (most * 1.25)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
        ' font-family="system-ui, sans-serif" font-size="13">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        _text(12, 22, "Requests per second, Rawreel under gunicorn = 1", 'font-size="15" font-weight="600"'),
    ]
    for number, name in enumerate(names):
        style = 'text-anchor="end"' + (' font-weight="600"' if name.startswith("Rawreel") else "")
        out.append(_text(left - 10, top + number * row + 17, name, style))
    for column, scenario in enumerate(scenarios):
        x = left + column * (panel + gap)
        out.append(_text(x, top - 10, TITLES[scenario], 'font-weight="600"'))
        one, bottom = x + scale, top + len(names) * row + 4
        out.append(f'<path d="M{one:.1f} {top}V{bottom}" stroke="#d0d7de"/>')
        for number, name in enumerate(names):
            if name in shown[scenario]:
                out += _bar(name, shown[scenario][name], x, top + number * row, scale, panel)
    out.append(_text(12, height - 12, "Median of all rounds; the dark line is the spread. Longer is faster."))
    return "\n".join([*out, "</svg>", ""])


def _bar(name: str, against: list[float], x: int, y: int, scale: float, panel: int) -> list[str]:
    value, low, high = statistics.median(against), min(against), max(against)
    color = "#1f6feb" if name.startswith("Rawreel") else "#c9d1d9" if name.startswith("floor") else "#8c959f"
    if value * scale > panel:
        label = _text(x + panel - 8, y + 17, f"{value:.0f} →", 'text-anchor="end" font-weight="600"', "#ffffff")
        return [f'<rect x="{x}" y="{y + 4}" width="{panel}" height="17" fill="{color}"/>', label]
    return [
        f'<rect x="{x}" y="{y + 4}" width="{value * scale:.1f}" height="17" rx="2" fill="{color}"/>',
        f'<path d="M{x + low * scale:.1f} {y + 12.5}H{x + high * scale:.1f}" stroke="#1b1f24" stroke-width="1.5"/>',
        _text(x + round(max(value, high) * scale) + 5, y + 17, f"{value:.2f}"),
    ]


def _text(x: int, y: int, text: str, style: str = "", color: str = "#1b1f24") -> str:
    return f'<text x="{x}" y="{y}" fill="{color}" {style}>{escape(text)}</text>'
