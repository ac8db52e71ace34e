# GNU General Public License v3.0+ (see LICENSE)
"""What is asked of every server, and how its statements are told."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from ._slow_log import Group

# Reading all of a smaller table is nothing to repair.
SMALL_ROWS = 1000


@dataclass(frozen=True)
class Wanted:
    """What is asked for. ``since`` is in seconds since 1970, ``most`` in bytes of logs for each server."""

    limit: int
    since: float
    most: int
    timeout: int
    values: bool


class Unanswered(Exception):
    """A server, or the library to ask it, is not there; the message is a sentence."""


Row = Mapping[str, Any]
# A plan, remarks on it, and why there is none.
Explain = Callable[[Group], tuple[Any, list[str], str]]


def since_hours(hours: float) -> float:
    """The moment so many hours ago, in seconds since 1970; 0 hours is the beginning of all logs."""
    return time.time() - hours * 3600 if hours else 0.0


def moment(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return datetime.fromtimestamp(seconds, tz=timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")


def statements(groups: Sequence[Group], wanted: Wanted, explain: Explain) -> list[dict[str, Any]]:
    """The worst groups with their plans."""
    whole = sum(one.seconds for one in groups)
    found = []
    for one in groups[: wanted.limit]:
        plan, remarks, reason = explain(one)
        found.append(
            {
                "id": one.masked.identity,
                "statement": one.masked.text,
                "sample": one.sample if wanted.values else "",
                "database": one.database,
                "user": one.user,
                "count": one.count,
                "seconds": round(one.seconds, 6),
                "slowest_seconds": round(one.slowest, 6),
                "share": round(one.seconds / whole, 4) if whole else 0.0,
                "rows_examined": one.rows_examined,
                "rows_sent": one.rows_sent,
                "last": moment(one.last),
                "plan": plan,
                "remarks": remarks,
                "unexplained": reason,
            }
        )
    return found
