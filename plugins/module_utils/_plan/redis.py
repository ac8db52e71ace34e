# GNU General Public License v3.0+ (see LICENSE)
"""Redis or Valkey: several instances, each with memory for its data, twice where that is written to disk beside clients."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from .limits import refuse_too_many_files, unit_limits
from .model import Cache, Connections, Context, Demand, Grant, Inputs, Outcome, Section, Service, Text, is_pinned
from .units import KIB, MIB, power_of_two

BASE = 16 * MIB
CLIENT = 64 * KIB
SPARE_CLIENTS = 64
LEAST = 16 * MIB
STEP = MIB
# All instances whose size nobody pinned hold at most this part of memory.
SHARE_MOST = 4
# redis.c keeps these for itself (CONFIG_MIN_RESERVED_FDS).
RESERVED_FILES = 32
TCP_BACKLOG = 511

# By use: whether the data is written to disk, and what gives way when memory is full.
USES = {"cache": (False, "allkeys-lru"), "session": (True, "volatile-lru"), "queue": (True, "noeviction")}
# Names units, directories, files and users' input.
NAME = re.compile(r"[a-z][a-z0-9_]{0,30}")
ONE_KEYS = ("maxmemory_mb", "maxclients", "extra_clients", "use", "persistent")
# What role redis says of an instance beside that is no matter here.
ROLE_KEYS = ("name", "port", "users")
KEYS = ("instances", *ONE_KEYS, "version")

ADMIN = "https://valkey.io/topics/admin/"
CONFIG = "https://raw.githubusercontent.com/redis/redis/unstable/redis.conf"
TEXTS = {
    "maxmemory": Text(
        "bytes", 0, "this cache's share of what is left, over 1.25, and over 2 more where it is written to disk", ADMIN
    ),
    "maxmemory_policy": Text("", "noeviction", "by use: a cache forgets the oldest, a queue nothing", CONFIG),
    "maxclients": Text("", 10000, "one per PHP worker, the extra clients and 64", CONFIG),
    "tcp_backlog": Text("", 511, "the server's own", CONFIG),
}


class Instance:
    """One server process, as its unit runs it."""

    def __init__(self, name: str, inputs: Inputs, *, has_php: bool) -> None:
        self.name = name
        self.owner = inputs.owner
        self.use = inputs.choice("use", USES, "cache")
        self.persistent = inputs.flag("persistent", USES[self.use][0])
        self.pinned = (inputs.whole("maxmemory_mb") or 0) * MIB
        self.clients = Connections(inputs, "maxclients", has_php=has_php, spare=SPARE_CLIENTS)

    def data(self, cap: int) -> Cache:
        """Its data; a quarter of it is fragmentation, and a fork that writes it to disk may copy every page."""
        numerator = 5 * (2 if self.persistent else 1)
        return Cache(self.pinned or LEAST, self.pinned or cap, weight=1, step=STEP, numerator=numerator, denominator=4)


class Redis(Service):
    def __init__(self, given: Mapping[str, Any], context: Context) -> None:
        self.host = context.host
        self.instances = read_instances(given, has_php="php_fpm" in context.names)
        self.disk_share = context.disk_share("redis") if self.persistent else 0
        self._refuse_too_little_disk()

    @property
    def persistent(self) -> bool:
        """Whether any instance forks to write its data."""
        return any(instance.persistent for instance in self.instances)

    def _refuse_too_little_disk(self) -> None:
        """The append-only file and the one that replaces it are there at once."""
        written = [instance for instance in self.instances if instance.persistent]
        needed = 2 * sum(instance.pinned or LEAST for instance in written)
        if not self.disk_share or needed <= self.disk_share:
            return
        if len(self.instances) == 1:
            owner, verb = self.instances[0].owner, "it"
        else:
            owner, verb = f"redis instances {' and '.join(instance.name for instance in written)}", "one"
        raise ValueError(
            f"maxmemory_mb of {owner} is {needed // 2 // MIB}, but twice that does not fit into its share of the disk, "
            f"{self.disk_share // MIB} MB; lower {verb}, or set persistent to false."
        )

    def demand(self) -> Demand:
        clients = [instance.clients for instance in self.instances]
        most = [one.max_workers for one in clients if one.max_workers is not None]
        return Demand(
            fixed={"server": BASE * len(clients), "clients": sum(one.fixed for one in clients) * CLIENT},
            per_worker=CLIENT * sum(one.per_worker for one in clients),
            max_workers=min(most) if most else None,
        )

    def caches(self) -> dict[str, Cache]:
        growing = [instance for instance in self.instances if not instance.pinned]
        cap = self.host.memory // SHARE_MOST // max(1, len(growing))
        written = [instance for instance in self.instances if instance.persistent]
        on_disk = cap
        if self.disk_share and written:
            left = self.disk_share // 2 - sum(instance.pinned for instance in written)
            on_disk = min(cap, left // max(1, sum(not instance.pinned for instance in written)))
        return {
            instance.name: instance.data(max(LEAST, on_disk if instance.persistent else cap)) for instance in self.instances
        }

    def outcome(self, grant: Grant) -> Outcome:
        caches = self.caches()
        section = Section("redis", TEXTS)
        section.values["instances"] = {}
        parts = {"server": BASE * len(self.instances), "clients": 0, "data": 0}
        limits = {}
        for instance in self.instances:
            size, clients = grant.sizes[instance.name], instance.clients.total(self.workers)
            refuse_too_many_files(instance.owner, clients + RESERVED_FILES, self.host)
            own = self._section(instance, size, clients)
            section.values["instances"][instance.name] = own.values
            section.explain.update(own.explain)
            data = caches[instance.name].charge(size)
            parts["clients"] += clients * CLIENT
            parts["data"] += data
            limits[f"redis@{instance.name}"] = unit_limits(
                BASE + clients * CLIENT + data,
                self.host,
                files=power_of_two(clients + RESERVED_FILES),
                tasks=16,
                oom_score=-300,
            )
        return Outcome([section], parts, limits)

    def _section(self, instance: Instance, size: int, clients: int) -> Section:
        section = Section(f"redis.instances.{instance.name}", TEXTS)
        bound = "user" if instance.pinned else "memory"
        section.put("maxmemory", size, bound, use=instance.use, persistent=instance.persistent)
        policy = USES[instance.use][1]
        section.put("maxmemory_policy", policy, "user" if instance.use != "cache" else "default", use=instance.use)
        section.put("maxclients", clients, instance.clients.bound)
        section.put("tcp_backlog", TCP_BACKLOG, "default")
        return section


def read_instances(given: Mapping[str, Any], *, has_php: bool) -> list[Instance]:
    """The instances of one host.

    :param given: ``instances``, a list; or the inputs of one, which is named ``cache`` then.
    :raises ValueError: two have one name, or an input makes no sense.
    """
    whole = Inputs("redis", given, KEYS)
    items = given.get("instances")
    if not items and items not in (0, False):
        return [Instance("cache", whole, has_php=has_php)]
    if isinstance(items, (str, Mapping)) or not isinstance(items, Sequence):
        raise ValueError(f"instances of redis is {items!r}, but must be a list; give each instance a name.")
    for key in ONE_KEYS:
        if is_pinned(given.get(key)):
            raise ValueError(f"{key} of redis is {given[key]!r}, but there are instances; say it of one of these.")
    found: dict[str, Instance] = {}
    for item in items:
        name = item.get("name") if isinstance(item, Mapping) else None
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise ValueError(
                f"name of a redis instance is {name!r}, but must be 1 to 31 lower-case letters, digits and _, a letter first."
            )
        if name in found:
            raise ValueError(f"name of a redis instance is {name!r}, but another has it too; give each a name of its own.")
        found[name] = Instance(name, Inputs(f"redis instance {name}", item, (*ROLE_KEYS, *ONE_KEYS)), has_php=has_php)
    return list(found.values())
