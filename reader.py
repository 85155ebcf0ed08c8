"""Reads the rows of an answer straight into dicts that are ready for JSON, in one pass. It knows no query.

PyMySQL parses the description of each column again for every answer, and makes an object of every packet. Here the bytes
of the descriptions are compared with those of the last answers to the same query, and a function that was generated for
these columns reads a row. Whatever is out of the ordinary is left to PyMySQL: errors, an answer without rows, a packet that is
not whole in the buffer.

This uses parts of PyMySQL that are not public. `is_usable` says whether it is a version for which tests/test_reader.py
holds the two readers equal. With another version the pool uses PyMySQL's own reader, and Query.rows() converts its rows.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson
import pymysql
from pymysql.connections import MySQLResult
from pymysql.constants import CR, SERVER_STATUS

from queries import Query, Row

ReadRow = Callable[[bytes, int, int], Row]

is_usable = pymysql.VERSION_STRING in ("1.2.4",)

BUFFER = 64 * 1024  # bytes; PyMySQL's own buffer of 8 kB cuts most pages into pieces
END = struct.Struct("<HH")  # the last packet: how many warnings, and the state of the server
FLAGS = ("is_", "can_")  # how the names of columns begin that are true or false
UTF8 = ("utf8", "ascii")
MOST = 8  # descriptions to keep for a query: those of an expression can depend on its values


@dataclass(frozen=True)
class Plan:
    """How the answers to a query are read whose columns are described by the packets `raw`."""

    raw: bytes
    next_sequence: int
    description: tuple[Any, ...]
    read_row: ReadRow


def read_answer(connection: Any, query: Query) -> Any:
    """Read the answer to a query, as Connection._read_query_result does."""
    connection._result = None
    answer = Answer(connection, query)
    answer.read()
    connection._result = answer
    if answer.server_status is not None:
        connection.server_status = answer.server_status
    return answer.affected_rows


class Answer(MySQLResult):
    """The answer to a query. Its `rows` are a list of dicts, or with two columns of one name PyMySQL's tuples."""

    connection: Any

    def __init__(self, connection: Any, query: Query):
        super().__init__(connection)
        self.query = query
        self.read_row: ReadRow | None = None

    def read(self) -> None:
        buffered = self._peek()
        for plan in self.query.plans:
            if buffered.startswith(plan.raw):
                self.description, self.read_row = plan.description, plan.read_row
                try:
                    self._read_rows(buffered, len(plan.raw), plan.next_sequence)
                finally:
                    self.connection = None
                return
        super().read()

    def _get_descriptions(self) -> None:
        buffered = self._peek()
        super()._get_descriptions()
        columns = zip((column[0] for column in self.description), self.converters)
        described = [(name, name in self.query.json, *converter) for name, converter in columns]
        if len({name for name, *_ in described}) < len(described):
            return  # Query.rows() raises
        self.read_row = generate(*described)
        end = _find_end(buffered, self.field_count + 1)
        if end and self.field_count <= 250:
            count = bytes([1, 0, 0, 1, self.field_count])  # the packet before the descriptions
            plan = Plan(count + buffered[:end], self.connection._next_seq_id, self.description, self.read_row)
            self.query.plans.insert(0, plan)
            del self.query.plans[MOST:]

    def _read_rowdata_packet(self) -> None:
        if self.read_row:
            self._read_rows(self._peek(), 0, self.connection._next_seq_id)
        else:
            super()._read_rowdata_packet()

    def _read_rows(self, buffered: bytes, start: int, sequence: int) -> None:
        """Read the rows and the end of the answer. `buffered` has arrived; what is before `start` is read already."""
        rows: list[Row] = []
        connection, read_row, is_over = self.connection, self.read_row, False
        assert read_row
        while True:
            # Read the whole packets that are in the buffer, and take them out of it
            size = len(buffered) - 4
            while start < size:
                end = start + 4 + int.from_bytes(buffered[start : start + 3], "little")
                if end > size + 4 or buffered[start + 3] != sequence:
                    break
                if buffered[start + 4] >= 0xFE:
                    is_over = end - start == 9 and buffered[start + 4] == 0xFE
                    if is_over:  # two objects of PyMySQL would take 7 us for this
                        self.warning_count, status = END.unpack_from(buffered, start + 5)
                        self.has_next = status & SERVER_STATUS.SERVER_MORE_RESULTS_EXISTS
                        start, sequence = end, (sequence + 1) & 0xFF
                    break
                rows.append(read_row(buffered, start + 4, end))
                start, sequence = end, (sequence + 1) & 0xFF
            connection._rfile.read(start)
            connection._next_seq_id = sequence
            if is_over:
                break
            # PyMySQL reads the next one: an error, or a row or an end of which the rest is to come
            packet = connection._read_packet()
            if self._check_packet_is_eof(packet):
                break
            data = packet.get_all_data()
            rows.append(read_row(data, 0, len(data)))
            buffered, start, sequence = self._peek(), 0, connection._next_seq_id
        self.connection = None
        self.affected_rows, self.rows = len(rows), rows

    def _peek(self) -> bytes:
        """Return the bytes that have arrived and are not read yet. Waits for some if there are none."""
        try:
            buffered: bytes = self.connection._rfile.peek()
        except BaseException as error:
            self.connection._force_close()
            if isinstance(error, OSError):
                text = f"Lost connection to MySQL server during query ({error})"
                raise pymysql.OperationalError(CR.CR_SERVER_LOST, text) from error
            raise
        return buffered


