"""The state of the server: /metrics for Prometheus, and the admin's view of the system."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from prometheus_client.parser import text_string_to_metric_families

from web.metrics import UNKNOWN

pytestmark = pytest.mark.whole  # pictures, sockets, or waits

VIDEOS, SYSTEM = "/api/v1/videos", "/api/v1/admin/system"
TOKEN = "the-token-of-these-tests"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def watched(make_app):
    return make_app(METRICS_TOKEN=TOKEN).test_client()


def scrape(client):
    """Return all metrics as {(name, labels as a sorted tuple): value}."""
    families = text_string_to_metric_families(client.get("/metrics", headers=HEADERS).text)
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def of(samples, name, **labels):
    return samples.get((name, tuple(sorted(labels.items()))))


# Who may ask


def test_without_a_token_in_the_settings_there_is_no_such_address_and_nothing_is_counted(client, app):
    assert client.get("/metrics").status_code == 404
    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404
    assert app.extensions["watch"].prometheus is None


@pytest.mark.parametrize(
    "sent", [None, "", "Bearer", "Bearer ", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer ü", TOKEN]
)
def test_only_the_token_opens_the_metrics(watched, sent):
    answer = watched.get("/metrics", headers={} if sent is None else {"Authorization": sent})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert TOKEN not in answer.text


def test_an_admins_own_token_does_not(watched, admin):
    watched.token = admin.token
    assert watched.get("/metrics").status_code == 401


def test_the_answer_is_in_the_format_of_prometheus(watched):
    answer = watched.get("/metrics", headers=HEADERS)
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    head = watched.head("/metrics", headers=HEADERS)
    assert (head.status_code, head.data) == (200, b"")
    assert watched.post("/metrics", headers=HEADERS).status_code == 405
    families = {family.name: family.type for family in text_string_to_metric_families(answer.text)}
    assert families == {
        "rawreel_requests": "counter",
        "rawreel_request_seconds": "histogram",
        "rawreel_query_seconds": "summary",
        "rawreel_query_rows": "counter",
        "rawreel_pool": "gauge",
        "rawreel_start_time_seconds": "gauge",
    }


def test_a_scrape_has_one_line_in_the_log(watched, listen):
    lines = listen()
    watched.get("/metrics", headers=HEADERS)
    (line,) = lines
    assert "GET /metrics 200" in line
    assert TOKEN not in line


# What is counted


def test_requests_are_counted_by_their_rule_and_never_by_their_path(watched):
    for number in range(1, 6):
        watched.get(f"{VIDEOS}/{number}")
        watched.get(f"/nowhere/{number}")
        watched.open("/nowhere", method=f"MADEUP{number}")
        watched.open(VIDEOS, method=f"MADEUP{number}")
    samples = scrape(watched)
    rule = f"{VIDEOS}/<int:video_id>"
    assert of(samples, "rawreel_requests_total", method="GET", route=rule, status="404") == 5
    assert of(samples, "rawreel_requests_total", method="GET", route=UNKNOWN, status="404") == 5
    assert of(samples, "rawreel_requests_total", method=UNKNOWN, route=UNKNOWN, status="404") == 5
    assert of(samples, "rawreel_requests_total", method=UNKNOWN, route=UNKNOWN, status="405") == 5
    assert len([1 for name, _ in samples if name == "rawreel_requests_total"]) == 4


def test_times_fall_into_buckets(watched):
    for _ in range(3):
        watched.get("/healthz")
    samples, labels = scrape(watched), {"method": "GET", "route": "/healthz"}
    assert of(samples, "rawreel_request_seconds_bucket", **labels, le="+Inf") == 3
    assert of(samples, "rawreel_request_seconds_bucket", **labels, le="5.0") == 3
    assert of(samples, "rawreel_request_seconds_count", **labels) == 3
    assert 0 < of(samples, "rawreel_request_seconds_sum", **labels) < 3


def test_faults_are_counted_too(watched, root):
    with root.cursor() as cursor:
        cursor.execute("RENAME TABLE videos TO videos_elsewhere")
        try:
            assert watched.get(VIDEOS).status_code == 503
        finally:
            cursor.execute("RENAME TABLE videos_elsewhere TO videos")
    samples = scrape(watched)
    assert of(samples, "rawreel_requests_total", method="GET", route=VIDEOS, status="503") == 1
    assert of(samples, "rawreel_query_seconds_count", query="videos.list_newest") == 1
    assert of(samples, "rawreel_query_rows_total", query="videos.list_newest") == 0


def test_queries_are_counted_by_name_with_their_rows(watched, alice):
    for n in range(3):
        alice.post(VIDEOS, json={"title": f"video {n}"})
    for _ in range(2):
        watched.get(VIDEOS)
    samples = scrape(watched)
    assert of(samples, "rawreel_query_seconds_count", query="videos.list_newest") == 2
    assert of(samples, "rawreel_query_rows_total", query="videos.list_newest") == 6
    assert 0 < of(samples, "rawreel_query_seconds_sum", query="videos.list_newest") < 2
    assert of(samples, "rawreel_query_seconds_count", query="videos.create") is None  # another application's


def test_nothing_is_lost_when_many_ask_at_once(watched):
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: watched.application.test_client().get("/healthz"), range(200)))
    samples = scrape(watched)
    assert of(samples, "rawreel_requests_total", method="GET", route="/healthz", status="200") == 200


def test_the_file_of_a_worker_that_begins_is_waited_for(watched, monkeypatch, tmp_path):
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    (tmp_path / "counter_1.db").touch()  # opened, and not yet of any size
    later = threading.Timer(0.2, (tmp_path / "counter_1.db").write_bytes, [bytes(64 * 1024)])
    later.start()
    assert watched.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    later.join()


def test_the_start_tells_the_version_and_when(watched, client):
    version = client.get("/openapi.json").json["info"]["version"]
    assert time.time() - of(scrape(watched), "rawreel_start_time_seconds", version=version) < 60


def test_applications_count_apart(make_app):
    first, second = (make_app(METRICS_TOKEN=TOKEN).test_client() for _ in range(2))
    first.get("/healthz")
    assert of(scrape(second), "rawreel_requests_total", method="GET", route="/healthz", status="200") is None


def test_the_pool_is_seen_full_and_then_at_rest(make_app):
    app = make_app(METRICS_TOKEN=TOKEN, DB_POOL_SIZE=1)
    client, pool = app.test_client(), app.extensions["database"].pool
    with pool.connection():
        thread = threading.Thread(target=app.test_client().get, args=(VIDEOS,))
        thread.start()
        while not pool.counts()["waiting"]:
            time.sleep(0.01)
        full = scrape(client)
    thread.join()
    rest = scrape(client)
    states = ("size", "open", "lent", "waiting")
    assert [of(full, "rawreel_pool", state=state) for state in states] == [1, 1, 1, 1]
    assert [of(rest, "rawreel_pool", state=state) for state in states] == [1, 1, 0, 0]


@pytest.mark.parametrize("seconds", [0, 0.02])
def test_after_a_rush_no_old_look_at_the_pool_stays(make_app, monkeypatch, seconds):
    monkeypatch.setattr("web.metrics.SAMPLE_PAUSE", seconds)
    app = make_app(METRICS_TOKEN=TOKEN, DB_POOL_SIZE=2)
    registry = app.extensions["watch"].prometheus.registry
    for _ in range(10):
        with ThreadPoolExecutor(6) as threads:
            list(threads.map(lambda _: app.test_client().get(VIDEOS), range(20)))
        assert registry.get_sample_value("rawreel_pool", {"state": "lent"}) == 0
        assert registry.get_sample_value("rawreel_pool", {"state": "waiting"}) == 0


def test_a_look_that_ends_late_is_corrected_by_whoever_ended_meanwhile(make_app, monkeypatch):
    app = make_app(METRICS_TOKEN=TOKEN)
    prometheus, pool = app.extensions["watch"].prometheus, app.extensions["database"].pool
    prometheus.sample_pool()
    prometheus._due = 0.0
    second, rest = threading.Thread(target=prometheus.sample_pool), pool.counts()

    def count():
        if second.ident:
            return rest
        prometheus._due = time.monotonic() + 60
        second.start()
        second.join(0.2)  # it waits for its turn
        return {**rest, "lent": 1}

    monkeypatch.setattr(pool, "counts", count)
    prometheus.sample_pool()
    second.join()
    assert prometheus.registry.get_sample_value("rawreel_pool", {"state": "lent"}) == 0


# The admin's page


def test_an_admin_sees_how_the_server_is_doing(admin, root, app):
    admin.get(VIDEOS)
    answer = admin.get(SYSTEM)
    assert answer.status_code == 200
    system = answer.json
    with root.cursor() as cursor:
        cursor.execute("SELECT VERSION(), (SELECT COUNT(*) FROM schema_migrations WHERE applied_at IS NOT NULL)")
        version, migrations = cursor.fetchone()
    kind = "MariaDB" if "MariaDB" in version else "MySQL"
    database = system["database"]
    assert (database["kind"], database["version"], database["migration_count"]) == (kind, version, migrations)
    assert database["size_bytes"] > 100_000
    assert system["process"]["id"] == os.getpid()
    assert 0 <= system["process"]["uptime_seconds"] < 3600
    assert (system["process"]["memory_bytes"] or 1e8) > 10_000_000
    assert 0 < system["disk"]["free_bytes"] <= system["disk"]["total_bytes"]
    assert system["connections"]["size"] == app.config["DB_POOL_SIZE"]
    assert 1 <= system["connections"]["open"] <= app.config["DB_POOL_SIZE"]
    assert system["versions"].keys() == {"rawreel", "python", "flask", "pymysql"}


def test_the_system_page_tells_no_secret(admin, app):
    text = admin.get(SYSTEM).text
    for name in ("DB_PASSWORD", "DB_SOCKET", "SECRET_KEY"):
        assert str(app.config[name]) not in text
    assert app.root_path not in text


def test_the_slowest_queries_are_named_with_their_place(make_app, admin):
    client = make_app().test_client()
    client.token = admin.token
    for _ in range(3):
        client.get(VIDEOS)
    slowest = {row["name"]: row for row in client.get(SYSTEM).json["slowest_queries"]}
    assert slowest.keys() == {"videos.list_newest", "sessions.get_user", "system.get_database"}
    row = slowest["videos.list_newest"]
    assert row["place"].startswith("sql/videos.sql:")
    assert (row["count"], row["rows"]) == (3, 0)
    assert 0 < row["mean_ms"] <= row["max_ms"]
    assert slowest["sessions.get_user"]["rows"] == 4


def test_the_slowest_come_first_and_are_ten(app):
    watch = type(app.extensions["watch"])()
    queries = list(app.extensions["database"].queries.values())[:12]
    for number, query in enumerate(queries):
        for factor in (1, 3):
            watch.count_query(query, number * factor / 1000, 2)
    rows = watch.slowest(10)
    assert [row["name"] for row in rows] == [query.name for query in reversed(queries[2:])]
    assert (rows[0]["mean_ms"], rows[0]["max_ms"], rows[0]["count"], rows[0]["rows"]) == (22, 33, 2, 4)


def test_no_run_is_lost_when_many_threads_count(app):
    watch = type(app.extensions["watch"])()
    query = next(iter(app.extensions["database"].queries.values()))
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: [watch.count_query(query, 0.001, 1) for _ in range(2000)], range(8)))
    assert watch.slowest(1)[0]["count"] == 16_000


def test_without_proc_the_memory_is_not_told(admin, monkeypatch, tmp_path):
    monkeypatch.setattr("web.metrics.STATM", tmp_path / "statm")
    assert admin.get(SYSTEM).json["process"]["memory_bytes"] is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_begins_anew(app):
    watch = app.extensions["watch"]
    time.sleep(0.05)
    reading, writing = os.pipe()
    if not (child := os.fork()):
        os.write(writing, str(watch.started_at).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert float(os.read(reading, 100)) >= watch.started_at + 0.05
    os.close(reading)
    os.close(writing)
