# GNU General Public License v3.0+ (see LICENSE)
"""Sizes in the dialects of the daemons: read them, write them. All sizes are whole bytes."""

from __future__ import annotations

import re

KIB, MIB, GIB, TIB = 2**10, 2**20, 2**30, 2**40

# Suffixes with their bytes, the largest first. Sources: the daemons' own manuals, cited in SOURCES.
_BINARY = {"T": TIB, "G": GIB, "M": MIB, "K": KIB}
DIALECTS: dict[str, dict[str, int]] = {
    "postgresql": {"TB": TIB, "GB": GIB, "MB": MIB, "kB": KIB, "B": 1},
    "mariadb": dict(_BINARY),
    # 1k is 1000 and 1kb is 1024.
    "redis": {"gb": GIB, "mb": MIB, "kb": KIB, "g": 10**9, "m": 10**6, "k": 10**3, "b": 1},
    "php": {"G": GIB, "M": MIB, "K": KIB},
    "nginx": {"g": GIB, "m": MIB, "k": KIB},
    "systemd": dict(_BINARY),
}
SOURCES = {
    "postgresql": "https://www.postgresql.org/docs/current/config-setting.html",
    "mariadb": "https://mariadb.com/docs/server/server-management/variables-and-modes/server-system-variables",
    "redis": "https://raw.githubusercontent.com/redis/redis/unstable/redis.conf",
    "php": "https://www.php.net/manual/en/faq.using.php#faq.using.shorthandbytes",
    "nginx": "https://nginx.org/en/docs/syntax.html",
    "systemd": "https://www.freedesktop.org/software/systemd/man/latest/systemd.resource-control.html",
}
# Suffixes that only reading knows: these would be written back as another number.
_ONLY_READ = {"redis": {"g", "m", "k", "b"}, "postgresql": {"B"}}
# PostgreSQL alone tells letter case apart.
_CASE_MATTERS = {"postgresql"}


def parse_size(text: str, dialect: str) -> int:
    """The bytes that ``text`` means to a daemon of this dialect; a number without a suffix is bytes.

    :param dialect: a key of ``DIALECTS``.
    :raises ValueError: the daemon would not read it so.
    """
    suffixes = _suffixes(dialect)
    match = re.fullmatch(r"\s*(\d+)\s*([A-Za-z]*)\s*", str(text))
    if match:
        number, suffix = int(match[1]), match[2]
        if not suffix:
            return number
        for known, size in suffixes.items():
            if suffix == known or (dialect not in _CASE_MATTERS and suffix.lower() == known.lower()):
                return number * size
    raise ValueError(f"{text!r} is no size of {dialect}; write a whole number and one of {', '.join(suffixes)}.")


def format_size(size: int, dialect: str) -> str:
    """``size`` bytes as a daemon of this dialect reads them, in the largest unit that keeps every byte.

    :raises ValueError: ``size`` is negative, or no multiple of a kB for PostgreSQL, whose settings are no finer.
    """
    suffixes = _suffixes(dialect)
    if size < 0:
        raise ValueError(f"{size} bytes is negative; a size is at least 0.")
    for suffix, unit in suffixes.items():
        if suffix not in _ONLY_READ.get(dialect, ()) and size and size % unit == 0:
            return f"{size // unit}{suffix}"
    if dialect == "postgresql" and size:
        raise ValueError(f"{size} bytes is no multiple of 1 kB, which PostgreSQL asks for.")
    return str(size)


def _suffixes(dialect: str) -> dict[str, int]:
    if dialect not in DIALECTS:
        raise ValueError(f"dialect is {dialect!r}, but must be one of {', '.join(DIALECTS)}.")
    return DIALECTS[dialect]


def down(size: int, step: int) -> int:
    """``size`` rounded down to a multiple of ``step``."""
    return size // step * step


def power_of_two(number: int) -> int:
    """The next power of two that is at least ``number``."""
    return 1 << (number - 1).bit_length()


def megabytes(size: int) -> str:
    """For messages: whole MiB, rounded up, as people say them."""
    return f"{-(-size // MIB)} MB"
