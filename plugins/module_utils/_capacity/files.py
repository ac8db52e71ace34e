# GNU General Public License v3.0+ (see LICENSE)
"""Reading of small files that may not be there."""

from __future__ import annotations

import os


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
    if not text:
        return None
    if not text.lstrip("-").isdecimal():
        raise Malformed(f"{path} contains {text[:80]!r}, which is no number.")
    return int(text)
