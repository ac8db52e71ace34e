# GNU General Public License v3.0+ (see LICENSE)
"""PHP-FPM and OPcache: what one worker costs, how many there are, who gets them."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from .limits import unit_limits
from .model import Context, Demand, Grant, Inputs, Outcome, Section, Service, Text
from .timeouts import CONTROL_AFTER_TERMINATE, STOP_AFTER_CONTROL, request_timeouts
from .units import MIB, down

KEYS = ("pools", "opcache_memory_mb", "opcache_interned_strings_mb", "opcache_max_files", "jit_buffer_mb")


class Application(NamedTuple):
    """What an application is assumed to take until it is measured: MB of one worker, MB of OPcache, PHP files."""

    worker_mb: int
    opcache_mb: int
    files: int


# Starting values that playbook calibrate.yml replaces by measurement, from what is published for sites with the usual plugins.
# A bare WordPress under load takes about 15 MB beside OPcache (benchmarks/overload.sh).
APPLICATIONS = {
    "php": Application(40, 16, 500),
    "wordpress": Application(48, 48, 2000),
    "woocommerce": Application(80, 96, 6000),
    "nextcloud": Application(96, 96, 10000),
    "laravel": Application(72, 64, 6000),
    "symfony": Application(72, 128, 15000),
    "drupal": Application(80, 96, 8000),
    "magento": Application(160, 512, 50000),
}

MASTER = 16 * MIB
OPCACHE_LEAST_MB = 32
OPCACHE_MOST_MB = 4096
OPCACHE_BASE_MB = 16
OPCACHE_STEP_MB = 8
WISH_SHARE = 0.20
# What one request may take before PHP itself stops it, where a pool does not say.
MEMORY_LIMIT_MB = 256
# JIT code must be reachable by the processor's branches (php.net, opcache.jit_buffer_size; RFC jit_config_defaults).
JIT_MOST_MB_ARM = 128
# php-src, ext/opcache/zend_accelerator_hash.c: slots are the next of these.
HASH_SIZES = (1979, 3907, 7963, 16229, 32531, 65407, 130987, 262237, 524521, 1048793)
# PHP takes no larger number, and makes of it the last size.
MOST_FILES = 1000000
LISTEN_BACKLOG = 4096

# Workers per CPU: a request that waits for a database or another server leaves the CPU to others.
CHILDREN_PER_CPU = {"balanced": 8, "cpu": 4, "io": 16, "database": 4}

FPM = "https://www.php.net/manual/en/install.fpm.configuration.php"
OPCACHE = "https://www.php.net/manual/en/opcache.configuration.php"
POOL_TEXTS = {
    "max_children": Text(
        "", 5, "by weight, while memory, CPUs and database connections last; one each at least", f"{FPM}#pm.max-children"
    ),
    "worker_memory_mb": Text(
        "MB", None, "what the user says, else what calibrate.yml measured, else what the application is known for", FPM
    ),
    "pm": Text("", "dynamic", "ondemand below four workers, where a spare one would be most of them", f"{FPM}#pm"),
    "start_servers": Text("", 2, "a quarter of max_children", f"{FPM}#pm.start-servers"),
    "min_spare_servers": Text("", 1, "an eighth of max_children", f"{FPM}#pm.min-spare-servers"),
    "max_spare_servers": Text("", 3, "half of max_children", f"{FPM}#pm.max-spare-servers"),
}
TEXTS = {
    "process_max": Text("", 0, "all pools together", f"{FPM}#process.max"),
    "max_children": Text("", 5, "all pools together", f"{FPM}#pm.max-children"),
    "listen_backlog": Text(
        "", 511, "the kernel's own somaxconn, so that requests wait instead of failing with 502", f"{FPM}#listen-backlog"
    ),
    "process_control_timeout": Text(
        "seconds",
        0,
        "the longest request_terminate_timeout and 5 s, so that a reload ends no request",
        f"{FPM}#process-control-timeout",
    ),
}
OPCACHE_TEXTS = {
    "memory_consumption_mb": Text(
        "MB",
        128,
        "16 MB and what each application's scripts take, from at most 20 % of what is left",
        f"{OPCACHE}#ini.opcache.memory-consumption",
    ),
    "interned_strings_buffer_mb": Text(
        "MB", 8, "an eighth of memory_consumption, of which it is a part", f"{OPCACHE}#ini.opcache.interned-strings-buffer"
    ),
    "max_accelerated_files": Text(
        "",
        10000,
        "the next hash size above 1.2 times the PHP files of all pools",
        f"{OPCACHE}#ini.opcache.max-accelerated-files",
    ),
    "jit_buffer_size_mb": Text(
        "MB", 64, "0, off, unless set: gains little where a database answers", f"{OPCACHE}#ini.opcache.jit-buffer-size"
    ),
}


@dataclass(frozen=True)
class Pool:
    """One pool: bytes of one worker and who said so, its share of the workers, its number of workers if pinned."""

    name: str
    version: str
    worker: int
    worker_bound: str
    weight: int
    pinned: int | None
    application: Application
    memory_limit: int
    timeouts: Mapping[str, int]


class PhpFpm(Service):
    def __init__(self, given: Mapping[str, Any], context: Context) -> None:
        self.host = context.host
        self.inputs = Inputs("php_fpm", given, KEYS)
        calibration = self.host.calibration.get("php_fpm") or {}
        pools = calibration.get("pools") if isinstance(calibration, Mapping) else None
        if not isinstance(calibration, Mapping) or not isinstance(pools or {}, Mapping):
            raise ValueError(f"the calibration of php_fpm kept on the host is {calibration!r}; measure it again.")
        self.calibration: Mapping[str, Any] = calibration
        self.pools = self._read_pools(given.get("pools"))
        self.versions = sorted({pool.version for pool in self.pools})
        self.jit_mb = self.inputs.whole("jit_buffer_mb", low=0, high=JIT_MOST_MB_ARM if self._is_arm else 4096) or 0
        self.pinned_opcache = self.inputs.whole("opcache_memory_mb", low=8, high=OPCACHE_MOST_MB)
        self.pinned_strings = self.inputs.whole("opcache_interned_strings_mb", low=1, high=4095)
        self.pinned_files = self.inputs.whole("opcache_max_files", low=200, high=1000000)
        if self.pinned_strings and self.pinned_strings >= (self.pinned_opcache or OPCACHE_LEAST_MB):
            raise ValueError(
                f"opcache_interned_strings_mb of php_fpm is {self.pinned_strings}, but is a part of opcache_memory_mb "
                f"({self.pinned_opcache or 'computed'}); set that to more."
            )
        self.children: dict[str, int] = {}
        self.bound = "memory"

    @property
    def _is_arm(self) -> bool:
        return self.host.architecture in ("aarch64", "arm64")

    def _read_pools(self, given: Any) -> list[Pool]:
        items = given or [{"name": "www"}]
        if isinstance(items, (str, Mapping)) or not isinstance(items, Sequence):
            raise ValueError(f"lemp_services.php_fpm.pools is {given!r}, but must be a list; give each pool a name.")
        pools: dict[str, Pool] = {}
        for item in items:
            name = item.get("name") if isinstance(item, Mapping) else None
            if not isinstance(name, str) or not name:
                raise ValueError("lemp_services.php_fpm.pools: a pool has no name; give each pool a name of its own.")
            if name in pools:
                raise ValueError(f"lemp_services.php_fpm.pools: two pools are named {name}; give each pool a name of its own.")
            pools[name] = self._read_pool(name, item)
        return list(pools.values())

    def _read_pool(self, name: str, item: Mapping[str, Any]) -> Pool:
        inputs = Inputs(f"pool {name}", item, item)
        application = APPLICATIONS[inputs.choice("application", APPLICATIONS, "php")]
        measured = (self.calibration.get("pools") or {}).get(name) or {}
        if not isinstance(measured, Mapping):
            raise ValueError(f"the calibration of pool {name} kept on the host is {measured!r}; measure it again.")
        pinned_mb = inputs.whole("worker_memory_mb")
        measured_mb = Inputs(f"the calibration of pool {name}", measured, measured).whole("worker_memory_mb")
        for key in ("max_execution_time_seconds", "request_terminate_timeout_seconds"):
            inputs.whole(key, high=10**6)
        return Pool(
            name=name,
            version=str(item.get("version") or ""),
            worker=(pinned_mb or measured_mb or application.worker_mb) * MIB,
            worker_bound="user" if pinned_mb else "calibration" if measured_mb else "application",
            weight=inputs.whole("weight") or 1,
            pinned=inputs.whole("max_children", high=100000),
            application=application,
            memory_limit=(inputs.whole("memory_limit_mb") or MEMORY_LIMIT_MB) * MIB,
            timeouts=request_timeouts(item),
        )

    @property
    def least(self) -> dict[str, int]:
        """Workers that there are at least: those pinned, else one per pool."""
        return {pool.name: pool.pinned or 1 for pool in self.pools}

    @property
    def _opcache_need_mb(self) -> tuple[int, str]:
        """MB that the busiest version's scripts need, in whole steps, and who said so."""
        measured = Inputs("the calibration of php_fpm", self.calibration, self.calibration).whole("opcache_memory_mb")
        if measured:
            return min(OPCACHE_MOST_MB, max(OPCACHE_LEAST_MB, -(-measured // OPCACHE_STEP_MB) * OPCACHE_STEP_MB)), "calibration"
        needs = [
            OPCACHE_BASE_MB + sum(pool.application.opcache_mb for pool in self.pools if pool.version == version)
            for version in self.versions
        ]
        return min(OPCACHE_MOST_MB, max(OPCACHE_LEAST_MB, max(needs))), "application"

    @property
    def _files(self) -> int:
        """PHP files of all pools that share a master."""
        measured = Inputs("the calibration of php_fpm", self.calibration, self.calibration).whole("php_files")
        return measured or max(
            sum(pool.application.files for pool in self.pools if pool.version == version) for version in self.versions
        )

    def demand(self) -> Demand:
        opcache_mb = self.pinned_opcache or OPCACHE_LEAST_MB
        masters = len(self.versions)
        return Demand(
            fixed={"masters": masters * MASTER, "opcache": masters * (opcache_mb + self.jit_mb) * MIB},
            wish=sum(self._wanted.values()),
            wish_share=WISH_SHARE,
        )

    @property
    def _wanted(self) -> dict[str, int]:
        """Bytes that are wished for, by label: OPcache for all scripts, then one request that grows to its limit."""
        growth = 0 if self.pinned_opcache else self._opcache_need_mb[0] - OPCACHE_LEAST_MB
        large = max(max(0, pool.memory_limit - pool.worker) for pool in self.pools)
        masters = len(self.versions)
        return {"opcache": growth * MIB * masters, "large request": large * masters}

    def share_out(self, prices: Mapping[str, int], memory: int, slots: int, slot_bound: str) -> None:
        """Decide the number of workers per pool: pins, one each, then by weight while memory and slots last.

        :param prices: bytes of one worker of each pool, with all that it makes other services pay.
        :param memory: bytes for all workers.
        :param slots: workers that CPUs and database connections allow.
        """
        children = self.least
        memory -= sum(count * prices[name] for name, count in children.items())
        slots -= sum(children.values())
        queue = [(1 / pool.weight, pool.name, pool) for pool in self.pools if not pool.pinned]
        heapq.heapify(queue)
        self.bound = "memory" if queue else "user"
        while queue:
            if slots < 1:
                self.bound = slot_bound
                break
            _, name, pool = heapq.heappop(queue)
            if prices[name] > memory:
                continue
            children[name] += 1
            memory -= prices[name]
            slots -= 1
            heapq.heappush(queue, (children[name] / pool.weight, name, pool))
        self.children = children

    def outcome(self, _grant: Grant) -> Outcome:
        masters = len(self.versions)
        # Without room for all scripts every request is slow; a large one is rare.
        grown_mb = down(min(self.granted, self._wanted["opcache"]) // MIB // masters, OPCACHE_STEP_MB)
        large = max(0, self.granted - self._wanted["opcache"]) // masters
        need_mb, need_bound = self._opcache_need_mb
        opcache_mb = self.pinned_opcache or OPCACHE_LEAST_MB + grown_mb
        control = max(pool.timeouts["request_terminate_timeout"] for pool in self.pools) + CONTROL_AFTER_TERMINATE
        php = Section("php_fpm", TEXTS)
        php.put("process_max", self.workers, "pools")
        php.put("max_children", self.workers, "pools")
        php.put("listen_backlog", LISTEN_BACKLOG, "kernel")
        php.put("process_control_timeout", control, "pools")
        php.values["pools"] = {}
        for pool in self.pools:
            section = self._pool_section(pool)
            php.values["pools"][pool.name] = section.values
            php.explain.update(section.explain)
        opcache = self._opcache_section(opcache_mb, need_mb, need_bound)
        parts = {
            "masters": masters * MASTER,
            "opcache": masters * (opcache_mb + self.jit_mb) * MIB,
            "workers": sum(self.children[pool.name] * pool.worker for pool in self.pools),
            "a request that grows to its memory_limit": large * masters,
        }
        limits = {}
        for version in self.versions:
            own = [pool for pool in self.pools if pool.version == version]
            charge = (
                large + MASTER + (opcache_mb + self.jit_mb) * MIB + sum(self.children[pool.name] * pool.worker for pool in own)
            )
            tasks = 1 + sum(self.children[pool.name] for pool in own)
            limits[f"php_fpm@{version}"] = {
                **unit_limits(charge, self.host, files=4096, tasks=tasks, oom_score=200),
                "OOMPolicy": "continue",
                "TimeoutStopSec": control + STOP_AFTER_CONTROL,
            }
        return Outcome([php, opcache], parts, limits)

    def _pool_section(self, pool: Pool) -> Section:
        count = self.children[pool.name]
        section = Section(f"php_fpm.pools.{pool.name}", POOL_TEXTS)
        section.put("max_children", count, "user" if pool.pinned else self.bound, weight=pool.weight, cpus=self.host.cpus)
        section.put("worker_memory_mb", pool.worker // MIB, pool.worker_bound)
        if count < 4:
            section.put("pm", "ondemand", "php_fpm", max_children=count)
            return section
        # What php-fpm accepts: 0 < min <= start <= max <= max_children (php-src, fpm_conf.c).
        section.put("pm", "dynamic", "php_fpm", max_children=count)
        section.put("start_servers", max(1, count // 4), "php_fpm", max_children=count)
        section.put("min_spare_servers", max(1, count // 8), "php_fpm", max_children=count)
        section.put("max_spare_servers", max(2, count // 2), "php_fpm", max_children=count)
        return section

    def _opcache_section(self, opcache_mb: int, need_mb: int, need_bound: str) -> Section:
        section = Section("opcache", OPCACHE_TEXTS)
        bound = "user" if self.pinned_opcache else need_bound if opcache_mb == need_mb else "memory"
        section.put("memory_consumption_mb", opcache_mb, bound, needed_mb=need_mb)
        strings_mb = self.pinned_strings or min(64, max(1, opcache_mb // 8))
        section.put(
            "interned_strings_buffer_mb",
            strings_mb,
            "user" if self.pinned_strings else "opcache",
            memory_consumption_mb=opcache_mb,
        )
        files = self.pinned_files or min(MOST_FILES, hash_size(self._files * 12 // 10))
        section.put("max_accelerated_files", files, "user" if self.pinned_files else "application", php_files=self._files)
        section.put("jit_buffer_size_mb", self.jit_mb, "user" if self.jit_mb else "default")
        return section


def hash_size(entries: int) -> int:
    """Slots that OPcache really makes for at least ``entries`` scripts (php-src, zend_accelerator_hash.c)."""
    return next((size for size in HASH_SIZES if size >= entries), HASH_SIZES[-1])
