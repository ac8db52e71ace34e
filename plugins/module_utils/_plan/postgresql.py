# GNU General Public License v3.0+ (see LICENSE)
"""PostgreSQL: connections of PHP workers or of a pooler, shared buffers, and memory for the queries of all of them at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .capacity import DATA_DIRECTORIES
from .limits import unit_limits
from .model import Cache, Connections, Context, Demand, Grant, Inputs, Outcome, Section, Service, Text, shared
from .units import GIB, KIB, MIB, down

# Postmaster, checkpointer, writers and the launcher of autovacuum.
BASE = 48 * MIB
# One connection without its queries: catalogue caches and plans of an ordinary application.
BACKEND = 6 * MIB
WAL_BUFFERS = 16 * MIB
ADMIN_CONNECTIONS = 8
SUPERUSER_CONNECTIONS = 3
CLIENTS_ALONE = 100
AUTOVACUUM_WORKERS = 3

# PgBouncer with its buffers, and prepared statements of clients that stay.
POOLER = 48 * MIB
# wiki.postgresql.org, "Number Of Database Connections": two for each core and one for each disk work at a time. Twice as many,
# as a connection is in a pool's hand between the statements of a transaction too.
POOLED_PER_CPU = 4
POOL_LEAST = 2
POOLER_CLIENTS_LEAST = 100
# Over which PgBouncer asks for passwords; template etc/pgbouncer/lemp-databases.ini.j2 of role postgresql has the same.
POOLER_LOOKUPS = 2

BUFFERS_LEAST = 32 * MIB
BUFFERS_STEP = 8 * MIB
# Lock tables, statistics and the buffers' own headers, from the server's shared_memory_size against its shared_buffers.
BUFFERS_NUMERATOR, BUFFERS_DENOMINATOR = 21, 20
# postgresql.org, "Resource Consumption": no gain is expected above 40 % of memory.
BUFFERS_SHARE, BUFFERS_MOST_SHARE = 0.25, 0.40
WORK_LEAST, WORK_MOST = 2 * MIB, 64 * MIB
HASH_MULTIPLIER = 2
MAINTENANCE_LEAST, MAINTENANCE_MOST = 32 * MIB, 2 * GIB - MIB
VACUUM_LEAST, VACUUM_MOST = 16 * MIB, GIB
WISH_SHARE, WISH_SHARE_ALONE = 0.15, 0.40
HUGE_PAGES_FROM = 8 * GIB
SEGMENT = 16 * MIB
BLOCK = 8 * KIB

KEYS = (
    "shared_buffers_mb",
    "work_mem_kb",
    "max_connections",
    "extra_clients",
    "pooled_databases",
    "pooled_workers",
    "pool_size",
    "version",
    "workload",
)
# WAL between two checkpoints, where the disk allows it: le0pard/pgtune, by type of database.
MOST_WAL = {"web": 4 * GIB, "oltp": 8 * GIB, "olap": 16 * GIB}

RESOURCE = "https://www.postgresql.org/docs/current/runtime-config-resource.html"
WAL = "https://www.postgresql.org/docs/current/runtime-config-wal.html"
QUERY = "https://www.postgresql.org/docs/current/runtime-config-query.html"
REPLICATION = "https://www.postgresql.org/docs/current/runtime-config-replication.html"
CONNECTION = "https://www.postgresql.org/docs/current/runtime-config-connection.html"
VACUUM = "https://www.postgresql.org/docs/current/runtime-config-vacuum.html"
TEXTS = {
    "shared_buffers": Text(
        "bytes", 128 * MIB, "this cache's share of what is left, at most a quarter of memory", f"{RESOURCE}#GUC-SHARED-BUFFERS"
    ),
    "effective_cache_size": Text(
        "bytes", 4 * GIB, "what the other services on the host may not take", f"{QUERY}#GUC-EFFECTIVE-CACHE-SIZE"
    ),
    "work_mem": Text(
        "bytes",
        4 * MIB,
        "2 MiB and this cache's share of what is left, over connections, parallel workers and the hash multiplier",
        f"{RESOURCE}#GUC-WORK-MEM",
    ),
    "hash_mem_multiplier": Text(
        "", 2.0, "counted in the price of a connection", f"{RESOURCE}#GUC-HASH-MEM-MULTIPLIER", since=(13,)
    ),
    "maintenance_work_mem": Text(
        "bytes",
        64 * MIB,
        "32 MiB to a sixteenth of memory, from at most 15 % of what is left",
        f"{RESOURCE}#GUC-MAINTENANCE-WORK-MEM",
    ),
    "autovacuum_work_mem": Text(
        "bytes",
        "maintenance_work_mem",
        "16 MiB to a sixty-fourth of memory for each worker",
        f"{RESOURCE}#GUC-AUTOVACUUM-WORK-MEM",
    ),
    "autovacuum_max_workers": Text("", 3, "the server's own", f"{VACUUM}#GUC-AUTOVACUUM-MAX-WORKERS"),
    "max_connections": Text(
        "",
        100,
        "one per PHP worker (or the pools instead), the extra clients, 8 for administration and 3 for superusers",
        f"{CONNECTION}#GUC-MAX-CONNECTIONS",
    ),
    "superuser_reserved_connections": Text("", 3, "the server's own", f"{CONNECTION}#GUC-SUPERUSER-RESERVED-CONNECTIONS"),
    "wal_buffers": Text("bytes", "3 % of shared_buffers", "one WAL segment", f"{WAL}#GUC-WAL-BUFFERS"),
    "max_wal_size": Text("bytes", GIB, "by workload, at most half of the disk's share", f"{WAL}#GUC-MAX-WAL-SIZE"),
    "min_wal_size": Text("bytes", 80 * MIB, "a quarter of max_wal_size", f"{WAL}#GUC-MIN-WAL-SIZE"),
    "max_slot_wal_keep_size": Text(
        "bytes",
        -1,
        "half of the disk's share, so that a lost replica cannot fill it",
        f"{REPLICATION}#GUC-MAX-SLOT-WAL-KEEP-SIZE",
        since=(13,),
    ),
    "max_worker_processes": Text("", 8, "the parallel workers, 8 at least", f"{RESOURCE}#GUC-MAX-WORKER-PROCESSES"),
    "max_parallel_workers": Text("", 8, "one per CPU, fewer where memory is short", f"{RESOURCE}#GUC-MAX-PARALLEL-WORKERS"),
    "max_parallel_workers_per_gather": Text(
        "", 2, "half of the parallel workers, at most 4 (olap: 8)", f"{RESOURCE}#GUC-MAX-PARALLEL-WORKERS-PER-GATHER"
    ),
    "random_page_cost": Text("", 4.0, "by kind of disk: 1.1 where there is no head to move", f"{QUERY}#GUC-RANDOM-PAGE-COST"),
    "effective_io_concurrency": Text(
        "", 16, "by kind of disk: requests that it takes at once", f"{RESOURCE}#GUC-EFFECTIVE-IO-CONCURRENCY"
    ),
    "io_workers": Text("", 3, "a quarter of the CPUs, 3 at least, 32 at most", f"{RESOURCE}#GUC-IO-WORKERS", since=(18,)),
    "jit": Text("", "on", "off except for analysis: it costs more than short queries take", f"{QUERY}#GUC-JIT", since=(11,)),
    "huge_pages": Text("", "try", "taken where the kernel has them", f"{RESOURCE}#GUC-HUGE-PAGES"),
}
POOLER_CONFIG = "https://www.pgbouncer.org/config.html"
POOLER_TEXTS = {
    "default_pool_size": Text(
        "",
        20,
        "four per CPU over all pooled databases, 2 at least for each; less where connections are pinned",
        f"{POOLER_CONFIG}#default_pool_size",
    ),
    "max_db_connections": Text(
        "", 0, "the size of a pool, so that no second user of a database makes it more", f"{POOLER_CONFIG}#max_db_connections"
    ),
    "query_wait_timeout": Text(
        "seconds", 120, "below the shortest request_terminate_timeout of the pools", f"{POOLER_CONFIG}#query_wait_timeout"
    ),
    "max_client_conn": Text(
        "", 100, "twice the PHP workers and the extra clients, 100 at least", f"{POOLER_CONFIG}#max_client_conn"
    ),
}
# le0pard/pgtune and timescaledb-tune; what an SD card answers at once is little, but it has no head to move.
PAGE_COST = {"nvme": 1.1, "ssd": 1.1, "sd": 1.1, "hdd": 4.0}
IO_CONCURRENCY = {"nvme": 256, "ssd": 200, "sd": 4, "hdd": 2}


class PostgreSQL(Service):
    def __init__(self, given: Mapping[str, Any], context: Context) -> None:
        self.host = context.host
        self.has_php = "php_fpm" in context.names
        self.disk = self.host.disk(DATA_DIRECTORIES["postgresql"])
        self.disk_share = context.disk_share("postgresql")
        inputs = Inputs("postgresql", given, KEYS)
        installed = self.host.versions.get("postgresql")
        self.version = inputs.version("version", installed[-1] if isinstance(installed, list) and installed else None)
        self.workload = inputs.choice("workload", MOST_WAL, "web")
        self.pinned_buffers = (inputs.whole("shared_buffers_mb") or 0) * MIB
        self.pinned_work = (inputs.whole("work_mem_kb", low=64) or 0) * KIB
        self.lock_wait = context.lock_wait
        self.pooled = inputs.whole("pooled_databases", low=0, high=1000) or 0
        # Whether no PHP worker comes to the server itself.
        self.pooled_workers = bool(self.pooled) and inputs.flag("pooled_workers", False)
        self.pool_size = self._pool_size(inputs) if self.pooled else 0
        self.clients = Connections(
            inputs,
            "max_connections",
            has_php=self.has_php and not self.pooled_workers,
            kept=ADMIN_CONNECTIONS + SUPERUSER_CONNECTIONS + self._pooled_connections,
            kept_for="pools and administration" if self.pooled else "administration",
            low=SUPERUSER_CONNECTIONS + 1,
            high=10000,
        )
        if self.pooled_workers and self.has_php and not self.clients.pinned:
            self.clients.bound = "pooler"
        if self.pinned_buffers > BUFFERS_MOST_SHARE * self.host.memory:
            raise ValueError(
                f"shared_buffers_mb of postgresql is {self.pinned_buffers // MIB}, which is more than 40 % of the host's "
                f"{self.host.memory // MIB} MB; the kernel's cache needs the rest, so lower it."
            )
        self.work = self.pinned_work or WORK_LEAST
        self.connection = BACKEND + self.work * HASH_MULTIPLIER

    def _pool_size(self, inputs: Inputs) -> int:
        """Server connections of each pooled database."""
        pinned = inputs.whole("pool_size", low=0, high=10000)
        if pinned:
            return pinned
        size = max(POOL_LEAST, POOLED_PER_CPU * self.host.whole_cpus // self.pooled)
        connections = inputs.whole("max_connections", low=0, high=10000)
        if not connections:
            return size
        left = (
            connections
            - ADMIN_CONNECTIONS
            - SUPERUSER_CONNECTIONS
            - POOLER_LOOKUPS
            - (inputs.whole("extra_clients", low=0) or 0)
        )
        # Workers that come to the server itself have the other half.
        return max(1, min(size, left // (self.pooled if self.pooled_workers else 2 * self.pooled)))

    @property
    def _wanted(self) -> dict[str, int]:
        """Bytes that are wished for, by label: more for maintenance, autovacuum, further parallel workers, unknown clients."""
        memory = self.host.memory
        vacuum = min(VACUUM_MOST, max(VACUUM_LEAST, memory // 64)) - VACUUM_LEAST
        return {
            "maintenance": min(MAINTENANCE_MOST, max(MAINTENANCE_LEAST, memory // 16)) - MAINTENANCE_LEAST,
            "autovacuum": vacuum * AUTOVACUUM_WORKERS,
            "parallel workers": (self.host.whole_cpus - 1) * self.connection,
            "clients": CLIENTS_ALONE * self.connection if self.clients.bound == "default" else 0,
        }

    def demand(self) -> Demand:
        return Demand(
            fixed={
                "server": BASE + WAL_BUFFERS,
                **self._pooler,
                "connections": self.clients.fixed * self.connection,
                "parallel workers": self.connection,
                "maintenance": MAINTENANCE_LEAST,
                "autovacuum": VACUUM_LEAST * AUTOVACUUM_WORKERS,
            },
            per_worker=self.connection if self.clients.per_worker else 0,
            wish=sum(self._wanted.values()),
            wish_share=WISH_SHARE if self.has_php else WISH_SHARE_ALONE,
            max_workers=None if self.pooled_workers else self.clients.max_workers,
        )

    @property
    def _pooled_connections(self) -> int:
        return self.pooled * self.pool_size + POOLER_LOOKUPS if self.pooled else 0

    @property
    def _pooler(self) -> dict[str, int]:
        return {"pooler": POOLER} if self.pooled else {}

    @property
    def _connections(self) -> int:
        return self.clients.total(self.workers) + shared(self.granted, self._wanted)["clients"] // self.connection

    def caches(self) -> dict[str, Cache]:
        cap = max(BUFFERS_LEAST, int(self.host.memory * BUFFERS_SHARE))
        buffers = Cache(
            floor=self.pinned_buffers or BUFFERS_LEAST,
            cap=self.pinned_buffers or cap,
            weight=3,
            step=1 if self.pinned_buffers else BUFFERS_STEP,
            numerator=BUFFERS_NUMERATOR,
            denominator=BUFFERS_DENOMINATOR,
        )
        if self.pinned_work:
            return {"shared_buffers": buffers}
        # Every parallel worker may sort and hash like a connection. All CPUs are counted, self.granted or not.
        users = self._connections + self.host.whole_cpus
        query = Cache(floor=0, cap=WORK_MOST - WORK_LEAST, weight=1, step=KIB, numerator=users * HASH_MULTIPLIER)
        return {"shared_buffers": buffers, "work_mem": query}

    def outcome(self, grant: Grant) -> Outcome:
        part = shared(self.granted, self._wanted)
        parallel = 1 + part["parallel workers"] // self.connection
        maintenance = down(MAINTENANCE_LEAST + part["maintenance"], KIB)
        vacuum = down(VACUUM_LEAST + part["autovacuum"] // AUTOVACUUM_WORKERS, KIB)
        connections = self._connections
        buffers = grant.sizes["shared_buffers"]
        work = self.work + grant.sizes.get("work_mem", 0)
        section = Section("postgresql", TEXTS, self.version)
        put = section.put
        at_cap = buffers + BUFFERS_STEP > self.host.memory * BUFFERS_SHARE
        put("shared_buffers", buffers, "user" if self.pinned_buffers else "share of memory" if at_cap else "memory")
        put("effective_cache_size", down(max(buffers, grant.beside_others), BLOCK), "memory")
        put("work_mem", work, "user" if self.pinned_work else "memory", connections=connections, parallel_workers=parallel)
        put("hash_mem_multiplier", float(HASH_MULTIPLIER), "default")
        put("maintenance_work_mem", maintenance, "memory")
        put("autovacuum_work_mem", vacuum, "memory")
        put("autovacuum_max_workers", AUTOVACUUM_WORKERS, "default")
        put("max_connections", connections, self.clients.bound, php_workers=self.workers, extra_clients=self.clients.extra)
        put("superuser_reserved_connections", SUPERUSER_CONNECTIONS, "default")
        put("wal_buffers", WAL_BUFFERS, "default")
        self._put_wal(section)
        put("max_worker_processes", max(8, parallel), "cpu")
        put("max_parallel_workers", parallel, "cpu" if parallel == self.host.whole_cpus else "memory", cpus=self.host.cpus)
        put("max_parallel_workers_per_gather", min(8 if self.workload == "olap" else 4, parallel // 2), "cpu")
        if self.disk.kind in PAGE_COST:
            put("random_page_cost", PAGE_COST[self.disk.kind], "disk", disk=self.disk.kind)
            put("effective_io_concurrency", IO_CONCURRENCY[self.disk.kind], "disk", disk=self.disk.kind)
        put("io_workers", min(32, max(3, self.host.whole_cpus // 4)), "cpu")
        put("jit", "on" if self.workload == "olap" else "off", "default", workload=self.workload)
        put("huge_pages", "try", "default")
        parts = {
            "server": BASE + WAL_BUFFERS,
            "connections": connections * (BACKEND + work * HASH_MULTIPLIER),
            "parallel workers": parallel * (BACKEND + work * HASH_MULTIPLIER),
            "maintenance": maintenance,
            "autovacuum": vacuum * AUTOVACUUM_WORKERS,
            "shared buffers": self.caches()["shared_buffers"].charge(buffers),
        }
        limits = unit_limits(
            sum(parts.values()) + grant.page_cache, self.host, files=65536, tasks=connections + parallel + 16, oom_score=-600
        )
        found = Outcome([section], parts, {"postgresql": limits})
        return self._with_pooler(found) if self.pooled else found

    def _with_pooler(self, found: Outcome) -> Outcome:
        section = Section("pgbouncer", POOLER_TEXTS)
        clients = max(POOLER_CLIENTS_LEAST, 2 * (self.workers + self.clients.extra))
        section.put("default_pool_size", self.pool_size, "cpu", cpus=self.host.cpus, databases=self.pooled)
        section.put("max_db_connections", self.pool_size, "cpu", databases=self.pooled)
        section.put("max_client_conn", clients, "php_fpm" if self.workers else "default", php_workers=self.workers)
        section.put("query_wait_timeout", self.lock_wait, "php_fpm" if self.has_php else "default")
        limits = unit_limits(POOLER, self.host, files=clients + self._pooled_connections + 64, tasks=4, oom_score=-600)
        return Outcome([*found.sections, section], {**found.parts, **self._pooler}, {**found.limits, "pgbouncer": limits})

    def _put_wal(self, section: Section) -> None:
        most, bound = MOST_WAL[self.workload], "default"
        if not self.disk_share:
            most = GIB
        elif self.disk_share // 2 < most:
            most, bound = down(self.disk_share // 2, SEGMENT), "disk"
        section.put("max_wal_size", most, bound, disk_bytes=self.disk.size)
        section.put("min_wal_size", max(2 * SEGMENT, down(most // 4, SEGMENT)), bound)
        if self.disk_share:
            section.put("max_slot_wal_keep_size", down(self.disk_share // 2, SEGMENT), "disk", disk_bytes=self.disk.size)
