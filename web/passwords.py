"""Passwords: scrypt, a few at a time. One hash takes 72 ms of CPU and 32 MB, so too many at once get a 503.

Passwords are compared in NFKC: keyboards differ in how they write an accent, and in the width of a digit.
"""

from __future__ import annotations

import unicodedata

from werkzeug.security import check_password_hash, generate_password_hash

from web.capacity import run_within

METHOD = "scrypt:32768:8:1"


def hash_password(password: str) -> str:
    """Hash a new password. Raises a 503 if too many are being hashed."""
    return run_within("passwords", lambda: generate_password_hash(_normal(password), METHOD))


def is_password(password: str, password_hash: str | None) -> bool:
    """Return whether the password is right. For None (no such user) return False, after the same time."""
    compared = password_hash or f"{METHOD}$x$" + "0" * 128
    return (
        run_within("passwords", lambda: check_password_hash(compared, _normal(password))) and password_hash is not None
    )


def is_outdated(password_hash: str) -> bool:
    """Return whether a hash was made with old parameters and should be renewed."""
    return not password_hash.startswith(f"{METHOD}$")


def _normal(password: str) -> str:
    return unicodedata.normalize("NFKC", password)
