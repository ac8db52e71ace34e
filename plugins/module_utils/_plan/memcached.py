# GNU General Public License v3.0+ (see LICENSE)
"""Memcached: memory for items, and a connection for every PHP worker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .limits import refuse_too_many_files, unit_limits
from .model import Cache, Connections, Context, Demand, Grant, Inputs, Outcome, Section, Service, Text
from .units import KIB, MIB, power_of_two

BASE = 8 * MIB
CLIENT = 16 * KIB
SPARE_CLIENTS = 64
LEAST = 16 * MIB
STEP = MIB
SHARE_MOST = 8
MOST_THREADS = 4
THREAD = 4 * MIB

KEYS = ("memory_mb", "max_connections", "extra_clients")
MANUAL = "https://docs.memcached.org/serverguide/configuring/"
TEXTS = {
    "memory_mb": Text("MB", 64, "this cache's share of what is left, over 1.1, at most an eighth of memory", MANUAL),
    "max_connections": Text("", 1024, "one per PHP worker, the extra clients and 64", MANUAL),
    "threads": Text("", 4, "one per CPU, at most 4: more wait for each other", MANUAL),
}


class Memcached(Service):
    def __init__(self, given: Mapping[str, Any], context: Context) -> None:
        self.host = context.host
        inputs = Inputs("memcached", given, KEYS)
        self.pinned_memory = (inputs.whole("memory_mb") or 0) * MIB
        self.clients = Connections(inputs, "max_connections", has_php="php_fpm" in context.names, spare=SPARE_CLIENTS)
        self.threads = min(MOST_THREADS, self.host.whole_cpus)

    def demand(self) -> Demand:
        return Demand(
            fixed={"server": BASE + self.threads * THREAD, "clients": self.clients.fixed * CLIENT},
            per_worker=CLIENT if self.clients.per_worker else 0,
            max_workers=self.clients.max_workers,
        )

    def caches(self) -> dict[str, Cache]:
        items = Cache(
            floor=self.pinned_memory or LEAST,
            cap=self.pinned_memory or max(LEAST, self.host.memory // SHARE_MOST),
            weight=1,
            step=STEP,
            numerator=11,
            denominator=10,
        )
        return {"memory": items}

    def outcome(self, grant: Grant) -> Outcome:
        clients = self.clients.total(self.workers)
        refuse_too_many_files("memcached", clients + SPARE_CLIENTS, self.host)
        section = Section("memcached", TEXTS)
        section.put("memory_mb", grant.sizes["memory"] // MIB, "user" if self.pinned_memory else "memory")
        section.put("max_connections", clients, self.clients.bound)
        section.put("threads", self.threads, "cpu", cpus=self.host.cpus)
        parts = {
            "server": BASE + self.threads * THREAD,
            "clients": clients * CLIENT,
            "items": self.caches()["memory"].charge(grant.sizes["memory"]),
        }
        files = power_of_two(clients + SPARE_CLIENTS)
        limits = unit_limits(sum(parts.values()), self.host, files=files, tasks=self.threads + 8, oom_score=-300)
        return Outcome([section], parts, {"memcached": limits})
