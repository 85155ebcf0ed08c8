"""The server behind `flask live`: plain asyncio, and the application itself.

A thread gives each request to the application, as any other server does. So its refusals, limits, headers and log are
those of the API. If the answer is a stream of events, the loop goes on with it alone: whenever the feed has read something
new, it writes the same bytes to all who listen. So a listener has no thread and no connection of the database.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from flask import Flask

from domain.feed import BEAT, COMMENT, LISTENER, Feed, Listener
from ops.live.head import MAX_BYTES, Refusal, parse
from web.capacity import Capacity

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

log = logging.getLogger("rawreel.live")

MOST = 10_000  # listeners
OF_ADDRESS = 500  # of them from one address: a school fits
SPARE = 200  # connections more, whose requests are not read yet
THREADS = 4  # that answer requests
HEAD_SECONDS = 10  # for a whole request
BEHIND = 256 * 1024  # bytes that a listener may leave unread before it is cut off
KERNEL = 64 * 1024  # bytes that the system keeps for each, by about
SILENT = 30_000  # milliseconds after which the system gives up a client that does not acknowledge what it got
BACKLOG = 1024
FULL = "Too many people are listening right now."


class Answer(NamedTuple):
    """What the application has answered. `listener` is there if it is a stream of events."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes
    listener: Listener[Any] | None = None
    parts: Any = None  # to be closed at the end of a stream


class Client:
    """A connection to which events are sent."""

    def __init__(self, listener: Listener[Any], writer: asyncio.StreamWriter):
        self.listener, self.writer = listener, writer
        self.sent_at = time.monotonic()

    def send_news(self) -> None:
        """Send what is new. At the end of the topic, or if the client is too slow, close the connection."""
        events = self.listener.take()
        if events:
            self.send(events)
        if events is None or self.listener.topic.is_gone:
            self.writer.close()

    def send(self, data: bytes) -> None:
        """Send some bytes, unless too many wait already: then cut the client off."""
        if self.writer.transport.get_write_buffer_size() > BEHIND:
            self.writer.transport.abort()
        elif not self.writer.is_closing():
            self.sent_at = time.monotonic()
            self.writer.write(data)


class Server:
    """Answers requests, and sends events to those who listen."""

    def __init__(self, app: Flask):
        self.app = app
        self.feeds: dict[str, Feed[Any]] = app.extensions["feeds"]
        self.clients: set[Client] = set()
        self.connections = 0
        self.port = 0  # once it listens
        # The application's own places are for threads; here a listener takes none.
        capacity = app.extensions["capacity"] = Capacity(2 * MOST)
        capacity.add("live", MOST, FULL, of_address=OF_ADDRESS)

    async def run(self, host: str, port: int) -> None:
        """Serve until a signal to end comes."""
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(THREADS, "answer"))
        for feed in self.feeds.values():
            feed.on_change = lambda: loop.call_soon_threadsafe(self._send_news)
        ending = asyncio.Event()
        self.end = lambda: loop.call_soon_threadsafe(ending.set)
        for number in (signal.SIGTERM, signal.SIGINT):
            with suppress(NotImplementedError, RuntimeError):  # on Windows, where Ctrl-C interrupts, and in a thread
                loop.add_signal_handler(number, ending.set)
        server = await asyncio.start_server(self._serve, host, port, limit=MAX_BYTES, backlog=BACKLOG)
        self.port = server.sockets[0].getsockname()[1]
        log.info("events of live rooms are at http://%s:%d", host, self.port)
        beats = asyncio.create_task(self._beat())
        await ending.wait()
        log.info("the end: %d listeners will come again", len(self.clients))
        beats.cancel()
        server.close()
        for client in self.clients:
            client.writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request, and close the connection at the end of the answer."""
        self.connections += 1
        try:
            answer = await self._answer(reader, writer)
            writer.write(_write_head(answer) + answer.body)
            if answer.listener:
                await self._listen(answer, reader, writer)
            else:
                await asyncio.wait_for(writer.drain(), HEAD_SECONDS)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.TimeoutError):
            pass  # the client has gone, or is too slow
        except asyncio.CancelledError:
            pass  # the server ends; Python 3.11 would log a traceback for each client
        finally:
            self.connections -= 1
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Answer:
        try:
            if self.connections > MOST + SPARE:
                raise Refusal(503, FULL)
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), HEAD_SECONDS)
            environ = parse(head, writer.get_extra_info("peername")[0], self.port)
            return await asyncio.get_running_loop().run_in_executor(None, self._ask, environ)
        except asyncio.LimitOverrunError:
            return _refuse(431, "The headers are too large.")
        except Refusal as refusal:
            return _refuse(refusal.status, refusal.sentence)

    def _ask(self, environ: WSGIEnvironment) -> Answer:
        """Let the application answer. This runs in a thread."""
        begun: tuple[str, list[tuple[str, str]]] = "", []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            nonlocal begun
            begun = status, headers

        parts: Iterable[bytes] = self.app(environ, start_response)
        listener: Listener[Any] | None = environ.get(LISTENER)
        if listener and environ["REQUEST_METHOD"] == "GET":
            return Answer(*begun, listener.first, listener, parts)
        try:
            return Answer(*begun, b"".join(parts))
        finally:
            if hasattr(parts, "close"):  # an answer that is whole needs none
                parts.close()

    async def _listen(self, answer: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Send events until the client goes or its time is over."""
        assert answer.listener
        client = Client(answer.listener, writer)
        try:
            if writer.is_closing():  # the client has gone while the application has answered, and so has the socket
                return
            _limit_unread(writer.get_extra_info("socket"))
            self.clients.add(client)
            client.send_news()  # what came since the application has answered
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(reader.read(1), max(0.0, client.listener.until - time.monotonic()))
        finally:
            self.clients.discard(client)
            answer.parts.close()

    def _send_news(self) -> None:
        for client in self.clients:
            client.send_news()

    async def _beat(self) -> None:
        """Send a comment to those who have got nothing for long."""
        while True:
            await asyncio.sleep(1)
            before = time.monotonic() - BEAT
            for client in self.clients:
                if client.sent_at < before:
                    client.send(COMMENT)


def _limit_unread(line: socket.socket) -> None:
    """Limit what the system keeps for a client that does not read, and for how long."""
    line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENT)


def _write_head(answer: Answer) -> bytes:
    fields = "".join(f"{name}: {value}\r\n" for name, value in answer.headers)
    date = formatdate(usegmt=True)
    return f"HTTP/1.1 {answer.status}\r\nDate: {date}\r\n{fields}Connection: close\r\n\r\n".encode("latin-1")


def _refuse(status: int, sentence: str) -> Answer:
    """Answer what the application does not see, with a problem document like its own."""
    title = HTTPStatus(status).phrase
    code = title.lower().replace(" ", "_")
    body = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": sentence,
        "code": code,
        "request_id": None,
    }
    data = orjson.dumps(body)
    headers = [("Content-Type", "application/problem+json"), ("Content-Length", str(len(data)))]
    return Answer(f"{status} {title}", [*headers, ("Retry-After", "3")] if status == 503 else headers, data)
