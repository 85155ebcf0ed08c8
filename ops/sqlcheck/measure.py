"""How many rows the server reads for a query: each is run with values of several kinds, in a transaction that only reads.

A plan does not tell. `WHERE v.description = ? ORDER BY v.id LIMIT 5` walks over the primary key: for the plan that is
5 rows, and it is the whole table when nothing matches.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ops.sqlcheck.inspection import Inspector
from ops.sqlcheck.text import reading_part
from pool import Connection
from queries import Query

READS = 200  # rows that a query may read to give none: a table of LARGE rows has more
READS_PER_ROW = (
    40  # and for each row that it gives: joins, rows that are counted or summed, a sort in a temporary table
)
SECONDS = 1  # that a statement may take
MAX_GIVEN = 1000  # rows that are fetched of a result
OUT_OF_TIME = (1969, 3024)
OUT_OF_RANGE = 1690  # an expression, with these values alone: such as a counter below 0

# With these switches on, a server passes over rows of an index without counting them. MySQL does not know the second one.
FILTERS = ("index_condition_pushdown=off", "index_condition_pushdown=off,rowid_filter=off")
LIMITS = (  # MariaDB alone and MySQL alone read the parts in comments
    f"sql_select_limit = {MAX_GIVEN}"
    f" /*M!100100 , max_statement_time = {SECONDS} */ /*!80000 , max_execution_time = {SECONDS * 1000} */"
)


@dataclass(frozen=True)
class Cost:
    """What a run has cost, or some together. `read` is None if the statement was stopped."""

    read: int | None
    given: int
    values: dict[str, Any]

    @property
    def excess(self) -> float:
        """Return how many more rows were read than the rows that were given explain."""
        return float("inf") if self.read is None else self.read - READS_PER_ROW * self.given

    @property
    def is_high(self) -> bool:
        return self.excess > READS

    def __str__(self) -> str:
        if self.read is None:
            return f"takes more than {SECONDS} s"
        return f"reads {self.read:,} rows to give {self.given:,}"


class Meter:
    """Counts what the server reads for statements that are run one after another. See measuring()."""

    def __init__(self, inspector: Inspector, own: int):
        self.inspector, self.own = inspector, own  # reads of SHOW STATUS itself
        self._count: int | None = None  # the server's at the end of the last run, if it came to its end

    def measure(self, query: Query, groups: Iterable[Sequence[dict[str, Any]]]) -> list[Cost]:
        """Run what a statement reads, with the values of each run. Stop after a run whose cost is too high.

        The runs of a group are counted together, if that shows that none is too high; else each alone. An UPDATE or DELETE
        is run as a SELECT of the rows that it would find. A statement that reads nothing has no cost.
        """
        costs: list[Cost] = []
        text = reading_part(query)
        for runs in filter(None, groups if text else ()):
            costs += self._measure(text, query, runs)
            if costs and costs[-1].is_high:
                break
        return costs

    def _measure(self, text: str, query: Query, runs: Sequence[dict[str, Any]]) -> list[Cost]:
        before = count_reads(self.inspector) if self._count is None else self._count
        self._count, read, given = None, None, []
        try:
            given = [*self._run(text, query, runs)]
            self._count = count_reads(self.inspector)
            read = self._count - before - self.own
            if not given:
                return []
        except Connection.Error as error:
            if error.args[0] not in OUT_OF_TIME:
                raise
        if len(runs) == 1 or (read is not None and read <= READS + READS_PER_ROW * min(given)):
            return [Cost(read, sum(given), runs[0])]
        return self.measure(query, [[values] for values in runs])

    def _run(self, text: str, query: Query, runs: Sequence[dict[str, Any]]) -> Iterator[int]:
        """Yield the number of rows that each run gives. One is left out if the server cannot calculate with its values."""
        for values in runs:
            try:
                yield self.inspector.cursor.execute(text, query.bind(values))
            except Connection.Error as error:
                if error.args[0] != OUT_OF_RANGE:
                    raise


@contextmanager
def measuring(inspector: Inspector, limits: str = LIMITS) -> Iterator[Meter]:
    """Give a Meter, in a transaction that only reads. Nothing else may be sent on the connection meanwhile."""
    cursor = inspector.cursor
    cursor.execute(f"SET optimizer_switch = '{FILTERS[inspector.is_mariadb]}'{limits and ', '}{limits}")
    before = count_reads(inspector)
    own = count_reads(inspector) - before
    cursor.execute("START TRANSACTION READ ONLY")
    try:
        yield Meter(inspector, own)
    finally:
        inspector.connection.rollback()


def count_reads(inspector: Inspector) -> int:
    """Return how many rows the server has read on this connection."""
    inspector.cursor.execute("SHOW SESSION STATUS LIKE %s", (r"Handler\_read%",))
    return sum(int(value) for _, value in inspector.cursor.fetchall())
