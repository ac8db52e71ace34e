# GNU General Public License v3.0+ (see LICENSE)
"""MariaDB: a connection for every PHP worker, then a buffer pool from what is left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .capacity import DATA_DIRECTORIES
from .limits import refuse_too_many_files, unit_limits
from .model import Cache, Connections, Context, Demand, Grant, Inputs, Outcome, Section, Service, Text, shared
from .units import GIB, KIB, MIB, down, parse_size

# Measured with benchmarks/overload.sh, without the buffers that are charged apart.
BASE = 56 * MIB
# Preallocated at start with MariaDB's own sizes, for up to 150 connections and 2000 tables; each further connection more.
PERFORMANCE_SCHEMA = 100 * MIB
PERFORMANCE_SCHEMA_CONNECTION = 512 * KIB

# The server accepts no max_connections below 10.
ADMIN_CONNECTIONS = 10
CLIENTS_ALONE = 150
POOL_LEAST = 48 * MIB
POOL_STEP = 8 * MIB
# From this version on the server chooses chunks that fit the pool; before, it rounds the pool up to whole ones of 128 MiB.
# Source: https://jira.mariadb.org/browse/MDEV-25342
CHUNKS_THAT_FIT = (10, 8)
LOG_FILE_LEAST, LOG_FILE_MOST = 48 * MIB, GIB
# Two files of the binary log: the server removes whole ones.
BINLOG_LEAST = 256 * MIB
# mariadb.com, "XtraDB/InnoDB memory buffer": control structures take about a tenth more.
POOL_NUMERATOR, POOL_DENOMINATOR = 11, 10
# Threads that are no connections: InnoDB's read, write, purge and page cleaner threads, timers, the thread cache.
THREADS = 64
TABLE_CACHE_LEAST, TABLE_CACHE = 400, 2000
WISH_SHARE, WISH_SHARE_ALONE = 0.05, 0.30
# Bytes of one open table: its definition, handlers and InnoDB's own record of it.
TABLE = 16 * KIB

# Bytes that one connection may take, by variable. The server sums them the same way (mysqltuner, "per-thread buffers").
THREAD = {
    "sort_buffer_size": 256 * KIB,
    "join_buffer_size": 256 * KIB,
    "read_buffer_size": 128 * KIB,
    "read_rnd_buffer_size": 256 * KIB,
    "thread_stack": 292 * KIB,
    "binlog_cache_size": 32 * KIB,
    "tmp_table_size": 1 * MIB,
}
# Sorting and temporary tables grow with what is left, up to the distribution's own sizes.
SORT_MOST, TABLE_MOST = 2 * MIB, 16 * MIB
# The server itself rounds tmp_table_size to 16 KiB.
GROWTH_STEP = 64 * KIB
# Caches of the server that are no use to InnoDB tables: small, and the same everywhere.
OWN_BUFFERS = {
    "key_buffer_size": 4 * MIB,
    "aria_pagecache_buffer_size": 8 * MIB,
    "innodb_log_buffer_size": 8 * MIB,
    "query_cache_size": 0,
}
# The connection itself: net buffers and the parser's memory root.
CONNECTION = 128 * KIB

PINS = {
    "innodb_buffer_pool_size_mb": MIB,
    "innodb_log_file_size_mb": MIB,
    "max_heap_table_size_mb": MIB,
    "tmp_table_size_mb": MIB,
    "sort_buffer_size_kb": KIB,
    "join_buffer_size_kb": KIB,
    "read_buffer_size_kb": KIB,
    "read_rnd_buffer_size_kb": KIB,
    "thread_stack_kb": KIB,
    "binlog_cache_size_kb": KIB,
}
KEYS = (
    *PINS,
    "settings",
    "max_connections",
    "table_open_cache",
    "extra_clients",
    "performance_schema",
    "binlog",
    "version",
    "data_size_mb",
)

SERVER = "https://mariadb.com/docs/server/server-management/variables-and-modes/server-system-variables"
INNODB = "https://mariadb.com/docs/server/server-usage/storage-engines/innodb/innodb-system-variables"
BINLOG = "https://mariadb.com/docs/server/ha-and-performance/standard-replication/replication-and-binary-log-system-variables"
TEXTS = {
    "innodb_buffer_pool_size": Text(
        "bytes",
        128 * MIB,
        "this cache's share of what is left, over 1.1, in steps of 8 MiB",
        f"{INNODB}#innodb_buffer_pool_size",
    ),
    "innodb_buffer_pool_chunk_size": Text(
        "bytes",
        128 * MIB,
        "as innodb_buffer_pool_size, which the server rounds up to whole chunks",
        f"{INNODB}#innodb_buffer_pool_chunk_size",
    ),
    "innodb_log_file_size": Text(
        "bytes",
        96 * MIB,
        "a quarter of the buffer pool, 48 MiB to 1 GiB, and no more than the disk's share",
        f"{INNODB}#innodb_log_file_size",
    ),
    "innodb_io_capacity": Text(
        "", 200, "pages per second that the disk can write beside its work", f"{INNODB}#innodb_io_capacity"
    ),
    "innodb_io_capacity_max": Text("", 2000, "twice innodb_io_capacity, 2000 at least", f"{INNODB}#innodb_io_capacity_max"),
    "innodb_flush_neighbors": Text(
        "", 1, "1 where neighbouring pages are one movement of a disk's head, else 0", f"{INNODB}#innodb_flush_neighbors"
    ),
    "innodb_lock_wait_timeout": Text(
        "seconds", 50, "below the shortest request_terminate_timeout of the pools", f"{INNODB}#innodb_lock_wait_timeout"
    ),
    "max_connections": Text(
        "", 151, "one per PHP worker, the extra clients and 10 for administration", f"{SERVER}#max_connections"
    ),
    "max_heap_table_size": Text("bytes", 16 * MIB, "as tmp_table_size", f"{SERVER}#max_heap_table_size"),
    "table_open_cache": Text(
        "", 2000, "400 to the server's own 2000, from at most 5 % of what is left", f"{SERVER}#table_open_cache"
    ),
    "open_files_limit": Text("", 32768, "connections, two per open table and 10, 32768 at least", f"{SERVER}#open_files_limit"),
    "key_buffer_size": Text(
        "bytes", 128 * MIB, "small: index cache of MyISAM tables, which applications have no more", f"{SERVER}#key_buffer_size"
    ),
    "aria_pagecache_buffer_size": Text(
        "bytes",
        128 * MIB,
        "small: the server's own tables and temporary tables on disk",
        f"{SERVER}#aria_pagecache_buffer_size",
    ),
    "innodb_log_buffer_size": Text(
        "bytes", 16 * MIB, "more than a web request writes in one transaction", f"{INNODB}#innodb_log_buffer_size"
    ),
    "query_cache_size": Text(
        "bytes", 1 * MIB, "0: one lock for all queries costs more than it saves", f"{SERVER}#query_cache_size"
    ),
    "max_tmp_total_space_usage": Text(
        "bytes",
        0,
        "a fifth of the data's disk, so that one query cannot fill it",
        f"{SERVER}#max_tmp_total_space_usage",
        since=(11, 5),
    ),
    "max_binlog_total_size": Text(
        "bytes",
        0,
        "a quarter of what the redo log leaves of this service's share of the disk, 256 MiB at least",
        f"{BINLOG}#max_binlog_total_size",
        since=(11, 4),
    ),
    "sort_buffer_size": Text(
        "bytes",
        2 * MIB,
        "256 kB and, with tmp_table_size, a share of what is left over connections",
        f"{SERVER}#sort_buffer_size",
    ),
    "tmp_table_size": Text(
        "bytes",
        16 * MIB,
        "1 MB and, with sort_buffer_size, a share of what is left over connections",
        f"{SERVER}#tmp_table_size",
    ),
    **{
        name: Text("bytes", default, "a cautious value that every connection can afford", f"{SERVER}#{name}")
        for name, default in (
            ("join_buffer_size", 256 * KIB),
            ("read_buffer_size", 128 * KIB),
            ("read_rnd_buffer_size", 256 * KIB),
            ("thread_stack", 292 * KIB),
            ("binlog_cache_size", 32 * KIB),
        )
    },
}
# What a disk writes on the side, in InnoDB pages per second, by kind.
IO_CAPACITY = {"nvme": 2000, "ssd": 1000, "hdd": 200, "sd": 100}


class MariaDB(Service):
    def __init__(self, given: Mapping[str, Any], context: Context) -> None:
        self.host = context.host
        self.has_php = "php_fpm" in context.names
        self.disk = context.host.disk(DATA_DIRECTORIES["mariadb"])
        self.disk_share = context.disk_share("mariadb")
        inputs = self.inputs = Inputs("mariadb", given, KEYS)
        self.version = inputs.version("version", self.host.versions.get("mariadb"))
        self.pins = {key.rpartition("_")[0]: (inputs.whole(key) or 0) * size for key, size in PINS.items() if inputs.whole(key)}
        self.thread = {name: self.pins.get(name, size) for name, size in THREAD.items()}
        self.performance_schema = inputs.flag("performance_schema", False)
        self.binlog = inputs.flag("binlog", False)
        # A temporary table ends at the smaller of two sizes, a table of a user's own in memory at max_heap_table_size.
        beyond = max(0, self.pins.get("max_heap_table_size", 0) - self.thread["tmp_table_size"])
        schema = PERFORMANCE_SCHEMA_CONNECTION if self.performance_schema else 0
        self.connection = sum(self.thread.values()) + beyond + CONNECTION + schema
        self.clients = Connections(inputs, "max_connections", has_php=self.has_php, kept=ADMIN_CONNECTIONS, low=10)
        self.pinned_tables = inputs.whole("table_open_cache", low=10, high=400000)
        self.data_size = (inputs.whole("data_size_mb") or 0) * MIB
        self.lock_wait = context.lock_wait
        self.own_buffers = _own_buffers(given.get("settings"))

    @property
    def _wanted(self) -> dict[str, int]:
        """Bytes that are wished for, by label: more open tables, and clients that nobody counted."""
        return {
            "tables": 0 if self.pinned_tables else (TABLE_CACHE - TABLE_CACHE_LEAST) * TABLE,
            "clients": CLIENTS_ALONE * self.connection if self.clients.bound == "default" else 0,
        }

    def _base_parts(self, tables: int) -> dict[str, int]:
        parts = {"server": BASE, "own buffers": sum(self.own_buffers.values()), "open tables": tables * TABLE}
        if self.performance_schema:
            parts["performance schema"] = PERFORMANCE_SCHEMA
        return parts

    def demand(self) -> Demand:
        return Demand(
            fixed={
                **self._base_parts(self.pinned_tables or TABLE_CACHE_LEAST),
                "connections": self.clients.fixed * self.connection,
            },
            per_worker=self.connection if self.clients.per_worker else 0,
            wish=sum(self._wanted.values()),
            wish_share=WISH_SHARE if self.has_php else WISH_SHARE_ALONE,
            max_workers=self.clients.max_workers,
        )

    @property
    def connections(self) -> int:
        return self.clients.total(self.workers) + shared(self.granted, self._wanted)["clients"] // self.connection

    @property
    def _growth(self) -> dict[str, int]:
        """How much sorting and temporary tables of a connection may still grow; what is pinned does not."""
        return {
            name: most - self.thread[name]
            for name, most in (("sort_buffer_size", SORT_MOST), ("tmp_table_size", TABLE_MOST))
            if name not in self.pins and not (name == "tmp_table_size" and "max_heap_table_size" in self.pins)
        }

    def caches(self) -> dict[str, Cache]:
        pinned = self.pins.get("innodb_buffer_pool_size")
        # A pool beyond the data and its indexes holds nothing (mariadb.com, memory allocation).
        cap = max(POOL_LEAST, self.data_size * 11 // 10) if self.data_size else self.host.memory
        pool = Cache(
            floor=pinned or POOL_LEAST,
            cap=pinned or cap,
            weight=4,
            step=POOL_STEP,
            numerator=POOL_NUMERATOR,
            denominator=POOL_DENOMINATOR,
        )
        query = Cache(floor=0, cap=sum(self._growth.values()), weight=1, step=64 * KIB, numerator=self.connections)
        return {"innodb_buffer_pool_size": pool, "query_memory": query}

    def _grown(self, more: int) -> dict[str, int]:
        """Bytes of a connection's buffers, with ``more`` shared by those that grow."""
        growth = self._growth
        whole = sum(growth.values()) or 1
        return {name: size + down(growth.get(name, 0) * more // whole, GROWTH_STEP) for name, size in self.thread.items()}

    def outcome(self, grant: Grant) -> Outcome:
        pool = grant.sizes["innodb_buffer_pool_size"]
        thread = self._grown(grant.sizes["query_memory"])
        heap = self.pins.get("max_heap_table_size", thread["tmp_table_size"])
        connections = self.connections
        section = Section("mariadb", TEXTS, self.version)
        pinned_pool = "innodb_buffer_pool_size" in self.pins
        section.put("innodb_buffer_pool_size", pool, "user" if pinned_pool else "memory", data_bytes=self.data_size)
        if self.version and self.version < CHUNKS_THAT_FIT:
            section.put("innodb_buffer_pool_chunk_size", pool, "mariadb", innodb_buffer_pool_size=pool)
        self._put_log_file(section, pool)
        bound = self.clients.bound
        if bound == "default" and connections - self.clients.extra < CLIENTS_ALONE:
            bound = "memory"
        section.put("max_connections", connections, bound, php_workers=self.workers, extra_clients=self.clients.extra)
        for name, size in thread.items():
            section.put(name, size, "user" if name in self.pins else "memory" if name in self._growth else "default")
        section.put("max_heap_table_size", heap, "user" if "max_heap_table_size" in self.pins else "memory")
        for name, size in self.own_buffers.items():
            section.put(name, size, "default" if size == OWN_BUFFERS[name] else "user")
        tables = self.pinned_tables or TABLE_CACHE_LEAST + down(shared(self.granted, self._wanted)["tables"] // TABLE, 100)
        refuse_too_many_files("mariadb", connections + 2 * (self.pinned_tables or TABLE_CACHE_LEAST) + 10, self.host)
        tables = min(tables, (self.host.nofile - connections - 10) // 2)
        bound = "user" if self.pinned_tables else "default" if tables == TABLE_CACHE else "memory"
        section.put("table_open_cache", tables, bound)
        files = min(self.host.nofile, max(32768, connections + 2 * tables + 10))
        section.put("open_files_limit", files, "mariadb", max_connections=connections, table_open_cache=tables)
        section.put("innodb_lock_wait_timeout", self.lock_wait, "php_fpm" if self.has_php else "default")
        self._put_disk(section)
        parts = {
            **self._base_parts(tables),
            "connections": connections * (self.connection + sum(thread.values()) - sum(self.thread.values())),
            "buffer pool": self.caches()["innodb_buffer_pool_size"].charge(pool),
        }
        limits = unit_limits(sum(parts.values()), self.host, files=files, tasks=connections + THREADS, oom_score=-600)
        return Outcome([section], parts, {"mariadb": limits})

    def _put_log_file(self, section: Section, pool: int) -> None:
        size, bound = self.pins.get("innodb_log_file_size", 0), "user"
        if not size:
            size, bound = min(LOG_FILE_MOST, max(LOG_FILE_LEAST, down(pool // 4, MIB))), "memory"
        if self.disk_share and size > self.disk_share:
            if bound == "user":
                raise ValueError(
                    f"innodb_log_file_size_mb of mariadb is {size // MIB}, but its share of the disk is "
                    f"{self.disk_share // MIB} MB; lower it."
                )
            size, bound = down(self.disk_share, MIB), "disk"
        section.put("innodb_log_file_size", size, bound, innodb_buffer_pool_size=pool, disk_bytes=self.disk.size)
        if self.binlog and self.disk_share:
            most = max(BINLOG_LEAST, down((self.disk_share - size) // 4, MIB))
            section.put("max_binlog_total_size", most, "disk", disk_bytes=self.disk.size, innodb_log_file_size=size)

    def _put_disk(self, section: Section) -> None:
        capacity = IO_CAPACITY.get(self.disk.kind)
        if capacity:
            section.put("innodb_io_capacity", capacity, "disk", disk=self.disk.kind)
            section.put("innodb_io_capacity_max", max(2000, 2 * capacity), "disk", disk=self.disk.kind)
            section.put("innodb_flush_neighbors", int(self.disk.kind == "hdd"), "disk", disk=self.disk.kind)
        if self.disk.size:
            section.put("max_tmp_total_space_usage", down(self.disk.size // 5, MIB), "disk", disk_bytes=self.disk.size)


def _own_buffers(settings: Any) -> dict[str, int]:
    """The server's own caches, as the user's further server variables set them.

    :raises ValueError: one of them is no size.
    """
    if not isinstance(settings or {}, Mapping):
        raise ValueError(f"settings of mariadb is {settings!r}, but must be a dictionary of server variables.")
    given = {str(name).replace("-", "_"): value for name, value in (settings or {}).items()}
    own = [name for name in given if name in THREAD or any(name == key.rpartition("_")[0] or name == key for key in KEYS)]
    if own:
        raise ValueError(f"settings of mariadb has {own[0]}, which the plan computes; use the input of that name instead.")
    try:
        return {name: parse_size(str(given.get(name, size)), "mariadb") for name, size in OWN_BUFFERS.items()}
    except ValueError as error:
        raise ValueError(f"settings of mariadb: {error}") from error
