# GNU General Public License v3.0+ (see LICENSE)
"""Split one host over its services: charges first, PHP workers next, what is left to the database's cache.

The model (an operating system reserve, worst-case charges, the price of one PHP worker) follows the project's tuning notes.
Values are cautious starting points: the sum of all charges and the reserve never exceeds the host's memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .capacity import MIB, Capacity, read_capacity

KNOWN_SERVICES = ("nginx", "php_fpm", "mariadb")

# nginx: master and per worker; every connection slot costs well under 1 KiB (connection plus two events).
NGINX_BASE = 8 * MIB
NGINX_WORKER = 8 * MIB
NGINX_CONNECTION = 1024
NGINX_CONNECTIONS = 2048
FASTCGI_BUFFERS = 256 * 1024

PHP_MASTER = 32 * MIB
PHP_WORKER_MB = 48
OPCACHE_SIZES_MB = (256, 128, 64)
CHILDREN_PER_CPU = 8
PHP_SHARE = 0.5

# Idle MariaDB 10.6 to 11.8 with performance_schema off and the per-thread buffers below.
MARIADB_BASE = 160 * MIB
MARIADB_ADMIN_CONNECTIONS = 8
MARIADB_CLIENTS_ALONE = 150
MARIADB_POOL_MINIMUM = 64 * MIB
MARIADB_POOL_UNIT = 8 * MIB
MARIADB_POOL_OVERHEAD = 1.1
MARIADB_THREAD = {
    "sort_buffer_size": 1 * MIB,
    "join_buffer_size": 256 * 1024,
    "read_buffer_size": 128 * 1024,
    "read_rnd_buffer_size": 256 * 1024,
    "thread_stack": 299008,
    "binlog_cache_size": 32 * 1024,
    "tmp_table_size": 4 * MIB,
}
MARIADB_CONNECTION = sum(MARIADB_THREAD.values())


class Infeasible(ValueError):
    """The services do not fit on the host; the message names the shortfall and the cheapest remedies."""


def make_plan(facts: Mapping[str, Any], services: Mapping[str, Any]) -> dict[str, Any]:
    """Compute the tuned values of every service on one host.

    :param facts: ``ansible_facts`` of the host.
    :param services: service name to its inputs; ``host`` holds what the user pins about the host itself.
    :returns: a dict with ``budget`` (bytes), one dict per service, ``services`` (charges in bytes) and ``explain``.
    :raises Infeasible: the worst cases do not fit into the host's memory.
    :raises ValueError: an input makes no sense.
    """
    unknown = sorted(set(services) - set(KNOWN_SERVICES) - {"host"})
    if unknown:
        raise ValueError(f"lemp_services names {unknown[0]}, but the plan knows {', '.join(KNOWN_SERVICES)} and host.")
    for name, given in services.items():
        if given is not None and not isinstance(given, Mapping):
            raise ValueError(f"lemp_services.{name} is {given!r}, but must be a dictionary of that service's inputs.")
    planner = _Planner(read_capacity(facts, services.get("host") or {}), services)
    for opcache_mb in OPCACHE_SIZES_MB:
        if opcache_mb > planner.preferred_opcache_mb():
            continue
        try:
            return planner.plan(opcache_mb)
        except Infeasible:
            if opcache_mb == OPCACHE_SIZES_MB[-1]:
                raise
    raise AssertionError("the smallest OPcache was tried")


@dataclass(frozen=True)
class _Pool:
    """One PHP-FPM pool: bytes of one worker, its share of the workers, and the number of workers if the user pinned it."""

    version: str
    worker: int
    weight: int
    pinned: int | None


class _Planner:
    def __init__(self, capacity: Capacity, services: Mapping[str, Any]) -> None:
        self.capacity = capacity
        self.services = services
        self.available = capacity.memory - capacity.reserve
        self.explain: dict[str, Any] = {}

    def plan(self, opcache_mb: int) -> dict[str, Any]:
        opcache = self._opcache(opcache_mb)
        pools = self._pools()
        fixed = self._fixed_charges(opcache, len({pool.version for pool in pools.values()}))
        pool_floor = self._pool_floor()
        elastic = self.available - sum(fixed.values()) - int(pool_floor * MARIADB_POOL_OVERHEAD)
        children = self._children(pools, elastic)
        used_by_pools = {name: count * pools[name].worker for name, count in children.items()}
        total_children = sum(children.values())
        connections = self._connections(total_children)
        charges = dict(fixed)
        if "nginx" in charges:
            charges["nginx"] += total_children * FASTCGI_BUFFERS
        if "php_fpm" in charges:
            charges["php_fpm"] += sum(used_by_pools.values())
        if "mariadb" in charges:
            charges["mariadb"] += connections * MARIADB_CONNECTION
        rest = self.available - sum(charges.values())
        result: dict[str, Any] = {"feasible": True, "shortfall_bytes": 0, "remedies": []}
        if "mariadb" in charges:
            pool = self._buffer_pool(rest)
            charges["mariadb"] += int(pool * MARIADB_POOL_OVERHEAD)
            result["mariadb"] = self._mariadb(pool, connections)
        self._refuse_overcommit(charges)
        if "nginx" in charges:
            result["nginx"] = self._nginx()
        if "php_fpm" in charges:
            result["php_fpm"] = _php_fpm(children)
            result["opcache"] = opcache
        result["budget"] = {
            "total": self.capacity.memory,
            "reserve": self.capacity.reserve,
            "available": self.available,
            "charged": sum(charges.values()),
        }
        result["services"] = {name: {"charge": charge} for name, charge in sorted(charges.items())}
        result["explain"] = self.explain
        return result

    def _say(self, key: str, value: Any, bound: str, formula: str) -> None:
        self.explain[key] = {"value": value, "bound": bound, "formula": formula}

    def _fixed_charges(self, opcache: Mapping[str, int], php_versions: int) -> dict[str, int]:
        charges: dict[str, int] = {}
        if "nginx" in self.services:
            workers = self.capacity.cpus
            charges["nginx"] = NGINX_BASE + workers * (NGINX_WORKER + NGINX_CONNECTIONS * NGINX_CONNECTION)
        if "php_fpm" in self.services:
            # Each PHP version has a master process and a cache of its own.
            charges["php_fpm"] = php_versions * (PHP_MASTER + opcache["memory_consumption_mb"] * MIB)
        if "mariadb" in self.services:
            charges["mariadb"] = MARIADB_BASE
        return charges

    def preferred_opcache_mb(self) -> int:
        return 64 if self.capacity.memory < 1024 * MIB else 256 if self.capacity.memory >= 8192 * MIB else 128

    def _opcache(self, size: int) -> dict[str, int]:
        """A smaller OPcache than preferred is taken where the host is full, so that more memory never breaks a plan."""
        self._say(
            "opcache.memory_consumption_mb",
            size,
            "memory",
            "64 MB below 1 GiB of RAM, 256 MB from 8 GiB, else 128 MB; less where workers would not fit",
        )
        return {
            "memory_consumption_mb": size,
            "interned_strings_buffer_mb": size // 8,
            "max_accelerated_files": {64: 7963, 128: 16229, 256: 32531}[size],
        }

    def _pools(self) -> dict[str, _Pool]:
        if "php_fpm" not in self.services:
            return {}
        given = (self.services["php_fpm"] or {}).get("pools") or [{"name": "www"}]
        if isinstance(given, (str, Mapping)) or not isinstance(given, Sequence):
            raise ValueError(f"lemp_services.php_fpm.pools is {given!r}, but must be a list; give each pool a name.")
        pools: dict[str, _Pool] = {}
        for item in given:
            name = item.get("name") if isinstance(item, Mapping) else None
            if not isinstance(name, str) or not name:
                raise ValueError("lemp_services.php_fpm.pools: a pool has no name; give each pool a name of its own.")
            if name in pools:
                raise ValueError(f"lemp_services.php_fpm.pools: two pools are named {name}; give each pool a name of its own.")
            pools[name] = _Pool(
                version=str(item.get("version") or ""),
                worker=(_whole(item, "worker_memory_mb", f"pool {name}") or PHP_WORKER_MB) * MIB,
                weight=_whole(item, "weight", f"pool {name}") or 1,
                pinned=_whole(item, "max_children", f"pool {name}"),
            )
        return pools

    def _price(self, pool: _Pool) -> int:
        """Worst case of one PHP worker: its own memory, one database connection and nginx's buffers for its answer."""
        price = pool.worker
        if "nginx" in self.services:
            price += FASTCGI_BUFFERS
        if "mariadb" in self.services and not self._pinned("mariadb", "max_connections"):
            price += MARIADB_CONNECTION
        return price

    def _pinned(self, service: str, key: str) -> int | None:
        return _whole(self.services.get(service) or {}, key, service)

    def _children(self, pools: Mapping[str, _Pool], elastic: int) -> dict[str, int]:
        """Workers per pool: pins first, then one each, then by weight while memory, CPUs and pinned connections last."""
        children = {name: pool.pinned or 1 for name, pool in pools.items()}
        free = {name: pool for name, pool in pools.items() if not pool.pinned}
        slots, slot_bound = CHILDREN_PER_CPU * self.capacity.cpus, "cpu"
        share = 0.9
        if "mariadb" in self.services:
            share = PHP_SHARE
            connections = self._pinned("mariadb", "max_connections")
            if connections:
                elastic -= connections * MARIADB_CONNECTION
                if connections - MARIADB_ADMIN_CONNECTIONS < slots:
                    slots, slot_bound = connections - MARIADB_ADMIN_CONNECTIONS, "mariadb"
            kept = 0 if connections else MARIADB_ADMIN_CONNECTIONS * MARIADB_CONNECTION
            memory = min(int(elastic * share), elastic - kept)
        else:
            memory = int(elastic * share)
        memory_left = memory - sum(count * self._price(pools[name]) for name, count in children.items())
        slots_left = slots - sum(children.values())
        bound = "memory"
        while free:
            name = min(free, key=lambda key: (children[key] / free[key].weight, key))
            price = self._price(free[name])
            if slots_left < 1:
                bound = slot_bound
                break
            if price > memory_left:
                del free[name]
                continue
            children[name] += 1
            memory_left -= price
            slots_left -= 1
        for name, count in children.items():
            self._say(
                f"php_fpm.pools.{name}.max_children",
                count,
                "user" if pools[name].pinned else bound,
                f"the smaller of {share:.0%} of free memory over a worker's price and {CHILDREN_PER_CPU} per CPU, by weight",
            )
        return children

    def _connections(self, children: int) -> int:
        if "mariadb" not in self.services:
            return 0
        pinned = self._pinned("mariadb", "max_connections")
        if pinned:
            count, bound = pinned, "user"
        elif children:
            count, bound = children + MARIADB_ADMIN_CONNECTIONS, "php_fpm"
        else:
            affordable = self.available // 4 // MARIADB_CONNECTION
            count = max(MARIADB_ADMIN_CONNECTIONS, min(MARIADB_CLIENTS_ALONE, affordable))
            bound = "memory" if count < MARIADB_CLIENTS_ALONE else "default"
        self._say(
            "mariadb.max_connections", count, bound, f"one per PHP worker and {MARIADB_ADMIN_CONNECTIONS} for administration"
        )
        return count

    def _pool_floor(self) -> int:
        if "mariadb" not in self.services:
            return 0
        pinned = self._pinned("mariadb", "innodb_buffer_pool_size_mb")
        return pinned * MIB if pinned else MARIADB_POOL_MINIMUM

    def _buffer_pool(self, rest: int) -> int:
        pinned = self._pinned("mariadb", "innodb_buffer_pool_size_mb")
        if pinned:
            size, bound = pinned * MIB, "user"
        else:
            unit = int(MARIADB_POOL_UNIT * MARIADB_POOL_OVERHEAD) + 1
            size, bound = max(MARIADB_POOL_MINIMUM, rest // unit * MARIADB_POOL_UNIT), "memory"
        self._say("mariadb.innodb_buffer_pool_size", size, bound, "what all other charges leave, over 1.1, in steps of 8 MiB")
        return size

    def _mariadb(self, pool: int, connections: int) -> dict[str, int]:
        log_file = min(1024 * MIB, max(48 * MIB, pool // 4 // MIB * MIB))
        self._say("mariadb.innodb_log_file_size", log_file, "memory", "a quarter of the buffer pool, 48 MiB to 1 GiB")
        return {
            "innodb_buffer_pool_size": pool,
            "innodb_log_file_size": log_file,
            "max_connections": connections,
            "max_heap_table_size": MARIADB_THREAD["tmp_table_size"],
            "table_open_cache": 2000,
            **MARIADB_THREAD,
        }

    def _nginx(self) -> dict[str, int]:
        self._say("nginx.worker_processes", self.capacity.cpus, "cpu", "one per CPU")
        return {
            "worker_processes": self.capacity.cpus,
            "worker_connections": NGINX_CONNECTIONS,
            "worker_rlimit_nofile": 2 * NGINX_CONNECTIONS + 64,
        }

    def _refuse_overcommit(self, charges: Mapping[str, int]) -> None:
        shortfall = sum(charges.values()) - self.available
        if shortfall <= 0:
            return
        parts = ", ".join(f"{name} {_mb(charge)}" for name, charge in sorted(charges.items()))
        remedies = ["give the host more memory", "move a service to a host of its own"]
        if "php_fpm" in charges:
            remedies.append("lower php.worker_memory_mb or php.max_children, or run fewer sites")
        raise Infeasible(
            f"the services need {_mb(shortfall)} more than the host has: {_mb(self.capacity.memory)} of memory, "
            f"{_mb(self.capacity.reserve)} kept for the operating system, worst cases: {parts}; {', '.join(remedies)}."
        )


def _whole(inputs: Mapping[str, Any], key: str, owner: str) -> int | None:
    """A whole number of at least 1, also where it arrives as text (``-e``, surveys); None where nothing was given."""
    value = inputs.get(key)
    if value is None or value == "":
        return None
    if isinstance(value, str) and value.isdecimal():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{key} of {owner} is {value!r}, but must be a whole number of at least 1.")
    return int(value)


def _mb(size: int) -> str:
    return f"{-(-size // MIB)} MB"


def _php_fpm(children: Mapping[str, int]) -> dict[str, Any]:
    return {
        "process_max": sum(children.values()),
        "max_children": sum(children.values()),
        "pools": {name: _pool(count) for name, count in children.items()},
    }


def _pool(count: int) -> dict[str, Any]:
    """Spare servers that php-fpm accepts for ``count`` children (php-src, fpm_conf.c); ondemand where a spare would be all."""
    if count < 4:
        return {"pm": "ondemand", "max_children": count}
    return {
        "pm": "dynamic",
        "max_children": count,
        "min_spare_servers": max(1, count // 8),
        "start_servers": max(1, count // 4),
        "max_spare_servers": max(2, count // 2),
    }


def service_inputs(services: Any, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Bring the two accepted forms of ``services`` into one: service name to inputs.

    :param services: a mapping, or a list of names in which role names such as ``lemp.stack.nginx`` count as ``nginx`` and
        roles that are no service are passed over.
    :param overrides: inputs per service that outrank those in ``services``; a service named only here is added.
    """
    if isinstance(services, Mapping):
        inputs = {name: dict(given) if isinstance(given, Mapping) else given or {} for name, given in services.items()}
    elif isinstance(services, Sequence) and not isinstance(services, str):
        names = [str(name).rpartition(".")[2] for name in services]
        inputs = {name: {} for name in names if name in KNOWN_SERVICES}
    else:
        raise ValueError(f"services is {services!r}, but must be a mapping of services to inputs, or a list of names.")
    for name, given in overrides.items():
        inputs.setdefault(name, {}).update({key: value for key, value in (given or {}).items() if value})
    return inputs