def _find_end(packets: bytes, count: int) -> int:
    """Return where so many packets end, or 0 if they are not all there."""
    end = 0
    for _ in range(count):
        end += 4 + int.from_bytes(packets[end : end + 3], "little")
    return end if end <= len(packets) else 0


@cache
def generate(*columns: tuple[str, bool, str | None, Callable[[str], Any] | None]) -> ReadRow:
    """Generate the function that reads one row, a dict, from `packet` between two places.

    A column has a name, whether it holds JSON, the encoding of its text (None for bytes), and PyMySQL's converter.
    """
    names: dict[str, Any] = {"loads": orjson.loads, "length_at": _length_at, "no_row": _no_row}
    lines = ["def read_row(packet, at, end):"]
    for number, (name, is_json, encoding, convert) in enumerate(columns):
        names[f"convert_{number}"] = convert
        value = f"value_{number} = {_expression(name, is_json, encoding, convert, number)}"
        lines += ["    length = packet[at]", "    at += 1"]
        if convert is int and not name.startswith(FLAGS):
            # Most counters have one digit: without the slice and int() a row of a list takes a tenth less.
            lines += ["    if length == 1:", f"        value_{number} = packet[at] - 48", "        at += 1", "    elif"]
        else:
            lines += ["    if"]
        lines[-1] += " length < 251:"
        lines += [
            f"        {value}",
            "    elif length == 251:",
            f"        value_{number} = None",
            "    else:",
            "        length, at = length_at(packet, at)",
            f"        {value}",
        ]
    pairs = ", ".join(f"{name!r}: value_{number}" for number, (name, *_) in enumerate(columns))
    lines += ["    if at != end:", "        no_row()", f"    return {{{pairs}}}"]
    exec("\n".join(lines), names)
    return names["read_row"]


def _expression(name: str, is_json: bool, encoding: str | None, convert: Any, number: int) -> str:
    """Return the expression for a value, which is `length` bytes of the packet."""
    value = "packet[at:(at := at + length)]"
    if name.startswith(FLAGS):
        return f"{value} != b'0'" if convert is int else f"bool({_convert(value, encoding, convert, number)})"
    return f"loads({value})" if is_json else _convert(value, encoding, convert, number)


def _convert(value: str, encoding: str | None, convert: Any, number: int) -> str:
    if convert in (int, float):  # both read bytes
        return f"convert_{number}({value})"
    # Numbers and dates are ASCII. Naming the encoding would take a third longer.
    text = value if encoding is None else f"{value}.decode()" if encoding in UTF8 else f"{value}.decode({encoding!r})"
    if convert is read_datetime:  # the call takes a twentieth of a row; only years below 1000 need it
        return f"convert_{number}({text}) if packet[at] == {ord('0')} else {text}.replace(' ', 'T') + 'Z'"
    return f"convert_{number}({text})" if convert else text


def read_datetime(text: str) -> str | None:
    """Convert a DATETIME to ISO 8601 with Z (every connection runs in UTC).

    The zero date of old servers becomes None.
    """
    return None if text.startswith("0000-") else f"{text[:10]}T{text[11:]}Z"


def _length_at(packet: bytes, at: int) -> tuple[int, int]:
    """Return the length of a value whose first byte, before `at`, is above 251. And where the value begins."""
    size = {252: 2, 253: 3, 254: 8}[packet[at - 1]]
    return int.from_bytes(packet[at : at + size], "little"), at + size


def _no_row() -> None:
    raise pymysql.InternalError(CR.CR_MALFORMED_PACKET, "Malformed packet: a row does not end where its packet ends")
