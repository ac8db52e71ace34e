# GNU General Public License v3.0+ (see LICENSE)
"""What the files of the services share: their inputs, what they cost, the values they emit and why."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from .capacity import DATA_DIRECTORIES, Capacity
from .timeouts import LOCK_WAIT
from .units import MIB, down, megabytes


class Infeasible(ValueError):
    """The services do not fit on the host; the message names the shortfall and the cheapest remedies."""

    def __init__(self, message: str, shortfall: int = 0, remedies: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.shortfall = shortfall
        self.remedies = list(remedies)


class Inputs:
    """What a user says about one service. Reading a key checks it; a key that nobody knows is refused at once."""

    def __init__(self, owner: str, given: Mapping[str, Any], known: Iterable[str]) -> None:
        self.owner = owner
        self.given = given
        keys = list(known)
        for key in given:
            if key not in keys:
                near = difflib.get_close_matches(str(key), keys, 1)
                hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(keys)}."
                raise ValueError(f"{owner} has an unknown key {key!r}; {hint}")

    def whole(self, key: str, low: int = 1, high: int = 2**50) -> int | None:
        """A whole number, also where it arrives as text (``-e``, surveys); None where nothing was given."""
        value = self.given.get(key)
        if value is None or value == "":
            return None
        if isinstance(value, str) and value.isdecimal():
            value = int(value)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            says_high = high < 2**50 or (isinstance(value, int) and value > high)
            remedy = f"must be a whole number of at least {low}" + (f" and at most {high}" if says_high else "")
            raise ValueError(f"{key} of {self.owner} is {value!r}, but {remedy}.")
        return value

    def choice(self, key: str, choices: Iterable[str], default: str) -> str:
        value = self.given.get(key)
        if value is None or value == "":
            return default
        if value not in list(choices):
            raise ValueError(f"{key} of {self.owner} is {value!r}, but must be one of {', '.join(choices)}.")
        return str(value)

    def flag(self, key: str, default: bool) -> bool:
        value = self.given.get(key)
        if value is None or value == "":
            return default
        if isinstance(value, str) and value.lower() in ("true", "yes", "on", "false", "no", "off"):
            return value.lower() in ("true", "yes", "on")
        if not isinstance(value, bool):
            raise ValueError(f"{key} of {self.owner} is {value!r}, but must be true or false.")
        return value

    def version(self, key: str, default: str | None) -> tuple[int, ...]:
        """Major and minor version as numbers; empty where nobody knows."""
        text = str(self.given.get(key) or default or "")
        numbers = text.split("-")[0].split(":")[-1].split(".")
        if text and not all(part.isdecimal() for part in numbers[:2]):
            raise ValueError(f"{key} of {self.owner} is {text!r}, but must be a version such as 11.8.")
        return tuple(int(part) for part in numbers[:2]) if text else ()


def is_pinned(value: Any) -> bool:
    """0, "0" and nothing at all leave a value to the plan."""
    return value is False or (value is not None and value not in ("", "0", 0, [], {}))


def shared(granted: int, wanted: Mapping[str, int]) -> dict[str, int]:
    """``granted`` split in proportion to what is wanted, by label."""
    whole = sum(wanted.values()) or 1
    return {label: size * granted // whole for label, size in wanted.items()}


class Connections:
    """Connections to a server: those always kept and one per PHP worker, or as many as somebody pinned.

    :param key: input that pins their number, from ``low`` to ``high``.
    :param kept: for administration, superusers and pools, also where the number is pinned.
    :param kept_for: how a sentence calls these.
    :param spare: further ones where it is not.
    :param has_php: whether PHP runs on the same host.
    :raises ValueError: the pinned number leaves none for those who are there whatever PHP does.
    """

    def __init__(
        self,
        inputs: Inputs,
        key: str,
        *,
        has_php: bool,
        kept: int = 0,
        kept_for: str = "administration",
        spare: int = 0,
        low: int = 1,
        high: int = 100000,
    ) -> None:
        self.pinned = inputs.whole(key, low=low, high=high)
        self.extra = inputs.whole("extra_clients", low=0, high=high) or 0
        needed = kept + self.extra
        if self.pinned and self.pinned < needed:
            raise ValueError(
                f"{key} of {inputs.owner} is {self.pinned}, but extra clients and {kept_for} need {needed}; raise it, or "
                "leave it to the plan."
            )
        self.fixed = self.pinned or needed + spare
        self.per_worker = has_php and not self.pinned
        # None where the number grows with the workers.
        self.max_workers = self.pinned - needed if self.pinned else None
        self.bound = "user" if self.pinned else "php_fpm" if has_php else "default"

    def total(self, workers: int) -> int:
        return self.fixed + (workers if self.per_worker else 0)


class Text(NamedTuple):
    """What is the same about a value on every host: unit, formula, source, and what the distribution ships."""

    unit: str
    default: Any
    formula: str
    source: str
    # The first version (major, minor) that knows the variable.
    since: tuple[int, ...] = ()


class Section:
    """The values of one section of the plan; none is emitted without its explanation, nor to a version without it."""

    def __init__(self, name: str, texts: Mapping[str, Text], version: tuple[int, ...] = ()) -> None:
        self.name = name
        self.texts = texts
        self.version = version
        self.values: dict[str, Any] = {}
        self.explain: dict[str, dict[str, Any]] = {}

    def knows(self, key: str) -> bool:
        # An unknown version, which is empty, comes before all others.
        return self.version >= self.texts[key].since

    def put(self, key: str, value: Any, bound: str, **inputs: Any) -> None:
        if self.knows(key):
            self.values[key] = value
            self.explain[f"{self.name}.{key}"] = explanation(self.texts[key], value, bound, inputs)


def explanation(text: Text, value: Any, bound: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "value": value,
        "unit": text.unit,
        "bound": bound,
        "formula": text.formula,
        "inputs": dict(inputs),
        "source": text.source,
        "default": text.default,
    }


@dataclass(frozen=True)
class Cache:
    """A cache that grows with what the host has left, in bytes.

    :param cap: more is of no use.
    :param step: sizes are multiples of it, and of a 32nd of themselves and less: a small change elsewhere leaves them alone.
    :param numerator: with ``denominator``, bytes charged per byte of cache.
    """

    floor: int
    cap: int
    weight: int
    step: int
    numerator: int = 1
    denominator: int = 1

    def charge(self, size: int) -> int:
        return -(-size * self.numerator // self.denominator)

    def size(self, charge: int) -> int:
        """The largest size that ``charge`` pays for, rounded down; the floor at least."""
        paid = min(self.cap, charge * self.denominator // self.numerator)
        return max(self.floor, down(paid, max(self.step, 1 << max(0, paid.bit_length() - 5))))


@dataclass
class Demand:
    """What a service costs at least, in bytes.

    :param fixed: always charged, by label.
    :param per_worker: charged per PHP worker, beside the worker's own memory.
    :param wish: bytes that it can use beside caches, of which it gets at most ``wish_share`` of what is left.
    """

    fixed: dict[str, int]
    per_worker: int = 0
    wish: int = 0
    wish_share: float = 0.0
    max_workers: int | None = None


@dataclass
class Outcome:
    """What a service gets: values by section, charges by label in bytes, limits by systemd unit."""

    sections: list[Section]
    parts: dict[str, int]
    limits: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Grant:
    """What a service gets of what is shared, in bytes.

    :param sizes: each of its caches.
    :param page_cache: what nobody is charged for.
    :param beside_others: what is there for this service and the operating system's cache together.
    """

    sizes: Mapping[str, int]
    page_cache: int = 0
    beside_others: int = 0


class Service:
    """One service on the host: made from its inputs, asked for its demand, told what it gets.

    :ivar workers: PHP workers on the host.
    :ivar granted: bytes of its demand's wish.
    """

    workers = 0
    granted = 0

    def demand(self) -> Demand:
        raise NotImplementedError

    def caches(self) -> dict[str, Cache]:
        """Caches; their floors do not depend on ``workers``, their caps may."""
        return {}

    def outcome(self, grant: Grant) -> Outcome:
        raise NotImplementedError


# I30: what databases write beside their data fills at most this share of a disk.
DISK_SHARE = 0.6
LEAST_DISK_SHARE = 128 * MIB


@dataclass(frozen=True)
class Context:
    """What every service may look at.

    :param names: services on the host.
    :param lock_wait: seconds that a database may let a request wait for a lock.
    """

    host: Capacity
    names: frozenset[str]
    lock_wait: int = LOCK_WAIT

    def disk_share(self, service: str) -> int:
        """Bytes of logs that a service may keep on the disk of its data; 0 where its size is unknown.

        :raises Infeasible: the disk is too small for any database.
        """
        directory = DATA_DIRECTORIES[service]
        disk = self.host.disk(directory)
        if not disk.size:
            return 0
        sharing = [
            path for name, path in DATA_DIRECTORIES.items() if name in self.names and self.host.disk(path).device == disk.device
        ]
        share = int(disk.size * DISK_SHARE) // max(1, len(sharing))
        if share < LEAST_DISK_SHARE:
            raise Infeasible(
                f"the disk of {directory} has {megabytes(disk.size)}, of which {megabytes(share)} could hold the database's "
                "logs; give it 1 GB or more.",
                remedies=["give the disk 1 GB or more"],
            )
        return share
