"""What bench/run makes of its measurements. The measurements themselves are no tests."""

from __future__ import annotations

import subprocess
import sys
from xml.etree import ElementTree

import pytest

from config import ROOT

sys.path.append(str(ROOT / "bench"))
import report
import wrk
from contenders import BEHIND_NGINX, OURS

PEER = "FastAPI & <friends>"


def sample(rate, errors=0):
    return wrk.Sample(rate, 800.0, 200.0, 0.0, 4.0, 9.5, errors, 0)


@pytest.fixture
def results():
    return {
        "one": {
            OURS: [sample(1000), sample(500)],
            PEER: [sample(2000, errors=3), sample(750)],
            BEHIND_NGINX: [sample(20_000), sample(10_500)],
        },
        "page of 20": {OURS: [sample(400), sample(400)]},
    }


@pytest.fixture
def facts():
    return {"processor": "2 processors (x)", "python": "3.11.7", "memory": {OURS: 29.4}}


def test_a_ratio_is_taken_within_a_round(results):
    assert report.ratios(results, "one", PEER) == [2.0, 1.5]


def test_the_table_has_medians_spread_and_errors(results, facts):
    lines = report.table(results, facts).splitlines()
    (peer,) = (line for line in lines if line.startswith(PEER))
    assert peer.split() == [*PEER.split(), "1,375", "1.75", "(1.50-2.00)", "800", "200", "4.0", "9.5", "3", "/", "0"]
    assert lines[-1] == "MiB per worker: Rawreel, gunicorn 29"


def test_the_chart_is_a_picture_in_which_all_bars_can_be_seen(results):
    picture = ElementTree.fromstring(report.chart(results))
    words = ["".join(node.itertext()) for node in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert PEER in words
    assert {"1.75", "20 →"} <= {*words}  # nginx's would make all others too short
    bars = [float(bar.get("width")) for bar in picture.iter("{http://www.w3.org/2000/svg}rect")][1:]
    assert min(bars) > 50
    assert max(bars) == 190


def test_the_page_keeps_its_words_when_figures_are_written(results, facts, tmp_path, monkeypatch):
    page, old = tmp_path / "performance.md", report.PAGE.read_text(encoding="utf-8")
    page.write_text(old, encoding="utf-8")
    monkeypatch.setattr(report, "PAGE", page)
    monkeypatch.setattr(report, "CHART", tmp_path / "performance.svg")
    for _ in range(2):
        report.write(results, facts)
        new = page.read_text(encoding="utf-8")
        assert new.partition("<!-- figures -->")[0] == old.partition("<!-- figures -->")[0]
        assert new.partition("<!-- end -->")[2] == old.partition("<!-- end -->")[2]
        assert new.count("1.75 (1.50-2.00)") == 1


def test_the_processes_of_a_server_and_their_cpu_are_found():
    with subprocess.Popen([sys.executable, "-c", "import time; sum(range(10**7)); print(flush=True); time.sleep(9)"],
                          stdout=subprocess.PIPE) as child:  # fmt: skip
        child.stdout.readline()
        assert child.pid in wrk.tree(wrk.os.getpid())
        assert wrk.cpu(child.pid) > 0.05
        assert wrk.memory(child.pid) > 1
        child.kill()
    assert wrk.cpu(child.pid) == 0
