"""Rate limits. Passwords and mails are counted in the database, exactly over all processes; other writes in memory.

A limit is written ACCOUNT/ADDRESS/SECONDS: how many tries for one account, and from one address, in a window of time.
The window begins with the first try. The settings LIMIT_... hold the limits.
"""

from __future__ import annotations

import hmac
import ipaddress
import math
import threading
import time
from collections import Counter
from collections.abc import Callable

from flask import Flask, current_app, g, request

from current import db
from language import say
from web.errors import Problem
from web.text import fold

KNOWN_DAYS = 30  # how long an account is known where it has logged in
MAX_WAIT = 5.0  # seconds that a guess may wait for the guesses before it
RETRY_SOON = 3  # seconds for Retry-After if a place may come free before the window ends


def install(app: Flask) -> None:
    """Make the counters of this process. Under DEBUG the server makes threads as needed, so a whole class may wait."""
    app.extensions["writes"] = Writes(*map(int, app.config["LIMIT_WRITES"].split("/")))
    app.extensions["guesses"] = Guesses(64 if app.debug else max(1, app.config["THREADS"] // 4))


def count(rule: str, account: str | None) -> None:
    """Count one try for the account and one for the address, each with one command.

    Past the limit raise a 429 and count nothing.
    """
    end_guess(_count(rule, address=network(), account=account), is_wrong=True)


def begin_guess(kind: str, who: str, is_known: Callable[[], bool]) -> tuple[list[bytes], Problem | None]:
    """Count a guess at a password before the password is checked. Raises a 429 past the limit.

    Return the argument of end_guess(), and the answer to a wrong password if the address is past its limit. An account
    that `is_known` there may still be tried, under its own limit: one pupil must not lock a class out. The answer to a
    wrong password is then the 429 that all other names get, so that it does not tell which accounts are known.
    """
    refusal: Problem | None = None
    counted: list[bytes] = []
    try:
        counted = _count("login", address=network())
    except Problem as problem:
        if not is_known():
            raise
        refusal = problem
    try:
        return counted + _count("login", **{kind: who}), refusal
    except BaseException as error:
        end_guess(counted, is_wrong=False)
        if refusal and isinstance(error, Problem):
            raise refusal from None
        raise


def end_guess(counted: list[bytes], is_wrong: bool) -> None:
    """Take the count back unless the guess was wrong. So people who know their password never use up the limit."""
    try:
        for subject in () if is_wrong else counted:
            db.execute("rate_limits.set_back", subject=subject)
    finally:
        current_app.extensions["guesses"].end(counted, is_wrong)


def _count(rule: str, **subjects: str | None) -> list[bytes]:
    """Count one try for each subject, by its kind. Return what was counted."""
    if not current_app.config["RATE_LIMITS"]:
        return []
    by_account, by_address, seconds = map(int, current_app.config[f"LIMIT_{rule.upper()}"].split("/"))
    counted: list[bytes] = []
    try:
        for kind, who in subjects.items():
            if who is not None:
                subject = subject_of(rule, kind, who)
                _count_one(subject, by_address if kind == "address" else by_account, seconds)
                counted.append(subject)
    except BaseException:
        end_guess(counted, is_wrong=False)
        raise
    return counted


def _count_one(subject: bytes, limit: int, seconds: int) -> None:
    guesses: Guesses = current_app.extensions["guesses"]
    deadline, hits = time.monotonic() + MAX_WAIT, limit + 1
    while hits > limit:
        taken_back = guesses.begin(subject)
        try:  # an upsert always has a row, so this is never None; 0 means the first try
            hits = db.insert("rate_limits.create", subject=subject, limit=limit, seconds=seconds) or 0
        finally:
            if hits > limit:
                guesses.end([subject], is_wrong=True)
        if hits > limit and not guesses.wait(subject, taken_back, deadline):
            is_open = guesses.is_open(subject)
            raise too_many(RETRY_SOON if is_open else db.fetch_value("rate_limits.get_seconds", subject=subject) or 1)


def forget_guesses(username_key: str) -> None:
    """Reset the count of guesses for an account, after its owner has proven who they are in another way."""
    db.execute("rate_limits.delete", subject=subject_of("login", "account", username_key))


def remember(user_id: int) -> None:
    """Remember for KNOWN_DAYS that a user has logged in from this network."""
    if current_app.config["RATE_LIMITS"]:
        db.insert("rate_limits.create", subject=_login_of(user_id), limit=1, seconds=KNOWN_DAYS * 24 * 3600)


def is_known(user_id: int) -> bool:
    """Return whether a user has logged in from this network lately."""
    return (db.fetch_value("rate_limits.get_seconds", subject=_login_of(user_id)) or 0) > 0


def _login_of(user_id: int) -> bytes:
    return subject_of("known", network(), str(user_id))


def subject_of(rule: str, kind: str, who: str) -> bytes:
    """Return 32 bytes that stand for an account or an address in a table that must not show it."""
    # With the key: a thief of the table must not find the names by trying, nor a password that was typed as a name.
    return hmac.digest(current_app.config["SECRET_KEY"].encode(), f"{rule} {kind} {who}".encode(), "sha256")


def may_mail(address: str) -> bool:
    """Count one mail to a mailbox, no matter who asked for it. Return False if the mailbox has had its limit."""
    if not current_app.config["RATE_LIMITS"]:
        return True
    most, seconds = map(int, current_app.config["LIMIT_MAILS"].split("/"))
    counted = {"subject": subject_of("mail", "address", _mailbox(address)), "limit": most, "seconds": seconds}
    return (db.insert("rate_limits.create", **counted) or 0) <= most


def _mailbox(address: str) -> str:
    """Return the mailbox of an address: name+tag@host goes to that of name@host. Dots count, but at a few hosts."""
    name, _, host = fold(address).rpartition("@")
    return f"{name.partition('+')[0] or name}@{host}"


def sweep() -> None:
    """Delete some of the counters whose window has ended."""
    if subjects := [row["subject"] for row in db.fetch_all("rate_limits.list_expired")]:
        db.execute("rate_limits.delete_expired", subjects=subjects)


def count_write() -> None:
    """Count one ordinary write of the user, or else of the address. Raises a 429 past the limit of this process."""
    if current_app.config["RATE_LIMITS"]:
        current_app.extensions["writes"].count(sender())


def sender() -> int | str:
    """Return who sends this request: the id of the user, or else the address."""
    user = g.get("user")
    return user["id"] if user else network()


def network() -> str:
    """Return the address of the client; for IPv6 its /64 network, as one household has 2^64 addresses."""
    try:
        found = ipaddress.ip_address(request.remote_addr or "")
    except ValueError:
        return ""  # all that is not an address counts together
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped:  # a server that listens on :: sees IPv4 clients like this
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((int(found), 64), strict=False))


def too_many(seconds: float) -> Problem:
    """Make a 429 that says when to try again."""
    wait = max(1, math.ceil(seconds))
    sentence = say("Too many requests: try again in {n} seconds.", n=wait)
    if wait == 1:
        sentence = say("Too many requests: try again in 1 second.")
    elif wait >= 120:
        sentence = say("Too many requests: try again in {n} minutes.", n=math.ceil(wait / 60))
    return Problem(429, sentence, headers={"Retry-After": str(wait)})


class Writes:
    """The writes of each user and each address in the current window of time."""

    def __init__(self, limit: int, seconds: int):
        self.limit, self.seconds = limit, seconds
        self._window, self._lock = 0.0, threading.Lock()
        self._hits: dict[int | str, int] = {}

    def count(self, who: int | str) -> None:
        """Count one write. Raises a 429 past the limit."""
        now = time.monotonic()
        with self._lock:
            if now >= self._window + self.seconds:
                self._window = now
                self._hits.clear()
            self._hits[who] = hits = self._hits.get(who, 0) + 1
        if hits > self.limit:
            raise too_many(self._window + self.seconds - now)


class Guesses:
    """The open guesses: passwords that this process is still checking.

    An open guess is counted, and taken back if it is right. If forty people log in to one account at once, the last ten
    must not get a 429 for a limit that nobody has reached. So they wait, at most `places` of them.
    """

    def __init__(self, places: int):
        self._taken_back = 0  # how many guesses, since the process began
        self._open, self._changed, self._places = Counter[bytes](), threading.Condition(), places

    def begin(self, subject: bytes) -> int:
        """Open a guess, before it is counted. Return the `taken_back` that wait() takes."""
        with self._changed:
            self._open[subject] += 1
            return self._taken_back

    def end(self, counted: list[bytes], is_wrong: bool) -> None:
        """Close a guess: its password is checked, and its count is taken back unless it was wrong."""
        with self._changed:
            self._taken_back += not is_wrong
            self._open -= Counter(counted)  # in place; it also drops the subjects that reach 0
            self._changed.notify_all()

    def is_open(self, subject: bytes) -> bool:
        """Return whether a guess for this subject is open."""
        return self._open[subject] > 0

    def wait(self, subject: bytes, taken_back: int, deadline: float) -> bool:
        """Wait until another guess is taken back.

        Return False if none is open, at the deadline, or if too many wait already.
        """
        with self._changed:
            if self._taken_back == taken_back and self._places and self._open[subject]:
                self._places -= 1
                self._changed.wait_for(
                    lambda: self._taken_back != taken_back or not self._open[subject], deadline - time.monotonic()
                )
                self._places += 1
            return self._taken_back != taken_back and time.monotonic() < deadline
