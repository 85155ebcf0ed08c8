"""Too many requests: passwords and mails are counted in the database, exactly across all processes; ordinary writes in memory.

A limit reads ACCOUNT/ADDRESS/SECONDS: how many tries for one account, and from one address, in a window of so many
seconds that begins with the first of them. The settings LIMIT_... hold them.
"""

from __future__ import annotations

import hmac
import ipaddress
import math
import threading
import time
from collections import Counter

from flask import Flask, current_app, g, request

from current import db
from web.errors import Problem

PATIENCE = 5.0  # seconds that a guess may wait for those before it
SOON = 3  # seconds after which to try again where it may well be possible


def install(app: Flask) -> None:
    """Make the counters of this process. Under DEBUG threads are made as needed: a class may wait."""
    app.extensions["writes"] = Writes(*map(int, app.config["LIMIT_WRITES"].split("/")))
    app.extensions["guesses"] = Guesses(64 if app.debug else max(1, app.config["THREADS"] // 4))


def count(rule: str, account: str | None) -> None:
    """Count one try, at one command for each of the two. Raises a 429 past the limit, and then has counted nothing."""
    end_guess(_count(rule, account), is_wrong=True)


def begin_guess(account: str) -> list[bytes]:
    """Count a guess at a password, before it is looked at; return what end_guess() takes. Raises a 429 past the limit."""
    return _count("login", account)


def end_guess(counted: list[bytes], is_wrong: bool) -> None:
    """Take it back unless it was wrong. So people who know their password never use up what is there for guesses."""
    try:
        for subject in () if is_wrong else counted:
            db.execute("rate_limits.set_back", subject=subject)
    finally:
        current_app.extensions["guesses"].end(counted, is_wrong)


def _count(rule: str, account: str | None) -> list[bytes]:
    if not current_app.config["RATE_LIMITS"]:
        return []
    by_account, by_address, seconds = map(int, current_app.config[f"LIMIT_{rule.upper()}"].split("/"))
    counted: list[bytes] = []
    try:
        for kind, who, limit in (("address", network(), by_address), ("account", account, by_account)):
            if who is not None:
                subject = subject_of(rule, kind, who)
                _count_one(subject, limit, seconds)
                counted.append(subject)
    except BaseException:
        end_guess(counted, is_wrong=False)
        raise
    return counted


def _count_one(subject: bytes, limit: int, seconds: int) -> None:
    guesses: Guesses = current_app.extensions["guesses"]
    deadline, hits = time.monotonic() + PATIENCE, limit + 1
    while hits > limit:
        taken_back = guesses.begin(subject)
        try:  # never None, as an upsert always has a row; and 0 stands for the first
            hits = db.insert("rate_limits.create", subject=subject, limit=limit, seconds=seconds) or 0
        finally:
            if hits > limit:
                guesses.end([subject], is_wrong=True)
        if hits > limit and not guesses.wait(subject, taken_back, deadline):
            is_open = guesses.are_open(subject)
            raise too_many(SOON if is_open else db.fetch_value("rate_limits.get_seconds", subject=subject) or 1)


def forget_guesses(account: str) -> None:
    """Let somebody log in again who has shown in another way who they are, however many guesses there were."""
    db.execute("rate_limits.delete", subject=subject_of("login", "account", account))


def subject_of(rule: str, kind: str, who: str) -> bytes:
    """Stand for somebody in a table that must not tell who it is: 32 bytes."""
    # With the key, so that whoever steals the table cannot try names, or what was typed in place of one.
    return hmac.digest(current_app.config["SECRET_KEY"].encode(), f"{rule} {kind} {who}".encode(), "sha256")


def may_mail(address: str) -> bool:
    """Count one mail to an address. False if it has had as many as one mailbox should get, whoever asked for them."""
    if not current_app.config["RATE_LIMITS"]:
        return True
    most, seconds = map(int, current_app.config["LIMIT_MAILS"].split("/"))
    counted = {"subject": subject_of("mail", "address", address), "limit": most, "seconds": seconds}
    return (db.insert("rate_limits.create", **counted) or 0) <= most


def sweep() -> None:
    """Delete some of the counters whose window is over."""
    if subjects := [row["subject"] for row in db.fetch_all("rate_limits.list_expired")]:
        db.execute("rate_limits.delete_expired", subjects=subjects)


def count_write() -> None:
    """Count one ordinary write of whoever is asking. Raises a 429 past the limit of this process."""
    if current_app.config["RATE_LIMITS"]:
        user = g.get("user")
        current_app.extensions["writes"].count(user["id"] if user else network())


def network() -> str:
    """The address a request comes from; of IPv6 the network, as one household has 2^64 addresses."""
    try:
        found = ipaddress.ip_address(request.remote_addr or "")
    except ValueError:
        return ""  # whatever is no address is one and the same
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped:  # what a server that listens on :: sees of IPv4
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((int(found), 64), strict=False))


def too_many(seconds: float) -> Problem:
    """The answer to whoever has to wait."""
    wait = max(1, math.ceil(seconds))
    span = f"{math.ceil(wait / 60)} minutes" if wait >= 120 else "1 second" if wait == 1 else f"{wait} seconds"
    return Problem(429, f"Too many requests: try again in {span}.", headers={"Retry-After": str(wait)})


class Writes:
    """How many writes each person and each address has made in the window of time that runs now."""

    def __init__(self, limit: int, seconds: int):
        self.limit, self.seconds = limit, seconds
        self._window, self._lock = 0.0, threading.Lock()
        self._hits: dict[int | str, int] = {}

    def count(self, who: int | str) -> None:
        """Count one. Raises a 429 past the limit."""
        now = time.monotonic()
        with self._lock:
            if now >= self._window + self.seconds:
                self._window = now
                self._hits.clear()
            self._hits[who] = hits = self._hits.get(who, 0) + 1
        if hits > self.limit:
            raise too_many(self._window + self.seconds - now)


class Guesses:
    """The guesses at passwords of which this process does not know yet whether they are wrong.

    They are counted, and those that are right will be taken back. Of forty people who log in to one account together the
    last ten are not to hear of a limit that nobody has reached: they wait, at most `places` of them.
    """

    def __init__(self, places: int):
        self._taken_back = 0  # how many ever
        self._open, self._changed, self._places = Counter[bytes](), threading.Condition(), places

    def begin(self, subject: bytes) -> int:
        """Note that one is about to be counted. Return what wait() takes."""
        with self._changed:
            self._open[subject] += 1
            return self._taken_back

    def end(self, counted: list[bytes], is_wrong: bool) -> None:
        """Note that it is known, and that its count is given back unless it was wrong."""
        with self._changed:
            self._taken_back += not is_wrong
            self._open -= Counter(counted)  # in place, and without those that are 0 then
            self._changed.notify_all()

    def are_open(self, subject: bytes) -> bool:
        """Whether there is one."""
        return self._open[subject] > 0

    def wait(self, subject: bytes, taken_back: int, deadline: float) -> bool:
        """Wait until more than `taken_back` are. False if none is open, at the deadline, and if too many wait already."""
        with self._changed:
            if self._taken_back == taken_back and self._places and self._open[subject]:
                self._places -= 1
                self._changed.wait_for(
                    lambda: self._taken_back != taken_back or not self._open[subject], deadline - time.monotonic()
                )
                self._places += 1
            return self._taken_back != taken_back and time.monotonic() < deadline
