# GNU General Public License v3.0+ (see LICENSE)
"""nginx: one worker per CPU, as many connections as memory allows, and what each costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .capacity import MOST_FILES
from .limits import refuse_too_many_files, unit_limits
from .model import Cache, Context, Demand, Grant, Inputs, Outcome, Section, Service, Text
from .units import KIB, MIB, power_of_two

KEYS = ("worker_processes", "worker_connections", "worker_rlimit_nofile")

# Measured with benchmarks/overload.sh: the master with its shared zones, one idle worker, one open TLS connection.
MASTER = 12 * MIB
WORKER = 4 * MIB
CONNECTION = 40 * KIB
# Compressing one answer: zlib's window and hash tables, and gzip_buffers (ngx_http_gzip_filter_module.c).
GZIP = 512 * KIB

LEAST_CONNECTIONS = 256
MOST_CONNECTIONS = 8192
WISH_SHARE = 0.06
# Static files are served out of the kernel's cache, which counts against the unit's MemoryMax.
FILES_LEAST = 4 * MIB
FILES_STEP = MIB
FILES_SHARE_MOST = 8
BUFFER_COUNT = 16
BUFFER = 16 * KIB

CORE = "https://nginx.org/en/docs/ngx_core_module.html"
FASTCGI = "https://nginx.org/en/docs/http/ngx_http_fastcgi_module.html"
TEXTS = {
    "worker_processes": Text(
        "", "auto", "one per CPU that may be used, fewer where memory is short", f"{CORE}#worker_processes"
    ),
    "worker_connections": Text(
        "", 768, "at least 256 and two per PHP worker together, more from 6 % of what is left", f"{CORE}#worker_connections"
    ),
    "worker_rlimit_nofile": Text(
        "", None, "two files per connection and 64, rounded up to a power of two", f"{CORE}#worker_rlimit_nofile"
    ),
    "fastcgi_buffers_count": Text("", 8, "room for an ordinary page in memory", f"{FASTCGI}#fastcgi_buffers"),
    "fastcgi_buffer_size": Text(
        "bytes", "one memory page", "16 kB, or a memory page where that is larger", f"{FASTCGI}#fastcgi_buffer_size"
    ),
}


class Nginx(Service):
    def __init__(self, given: Mapping[str, Any], context: Context) -> None:
        self.inputs = Inputs("nginx", given, KEYS)
        self.host = context.host
        self.has_php = "php_fpm" in context.names
        self.pinned_processes = self.inputs.whole("worker_processes", high=1024)
        self.pinned_connections = self.inputs.whole("worker_connections", low=16, high=500000)
        self.pinned_files = self.inputs.whole("worker_rlimit_nofile", low=64, high=1048576)
        if self.pinned_files and self.pinned_files < 2 * (self.pinned_connections or LEAST_CONNECTIONS) + 64:
            raise ValueError(
                f"worker_rlimit_nofile of nginx is {self.pinned_files}, but {self.pinned_connections or LEAST_CONNECTIONS} "
                f"connections need {2 * (self.pinned_connections or LEAST_CONNECTIONS) + 64} files; raise it, or lower "
                "worker_connections."
            )
        self.buffer = max(BUFFER, self.host.page_size)
        self.buffer_count = BUFFER_COUNT if self.buffer == BUFFER else 8

    @property
    def _least_processes(self) -> int:
        """Whoever sets the connections of a process counts on one process per CPU."""
        return self.pinned_processes or (self.host.whole_cpus if self.pinned_connections else 1)

    @property
    def _most_connections(self) -> int | None:
        """Connections per process that the user's own numbers allow; None where only memory bounds them."""
        if self.pinned_connections:
            return self.pinned_connections
        files = min(self.pinned_files or self.host.nofile, self.host.nofile)
        return (files - 64) // 2 if files < MOST_FILES else None

    @property
    def _most_processes(self) -> int:
        return self.pinned_processes or self.host.whole_cpus

    @property
    def _process(self) -> int:
        """Bytes of one more process, with the connections that it is pinned to or the slot that rounding up may need."""
        return WORKER + CONNECTION * (self.pinned_connections or 1)

    def demand(self) -> Demand:
        if self.pinned_connections or self.pinned_files:
            refuse_too_many_files("nginx", max(self.pinned_files or 0, 2 * (self.pinned_connections or 0) + 64), self.host)
        least, wanted = self._least_processes, self._most_processes
        pinned = (self.pinned_connections or 0) * least
        connections = pinned or LEAST_CONNECTIONS
        most = 0 if self.pinned_connections else MOST_CONNECTIONS * wanted - connections
        return Demand(
            fixed={
                "master and shared zones": MASTER,
                "workers": least * (WORKER + CONNECTION),
                "connections": connections * CONNECTION,
            },
            per_worker=(self.buffers + GZIP + (0 if self.pinned_connections else 2 * CONNECTION)) if self.has_php else 0,
            wish=(wanted - least) * self._process + max(0, most) * CONNECTION,
            wish_share=WISH_SHARE,
            max_workers=self._most_connections * least // 2 if self._most_connections else None,
        )

    def caches(self) -> dict[str, Cache]:
        most = max(FILES_LEAST, self.host.memory // FILES_SHARE_MOST)
        return {"files": Cache(floor=FILES_LEAST, cap=most, weight=1, step=FILES_STEP)}

    @property
    def buffers(self) -> int:
        """Bytes of the FastCGI buffers of one request: the body's and the header's."""
        return (self.buffer_count + 1) * self.buffer

    def outcome(self, grant: Grant) -> Outcome:
        least, wanted = self._least_processes, self._most_processes
        # Half of the wish for processes, so that connections grow too.
        half = self.granted if self.pinned_connections else self.granted // 2
        processes = least + min(wanted - least, half // self._process)
        rest = self.granted - (processes - least) * self._process
        if self.pinned_connections:
            connections, bound = self.pinned_connections, "user"
        else:
            total = LEAST_CONNECTIONS + 2 * self.workers * self.has_php + rest // CONNECTION
            # Rounded up: every worker has paid for one slot of its own.
            connections = -(-total // processes)
            bound = "memory"
            needed = -(-2 * self.workers // processes)
            if connections > max(MOST_CONNECTIONS, needed):
                connections, bound = max(MOST_CONNECTIONS, needed), "default"
            if self._most_connections and connections > self._most_connections:
                connections, bound = self._most_connections, "user"
        files = self.pinned_files or min(self.host.nofile, power_of_two(2 * connections + 64))
        section = Section("nginx", TEXTS)
        section.put(
            "worker_processes",
            processes,
            "user" if self.pinned_processes else "cpu" if processes == wanted else "memory",
            cpus=self.host.cpus,
        )
        section.put("worker_connections", connections, bound, worker_processes=processes, php_workers=self.workers)
        section.put("worker_rlimit_nofile", files, "user" if self.pinned_files else "nginx", worker_connections=connections)
        section.put("fastcgi_buffers_count", self.buffer_count, "default", page_size=self.host.page_size)
        section.put("fastcgi_buffer_size", self.buffer, "default", page_size=self.host.page_size)
        parts = {
            "master and shared zones": MASTER,
            "workers": processes * WORKER,
            "connections": processes * connections * CONNECTION,
            "page cache of static files": grant.sizes["files"],
        }
        if self.has_php:
            parts["answers of PHP in flight"] = self.workers * (self.buffers + GZIP)
        limits = unit_limits(sum(parts.values()), self.host, files=max(files, 1024), tasks=processes + 8, oom_score=-100)
        limits["OOMPolicy"] = "continue"
        return Outcome([section], parts, {"nginx": limits})
