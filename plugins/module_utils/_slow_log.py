# GNU General Public License v3.0+ (see LICENSE)
"""Logs of slow statements: reading no more of them than is wanted, their entries, and which of these are alike."""

from __future__ import annotations

import contextlib
import glob
import gzip
import json
import os
import re
import stat
import zlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, BinaryIO

from ._plan_report import size_text
from ._slow_sql import Dialect, Masked, mask

CHUNK = 2**20
# What a compressed file may unpack to, however little of it is kept.
UNPACKED_BYTES = 2**30
DATE_FORMAT = "%Y-%m-%d %H:%M:%S"


@dataclass
class Excerpt:
    """The newest part of a log and its rotated files: ``texts`` from old to new, ``notes`` about what was not read."""

    texts: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    size: int = 0
    notes: list[str] = field(default_factory=list)


@dataclass
class Entry:
    """One execution. Times of day in seconds since 1970, in UTC; None where the log does not tell."""

    statement: str
    seconds: float
    raw: str = ""
    at: float | None = None
    user: str = ""
    database: str = ""
    rows_examined: int | None = None
    rows_sent: int | None = None


@dataclass
class Group:
    """Executions of statements that differ in values only, with the slowest of them as ``sample``."""

    masked: Masked
    sample: str
    user: str
    database: str
    count: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    rows_examined: int | None = None
    rows_sent: int | None = None
    last: float | None = None


def read_newest(pattern: str, most: int, since: float) -> Excerpt:
    """The newest ``most`` bytes of a log and of the files that it was rotated to.

    :param pattern: shell pattern of the log itself; rotated files have its name and more.
    :param most: bytes in all, after unpacking.
    :param since: seconds since 1970; files that nobody wrote to since then are left alone.
    """
    found, texts = Excerpt(), []
    for path in _by_age(pattern):
        try:
            with _opened(path) as stream:
                about = os.fstat(stream.fileno())
                if about.st_size == 0 or about.st_mtime < since:
                    continue
                if found.size >= most:
                    found.notes.append(f"{path} and older files were not read: {size_text(most)} is the most that is.")
                    break
                content, is_whole = _tail(stream, path.endswith(".gz"), most - found.size)
        except (OSError, EOFError, zlib.error) as error:
            found.notes.append(f"{path} was not read: {getattr(error, 'strerror', None) or error}.")
            continue
        if not is_whole:
            found.notes.append(f"Only the last {size_text(len(content))} of {path} were read.")
        found.files.append(path)
        found.size += len(content)
        texts.append(content.decode("utf-8", errors="replace"))
    found.texts = texts[::-1]
    return found


def _by_age(pattern: str) -> list[str]:
    """Files of a log, the newest first. Two that were written at the same moment: the shorter name is the newer."""
    found = []
    for path in set(glob.glob(f"{pattern}*")):
        with contextlib.suppress(OSError):
            found.append((-os.lstat(path).st_mtime, len(path), path))
    return [path for _, _, path in sorted(found)]


def _opened(path: str) -> BinaryIO:
    """A file of the log. Its directory belongs to the server's account, which must not choose what root reads."""
    if path.endswith((".xz", ".zst", ".bz2", ".lz4")):
        raise OSError("of compressed files only gzip's are")
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError("it is no regular file")
    return open(handle, "rb")


def _tail(stream: BinaryIO, is_packed: bool, room: int) -> tuple[bytes, bool]:
    """The last ``room`` bytes of a file, and whether these are all."""
    if not is_packed:
        size = os.fstat(stream.fileno()).st_size
        stream.seek(max(0, size - room))
        return stream.read(room), size <= room
    kept: deque[bytes] = deque()
    size = unpacked = 0
    with gzip.open(stream) as unpacking:
        while unpacked < UNPACKED_BYTES and (chunk := unpacking.read(CHUNK)):
            kept.append(chunk)
            size += len(chunk)
            unpacked += len(chunk)
            while size - len(kept[0]) >= room:
                size -= len(kept.popleft())
    return b"".join(kept)[-room:], unpacked <= room


