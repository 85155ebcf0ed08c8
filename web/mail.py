"""Mail. A thread of its own sends it after the request.

So an answer does not wait for it, and its time does not show whether a mail was sent. Without MAIL_HOST nothing is
sent; under DEBUG the log then shows the mail, so that a class can follow its link. domain/mails.py keeps what is not sent.
"""

from __future__ import annotations

import atexit
import logging
import os
import smtplib
import ssl
import threading
import traceback
from collections.abc import Callable
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, localtime, make_msgid
from queue import Full, Queue
from typing import Any

from flask import Flask, current_app, has_request_context

from web.api import after_commit

log = logging.getLogger("rawreel.mail")

MAX_WAITING = 200  # mails in the queue; more wait for the worker, if they are stored
TIMEOUT = 15.0  # seconds for each step with the mail server
EXIT_WAIT = 3.0  # seconds that an ending process waits for the queue


class Outbox:
    """The queue of mails, and the thread that sends them.

    The thread starts at the first mail of a process, as a fork copies no threads. The process can end without it.
    """

    def __init__(self, app: Flask):
        self.app, self._lock, self._pid = app, threading.Lock(), 0
        self._waiting: Queue[Callable[[], None]] = Queue(MAX_WAITING)

    def put(self, work: Callable[[], None]) -> None:
        """Put work() into the queue. It runs in the application's context; an error in it is logged."""
        with self._lock:
            if self._pid != os.getpid():
                self._pid, self._waiting = os.getpid(), Queue(MAX_WAITING)
                # Not a ThreadPoolExecutor: at exit Python would wait for its threads, as long as the mail server takes.
                threading.Thread(target=self._work, args=(self._waiting,), name="mail", daemon=True).start()
                atexit.register(self._end)
        try:
            self._waiting.put_nowait(work)
        except Full:
            log.error(
                "the queue has %d mails: one more waits for the worker, or is lost if it is not stored yet", MAX_WAITING
            )

    def wait(self, seconds: float) -> bool:
        """Wait until the queue is empty. Return whether it is."""
        waiting = self._waiting
        with waiting.all_tasks_done:
            return waiting.all_tasks_done.wait_for(lambda: not waiting.unfinished_tasks, seconds)

    def _work(self, waiting: Queue[Callable[[], None]]) -> None:
        while True:
            work = waiting.get()
            try:
                with self.app.app_context():
                    work()
            except Exception as error:
                log.error("a mail could not be sent: %s", describe(error))
            finally:
                waiting.task_done()

    def _end(self) -> None:
        if not self.wait(EXIT_WAIT):
            log.error(
                "the process ends, and %d mails were not sent: what is stored waits for the worker",
                self._waiting.unfinished_tasks,
            )


def install(app: Flask) -> None:
    """Give the application its outbox."""
    app.extensions["outbox"] = Outbox(app)


def run_later(work: Callable[[], None]) -> None:
    """Run work(), which may call send(), in the mail thread after the commit. An error in it is only logged."""
    put = current_app.extensions["outbox"].put
    after_commit(lambda: put(work)) if has_request_context() else put(work)


def send(to: str, subject: str, text: str) -> None:
    """Send one mail. Call it through run_later(). is_final() and describe() are for what it raises."""
    config, message = current_app.config, EmailMessage()
    message["Subject"], message["From"] = subject, config["MAIL_FROM"] or "rawreel@localhost"
    message["To"] = Address(addr_spec=to)  # refuses a text that is not exactly one address
    message["Date"] = format_datetime(localtime())
    message["Message-ID"] = make_msgid(domain=message["From"].addresses[0].domain)
    message["Auto-Submitted"] = "auto-generated"  # so that we get no "out of office" replies
    message.set_content(text)
    if config["MAIL_HOST"]:
        _deliver(config, message)
        log.info("mail sent: %s", subject)
    elif current_app.debug:
        log.info("there is no MAIL_HOST, so here is the mail to %s: %s", to, subject)
        for line in filter(None, message.get_content().splitlines()):
            log.info("| %s", line)
    else:
        log.warning("there is no MAIL_HOST, so a mail was not sent: %s", subject)


def is_final(error: Exception) -> bool:
    """Return whether another try is of no use: the server has refused this mail by a 5xx, or the fault is in our code.

    All else may pass: a 4xx, as greylisting gives, a server that is down, and also a login that it refuses, which is
    about our settings and not about the mail.
    """
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(code >= 500 for code, _ in error.recipients.values())
    if isinstance(error, (smtplib.SMTPSenderRefused, smtplib.SMTPDataError)):
        return error.smtp_code >= 500
    return not isinstance(error, OSError)


def describe(error: Exception) -> str:
    """Describe an error for the log. What a server says may quote the mail, so only its number is told."""
    name = type(error).__name__
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return f"{name} {' '.join(str(code) for code, _ in error.recipients.values())}"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{name} {error.smtp_code}"
    if isinstance(error, OSError):
        return f"{name}: {error}"
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{name} at {place.filename}:{place.lineno}"


def _deliver(config: Any, message: EmailMessage) -> None:
    where, encryption = (config["MAIL_HOST"], config["MAIL_PORT"]), config["MAIL_TLS"]
    context = ssl.create_default_context() if encryption != "none" else None  # costs tens of milliseconds
    if encryption == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(*where, timeout=TIMEOUT, context=context)
    else:
        server = smtplib.SMTP(*where, timeout=TIMEOUT)
    with server:
        if encryption == "starttls":
            server.starttls(context=context)
        if config["MAIL_USERNAME"]:
            server.login(config["MAIL_USERNAME"], config["MAIL_PASSWORD"])
        server.send_message(message)
