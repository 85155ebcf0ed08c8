"""Compare the demo world with what it was: python demo_world.py PROJECT FILE

The first time, FILE gets all rows of the database of PROJECT. After that, each of them must still be there, unchanged but
for the columns that follow what is added. `demo` and `admin` must have their password.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

project, file = sys.argv[1], Path(sys.argv[2])
sys.path.insert(0, project)

from ops.demo.world import ADMIN, PASSWORD, USERNAME  # noqa: E402
from ops.server.private import PrivateServer  # noqa: E402
from web.passwords import is_password  # noqa: E402

MAY_CHANGE = {
    "users": {"following_count", "used_bytes"},  # the demo user follows somebody new, and uploads
    "videos": {"view_count", "hot_score"},  # the worker adds the views of those who came before
    "blocked_word_versions": {"version"},
}
PASSING = ("jobs", "rate_limits", "slow_queries", "video_views")  # tables of what passes by itself


def read() -> dict[str, dict[str, dict[str, Any]]]:
    """Return the rows of each table by their primary key."""
    tables: dict[str, dict[str, dict[str, Any]]] = {}
    server = PrivateServer(Path(project) / "instance" / "mariadb")
    with server.connect(database="rawreel") as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, GROUP_CONCAT(column_name ORDER BY seq_in_index) FROM information_schema.statistics"
            " WHERE table_schema = 'rawreel' AND index_name = 'PRIMARY' GROUP BY table_name"
        )
        for table, key in cursor.fetchall():
            if table in PASSING:
                continue
            cursor.execute(f"SELECT * FROM `{table}`")
            names = [column[0] for column in cursor.description]
            rows = [{name: str(value) for name, value in zip(names, row)} for row in cursor.fetchall()]
            tables[table] = {" ".join(row[name] for name in key.split(",")): row for row in rows}
    return tables


now = read()
if not file.exists():
    file.write_text(json.dumps(now), encoding="utf-8")
    print(f"{sum(map(len, now.values()))} rows in {len(now)} tables are noted.")
    sys.exit()
wrong = []
for table, rows in json.loads(file.read_text(encoding="utf-8")).items():
    for key, row in rows.items():
        there = now[table].get(key, {})
        for name in sorted(row.keys() - MAY_CHANGE.get(table, set())):
            if row[name] != there.get(name):
                wrong.append(f"{table} {key}: {name} was {row[name]} and is {there.get(name)}")
hashes = {row["username"]: row["password_hash"] for row in now["users"].values()}
wrong += [f"{name} has another password" for name in (USERNAME, ADMIN) if not is_password(PASSWORD, hashes.get(name))]
print("\n".join(wrong) or "The demo world is as it was.")
sys.exit(1 if wrong else 0)