# MariaDB: https://mariadb.com/kb/en/slow-query-log-overview/. A line of a statement may look like the head of an entry: whoever
# writes such a statement forges a measurement of his own site, and nothing more.
_HEAD = re.compile(r"^(?:# Time: .*\n)?# User@Host: (.*)\n", re.M)
_USER = re.compile(r"([^\[]*)\[([^\]]*)\] @ ")
_ABOUT = re.compile(r"([A-Za-z_]+): ([^\s#]+)")
_STARTED = re.compile(r"^\S+, Version: .*\n(?:Tcp port: .*\n)?(?:Time\s+Id\s+Command.*\n?)?", re.M)
_BEFORE = re.compile(r"\A(?:use (?P<database>[^\n]*);\n)?(?:SET (?P<settings>[a-z_]+=[^;\n]*);\n)?", re.I)
_MOMENT = re.compile(r"(?:\A|,)timestamp=(\d+(?:\.\d+)?)")


def mariadb_entries(text: str) -> Iterator[Entry]:
    """The entries of a slow query log; what is before the first one is the end of an entry whose head is not there."""
    heads = list(_HEAD.finditer(text))
    for head, following in zip(heads, [*heads[1:], None]):
        raw = text[head.start() : following.start() if following else len(text)]
        entry = _mariadb_entry(head[1], raw[head.end() - head.start() :], raw)
        if entry:
            yield entry


def _mariadb_entry(who: str, rest: str, raw: str) -> Entry | None:
    about: dict[str, str] = {}
    while rest.startswith("#"):
        line, _, rest = rest.partition("\n")
        # A later line of the same name is part of the statement, if there is one.
        about = {**dict(_ABOUT.findall(line)), **about}
    seconds = _number(about.get("Query_time"))
    before = _BEFORE.match(_STARTED.sub("", rest))
    statement = _STARTED.sub("", rest)[before.end() if before else 0 :].strip().rstrip(";")
    if seconds is None or not statement:
        return None
    moment = _MOMENT.search(before["settings"] or "") if before else None
    user = _USER.match(who)
    return Entry(
        statement=statement,
        seconds=seconds,
        raw=raw,
        at=float(moment[1]) if moment else None,
        user=user[2] or user[1] if user else "",
        database=about.get("Schema", ""),
        rows_examined=_whole(about.get("Rows_examined")),
        rows_sent=_whole(about.get("Rows_sent")),
    )


def _number(text: str | None) -> float | None:
    return float(text) if text and re.fullmatch(r"\d{1,12}(?:\.\d{1,12})?", text, re.A) else None


