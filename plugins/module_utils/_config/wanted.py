# GNU General Public License v3.0+ (see LICENSE)
"""What a set of paths shall be, what it is, and the difference. Pure: nothing here touches the disk."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Callable

# Directories in which a changed file asks systemd to read its units again.
UNIT_DIRECTORIES = ("/etc/systemd/system/", "/usr/lib/systemd/system/", "/lib/systemd/system/", "/run/systemd/system/")


class Refused(Exception):
    """The transaction failed; the message says why, what became of the files, and which template is to blame."""

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.details = details


@dataclass(frozen=True)
class Entry:
    """One path as it shall be.

    ``kind`` is ``directory``, ``file``, ``link`` or ``absent``; ``mode`` are permission bits. A file with ``keep`` is created
    with its content and keeps whatever content it has later. ``source`` names the template the content comes from.
    """

    path: str
    kind: str
    content: str = ""
    target: str = ""
    mode: int = 0o644
    owner: str = "root"
    group: str = "root"
    keep: bool = False
    sensitive: bool = False
    source: str = ""

    def to_json(self) -> dict[str, Any]:
        """As kept in a generation: what differs from the defaults, permissions in octal."""
        values = {name: value for name, value in self.__dict__.items() if value != getattr(Entry, name, None)}
        return {**values, "mode": f"{self.mode:04o}"}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Entry:
        return cls(**{**values, "mode": int(values["mode"], 8)})


@dataclass(frozen=True)
class Live:
    """One path as it is: ``kind`` as in :class:`Entry`, or ``other`` for what is none of them."""

    kind: str
    content: str = ""
    target: str = ""
    mode: int = 0
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True)
class Change:
    """A path that differs. ``what`` is ``write``, ``attributes``, ``make`` (a directory) or ``remove``."""

    entry: Entry
    live: Live
    what: str

    @property
    def path(self) -> str:
        return self.entry.path


@dataclass(frozen=True)
class Unit:
    """A systemd unit that reads the configuration, and how it shows that it is well."""

    name: str
    running: bool = True
    reload_on: tuple[str, ...] = ()
    restart_on: tuple[str, ...] = ()
    stop_on: tuple[str, ...] = ()
    reload_forks: bool = False
    reload_execs: bool = False
    listen: tuple[str, ...] = ()
    url: str = ""
    status: int = 200
    log: str = ""

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Unit:
        typed: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
        return cls(**typed)


@dataclass(frozen=True)
class Request:
    """Everything that one transaction is asked for; lengths of time in seconds."""

    name: str
    entries: tuple[Entry, ...]
    users: tuple[Mapping[str, Any], ...] = ()
    owned: tuple[str, ...] = ()
    trees: tuple[str, ...] = ()
    validators: tuple[tuple[str, ...], ...] = ()
    units: tuple[Unit, ...] = ()
    timeout: int = 30
    keep: int = 10


@dataclass
class Ids:
    """Numbers of users and groups by name; ``None`` for one that is still to be created."""

    uid: Callable[[str], int | None]
    gid: Callable[[str], int | None]

    def of(self, entry: Entry) -> tuple[int | None, int | None]:
        return self.uid(entry.owner), self.gid(entry.group)


def difference(entry: Entry, live: Live, ids: Ids) -> Change | None:
    """What has to happen to one path, or ``None``.

    :raises Refused: what is there is of a kind that must not be replaced.
    """
    if entry.kind == "absent":
        if live.kind == "absent":
            return None
        if live.kind == "directory":
            raise Refused(f"{entry.path} is a directory, which is never removed; take it away by hand.")
        return Change(entry, live, "remove")
    if live.kind == "directory" and entry.kind != "directory":
        raise Refused(f"{entry.path} is a directory, but a {entry.kind} is wanted there; move it away.")
    if entry.kind == "link":
        return None if live.kind == "link" and live.target == entry.target else Change(entry, live, "write")
    if live.kind != entry.kind:
        if entry.kind == "directory":
            if live.kind != "absent":
                raise Refused(f"{entry.path} is no directory, but one is wanted there; move it away.")
            return Change(entry, live, "make")
        return Change(entry, live, "write")
    if entry.kind == "file" and not entry.keep and live.content != entry.content:
        return Change(entry, live, "write")
    if (live.uid, live.gid, live.mode) != (*ids.of(entry), entry.mode):
        return Change(entry, live, "attributes")
    return None


def plain(path: str) -> str:
    """An absolute path, or pattern of paths, in its one spelling, so that paths can be compared."""
    return "/" + os.path.normpath(path).lstrip("/") if path.startswith("/") else path


def missing_parents(changes: Iterable[Change], declared: Iterable[str], exists: Callable[[str], bool]) -> list[Entry]:
    """Directories that files to be written need and that neither exist nor are asked for, outermost first."""
    found: dict[str, Entry] = {}
    known = set(declared)
    for change in changes:
        if change.what not in ("write", "make"):
            continue
        chain = []
        parent = os.path.dirname(change.path)
        while parent not in known and parent not in found and not exists(parent):
            chain.append(parent)
            parent = os.path.dirname(parent)
        for path in reversed(chain):
            found[path] = Entry(path, "directory", mode=0o755)
    return list(found.values())


def matches(items: Iterable[str], patterns: Iterable[str]) -> bool:
    """Whether any changed item fits any shell pattern; ``*`` fits ``/`` too."""
    listed = list(items)
    return any(fnmatch.fnmatchcase(item, pattern) for pattern in patterns for item in listed)


def needs_daemon_reload(items: Iterable[str]) -> bool:
    return any(item.startswith(UNIT_DIRECTORIES) for item in items)


def verb(unit: Unit, items: Iterable[str], is_active: bool, forced: str = "") -> str:
    """What to do with a unit: ``stop``, ``start``, ``restart``, ``reload`` or nothing (empty).

    :param items: what changed.
    :param is_active: whether the unit runs now.
    :param forced: what an interrupted transaction still owes the unit.
    """
    listed = list(items)
    if matches(listed, unit.stop_on):
        return "stop"
    if not is_active:
        return "start" if unit.running else ""
    if forced == "restart" or matches(listed, unit.restart_on):
        return "restart"
    return "reload" if forced == "reload" or matches(listed, unit.reload_on) else ""


def fingerprint(entries: Iterable[Entry]) -> str:
    """One value for a set of paths, the same for equal sets in any order."""
    rows = sorted(
        [entry.path, entry.kind, "" if entry.keep else entry.content, entry.target]
        + ([f"{entry.mode:o}", entry.owner, entry.group] if entry.kind in ("file", "directory") else [])
        for entry in entries
    )
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def culprits(output: str, entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """Files that a daemon's message names, with their template and, where the message says it, the line.

    Knows ``path:12`` (nginx, nft, visudo), ``path:12]`` (PHP-FPM) and ``path line 12`` or ``path on line 12`` (sshd, php).
    """
    found = []
    for entry in entries:
        if entry.kind != "file":
            continue
        named = re.search(re.escape(entry.path) + r"(?![\w.-])(?:(?::|,? (?:on )?line )(\d+))?", output)
        if not named:
            continue
        blame: dict[str, Any] = {"file": entry.path, "template": entry.source}
        if named[1]:
            blame["line"] = int(named[1])
            lines = entry.content.splitlines()
            if not entry.sensitive and 0 < blame["line"] <= len(lines):
                blame["text"] = lines[blame["line"] - 1].strip()
        found.append(blame)
    return found


def blame(output: str, entries: Iterable[Entry], changed: Iterable[str]) -> tuple[str, list[dict[str, Any]]]:
    """A sentence that says where a daemon's complaint comes from, and the same as data.

    Where the message names no file, the changed files are the suspects.
    """
    listed = [entry for entry in entries if entry.kind == "file"]
    found = culprits(output, listed)
    if found:
        parts = [
            (f"template {item['template']} (" if item["template"] else "(")
            + (f"line {item['line']} of " if "line" in item else "")
            + item["file"]
            + (f": {item['text']}" if "text" in item else "")
            + ")"
            for item in found
        ]
        return f"It comes from {', '.join(parts)}.", found
    names = set(changed)
    suspects = [{"file": entry.path, "template": entry.source} for entry in listed if entry.path in names]
    if not suspects or len(suspects) > 5:
        return "", suspects
    return f"Changed were {', '.join(item['template'] or item['file'] for item in suspects)}.", suspects
