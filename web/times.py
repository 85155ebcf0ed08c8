"""Times as they are sent: with their zone, and within the years that the database knows."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, FutureDatetime

from web.errors import InvalidInput


def _to_utc(instant: datetime) -> datetime:
    """Return an instant in UTC, in whole milliseconds."""
    try:
        instant = instant.astimezone(timezone.utc)
    except OverflowError:
        raise InvalidInput("in UTC this is outside the years 1 to 9999") from None
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)  # the database would round up


Instant = Annotated[AwareDatetime, AfterValidator(_to_utc)]
FutureInstant = Annotated[AwareDatetime, FutureDatetime, AfterValidator(_to_utc)]