def _whole(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch(r"\d{1,19}", text, re.A) else None


# What log_line_prefix can hold: https://www.postgresql.org/docs/current/runtime-config-logging.html
_ESCAPES = {
    "m": r"(?P<at>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?) (?P<zone>\S+)",
    "t": r"(?P<at>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?) (?P<zone>\S+)",
    "n": r"(?P<epoch>\d+(?:\.\d+)?)",
    "u": r"(?P<user>\S*?)",
    "d": r"(?P<database>\S*?)",
    "q": "",
    "%": "%",
}
_DURATION = r"LOG:  duration: (?P<ms>\d+(?:\.\d+)?) ms  (?:statement|execute [^:\n]*): (?P<statement>.*(?:\n\t.*)*)"


def postgresql_pattern(prefix: str) -> re.Pattern[str]:
    """What finds slow statements in a log whose lines begin with this ``log_line_prefix``."""
    parts: list[str] = []
    seen: set[str] = set()
    for literal, padding, escape in re.findall(r"([^%]+)|%(-?\d*)(.)", prefix):
        if literal:
            parts.append(re.escape(literal))
            continue
        if padding:
            parts.append(" *")
        if escape in seen:
            # Names of groups are there once.
            parts.append(r"[^\n]*?")
        else:
            parts.append(_ESCAPES.get(escape, r"[^\n]*?"))
            seen |= {"m", "t"} if escape in "mt" else {escape} - {"%", "q"}
        if padding:
            parts.append(" *")
    return re.compile(f"^{''.join(parts)}{_DURATION}", re.M)


def postgresql_entries(text: str, pattern: re.Pattern[str]) -> Iterator[Entry]:
    """Statements that PostgreSQL logged because they took long (``log_min_duration_statement``)."""
    for match in pattern.finditer(text):
        found = match.groupdict()
        statement = found["statement"].replace("\n\t", "\n").strip()
        if statement:
            yield Entry(
                statement=statement,
                seconds=float(found["ms"]) / 1000,
                at=_moment(found),
                user=_known(found.get("user")),
                database=_known(found.get("database")),
            )


def _known(name: str | None) -> str:
    return "" if name in (None, "[unknown]") else str(name)


def _moment(found: Mapping[str, str | None]) -> float | None:
    """When it was: in UTC where the log says so, else in the host's own time."""
    if found.get("epoch"):
        return float(str(found["epoch"]))
    if not found.get("at"):
        return None
    try:
        said = datetime.strptime(str(found["at"]).partition(".")[0], DATE_FORMAT)
    except ValueError:
        return None
    return (said.replace(tzinfo=timezone.utc) if found.get("zone") in ("UTC", "GMT") else said).timestamp()


def group(entries: Iterable[Entry], dialect: Dialect) -> list[Group]:
    """Entries that differ in values only as one, those that took the longest in all first."""
    groups: dict[tuple[str, str], Group] = {}
    for entry in entries:
        masked = mask(entry.statement, dialect)
        key = (entry.database, masked.identity)
        found = groups.setdefault(key, Group(masked, entry.statement, entry.user, entry.database))
        found.count += 1
        found.seconds += entry.seconds
        found.rows_examined = _sum(found.rows_examined, entry.rows_examined)
        found.rows_sent = _sum(found.rows_sent, entry.rows_sent)
        if entry.at is not None:
            found.last = max(entry.at, found.last or 0)
        if entry.seconds > found.slowest:
            found.slowest, found.masked, found.sample, found.user = entry.seconds, masked, entry.statement, entry.user
    return sorted(groups.values(), key=lambda one: (-one.seconds, one.masked.identity))


def _sum(before: int | None, more: int | None) -> int | None:
    return before if more is None else more + (before or 0)


def digested_groups(output: str, dialect: Dialect) -> list[Group]:
    """What ``pt-query-digest --output json`` found in a slow query log.

    :raises ValueError: this is not what that program prints.
    """
    try:
        # Before the data it says what it reads.
        return [_digested(one, dialect) for one in json.loads(output[max(0, output.find("{")) :])["classes"]]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"pt-query-digest said something else than expected ({error!r})") from error


def _digested(one: Mapping[str, Any], dialect: Dialect) -> Group:
    metrics, example = one["metrics"], one["example"]
    statement = str(example["query"]).strip().rstrip(";")
    return Group(
        # Its own fingerprint is not trusted to hold no value.
        masked=mask(statement, dialect),
        sample=statement,
        user=str(metrics.get("user", {}).get("value", "")),
        database=str(metrics.get("db", {}).get("value", "")),
        count=int(one["query_count"]),
        seconds=float(metrics["Query_time"]["sum"]),
        slowest=float(metrics["Query_time"]["max"]),
        rows_examined=int(float(metrics["Rows_examined"]["sum"])) if "Rows_examined" in metrics else None,
        rows_sent=int(float(metrics["Rows_sent"]["sum"])) if "Rows_sent" in metrics else None,
        last=_last(one.get("ts_max")),
    )


def _last(text: Any) -> float | None:
    try:
        return datetime.strptime(str(text), DATE_FORMAT).timestamp()
    except ValueError:
        return None
