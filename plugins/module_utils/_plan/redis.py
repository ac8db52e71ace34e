# GNU General Public License v3.0+ (see LICENSE)
"""Redis or Valkey: memory for the data, twice where it is written to disk while clients write on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .limits import refuse_too_many_files, unit_limits
from .model import Cache, Connections, Context, Demand, Grant, Inputs, Outcome, Section, Service, Text
from .units import KIB, MIB, power_of_two

BASE = 16 * MIB
CLIENT = 64 * KIB
SPARE_CLIENTS = 64
LEAST = 16 * MIB
STEP = MIB
SHARE_MOST = 4
# redis.c keeps these for itself (CONFIG_MIN_RESERVED_FDS).
RESERVED_FILES = 32
TCP_BACKLOG = 511

# By use: whether the data is written to disk, and what gives way when memory is full.
USES = {"cache": (False, "allkeys-lru"), "session": (True, "volatile-lru"), "queue": (True, "noeviction")}
KEYS = ("maxmemory_mb", "maxclients", "extra_clients", "use", "persistent", "version")

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


class Redis(Service):
    def __init__(self, given: Mapping[str, Any], context: Context) -> None:
        self.host = context.host
        inputs = Inputs("redis", given, KEYS)
        self.use = inputs.choice("use", USES, "cache")
        self.persistent = inputs.flag("persistent", USES[self.use][0])
        self.disk_share = context.disk_share("redis") if self.persistent else 0
        self.pinned_memory = (inputs.whole("maxmemory_mb") or 0) * MIB
        self.clients = Connections(inputs, "maxclients", has_php="php_fpm" in context.names, spare=SPARE_CLIENTS)
        if self.disk_share and 2 * self.pinned_memory > self.disk_share:
            raise ValueError(
                f"maxmemory_mb of redis is {self.pinned_memory // MIB}, but twice that does not fit into its share of the "
                f"disk, {self.disk_share // MIB} MB; lower it, or set persistent to false."
            )

    def demand(self) -> Demand:
        return Demand(
            fixed={"server": BASE, "clients": self.clients.fixed * CLIENT},
            per_worker=CLIENT if self.clients.per_worker else 0,
            max_workers=self.clients.max_workers,
        )

    def caches(self) -> dict[str, Cache]:
        cap = max(LEAST, self.host.memory // SHARE_MOST)
        if self.disk_share:
            # The append-only file and the one that replaces it are there at once.
            cap = max(LEAST, min(cap, self.disk_share // 2))
        data = Cache(
            floor=self.pinned_memory or LEAST,
            cap=self.pinned_memory or cap,
            weight=1,
            step=STEP,
            numerator=5 * (2 if self.persistent else 1),
            denominator=4,
        )
        return {"maxmemory": data}

    def outcome(self, grant: Grant) -> Outcome:
        clients = self.clients.total(self.workers)
        refuse_too_many_files("redis", clients + RESERVED_FILES, self.host)
        section = Section("redis", TEXTS)
        section.put(
            "maxmemory",
            grant.sizes["maxmemory"],
            "user" if self.pinned_memory else "memory",
            use=self.use,
            persistent=self.persistent,
        )
        section.put("maxmemory_policy", USES[self.use][1], "user" if self.use != "cache" else "default", use=self.use)
        section.put("maxclients", clients, self.clients.bound)
        section.put("tcp_backlog", TCP_BACKLOG, "default")
        parts = {
            "server": BASE,
            "clients": clients * CLIENT,
            "data": self.caches()["maxmemory"].charge(grant.sizes["maxmemory"]),
        }
        files = power_of_two(clients + RESERVED_FILES)
        limits = unit_limits(sum(parts.values()), self.host, files=files, tasks=16, oom_score=-300)
        return Outcome([section], parts, {"redis": limits})
