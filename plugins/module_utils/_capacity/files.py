# GNU General Public License v3.0+ (see LICENSE)
"""Reading of small files that may not be there."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass


class Malformed(ValueError):
    """A file says something that nobody can make sense of."""


def read(root: str, path: str) -> str | None:
    """The file's text without surrounding blanks; None where it cannot be read."""
    try:
        with open(os.path.join(root, path.lstrip("/")), encoding="utf-8", errors="replace") as stream:
            return stream.read().strip("\0 \n")
    except OSError:
        return None


def number(root: str, path: str) -> int | None:
    """The whole number in a file; None where it cannot be read.

    :raises Malformed: there is something else in it.
    """
    text = read(root, path)
    if text is None:
        return None
    if not re.fullmatch(r"-?[0-9]{1,20}", text):
        raise Malformed(f"{path} contains {text[:80]!r}, which is no number.")
    return int(text)


@dataclass(frozen=True)
class Mount:
    """A line of mountinfo: which part (``root``) of which file system is seen at ``point``."""

    number: str
    root: str
    point: str
    type: str
    source: str
    options: tuple[str, ...]


def mounts(root: str) -> Iterator[Mount]:
    """What is mounted, in the order in which it was."""
    for line in (read(root, "/proc/self/mountinfo") or "").splitlines():
        fields = line.split(" ")
        if "\\" in line:
            fields = [re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), field) for field in fields]
        if "-" in fields[6:]:
            behind = [*fields[fields.index("-", 6) + 1 :], "", "", ""]
            yield Mount(fields[2], fields[3], fields[4], behind[0], behind[1], tuple(behind[2].split(",")))
