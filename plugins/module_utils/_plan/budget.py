# GNU General Public License v3.0+ (see LICENSE)
"""Split one host over its services: least charges first, then wishes, PHP workers, and caches from what is left.

The model: an operating system's reserve; every service's worst case; a price per PHP worker that holds its own memory, a
connection to each database and nginx's buffers, so that workers and connections are decided together; caches that share the
rest by weight. Everything is rounded down. What nobody is charged for is left to the page cache.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .capacity import Capacity, read_capacity
from .kernel import kernel_section
from .limits import explain_limits
from .mariadb import MariaDB
from .memcached import Memcached
from .model import Cache, Context, Grant, Infeasible, Outcome, Service, is_pinned
from .nginx import Nginx
from .php_fpm import CHILDREN_PER_CPU, PhpFpm
from .postgresql import PostgreSQL
from .redis import Redis
from .timeouts import LOCK_WAIT
from .units import MIB, megabytes

__all__ = ["Infeasible", "make_plan", "service_inputs"]

SERVICES: dict[str, Any] = {
    "nginx": Nginx,
    "php_fpm": PhpFpm,
    "mariadb": MariaDB,
    "postgresql": PostgreSQL,
    "redis": Redis,
    "memcached": Memcached,
}
KNOWN_SERVICES = tuple(SERVICES)

# Of what is left after all least charges, PHP workers with their connections get this share where caches want the rest.
PHP_SHARE = {"balanced": 0.5, "cpu": 0.5, "io": 0.6, "database": 0.3}
PHP_SHARE_WITHOUT_CACHES = 0.9
# I09: beside PHP, caches take at most this share of what the services have.
CACHE_SHARE_BESIDE_PHP = 0.8


def make_plan(facts: Mapping[str, Any], services: Mapping[str, Any]) -> dict[str, Any]:
    """Compute the tuned values of every service on one host.

    :param facts: ``ansible_facts`` of the host, best with ``lemp_capacity`` of module host_capacity in it.
    :param services: service name to its inputs; ``host`` holds what the user pins about the host itself.
    :returns: a dict with ``host``, ``budget`` (bytes), ``services`` (charges in bytes and their parts), one dict of values per
        service, ``sysctl``, ``limits`` per unit, ``timeouts`` per pool (seconds), ``explain`` per value and ``warnings``.
    :raises Infeasible: the worst cases do not fit into the host's memory.
    :raises ValueError: an input makes no sense.
    """
    for name in services:
        if name not in SERVICES and name != "host":
            raise ValueError(f"lemp_services names {name}, but the plan knows {', '.join(KNOWN_SERVICES)} and host.")
    inputs = {name: _inputs_of(name, given) for name, given in services.items()}
    host = read_capacity(facts, inputs.pop("host", {}))
    return _Planner(host, inputs).plan()


class _Planner:
    def __init__(self, host: Capacity, inputs: Mapping[str, Mapping[str, Any]]) -> None:
        self.host = host
        self.available = max(0, host.memory - host.reserve)
        context = Context(host, frozenset(inputs))
        # PHP-FPM first: its time limits bound what the databases may wait for.
        ordered = sorted(inputs, key=lambda name: (name != "php_fpm", KNOWN_SERVICES.index(name)))
        self.services: dict[str, Service] = {}
        for name in ordered:
            service = SERVICES[name](inputs[name], context)
            if isinstance(service, PhpFpm):
                shortest = min(pool.timeouts["lock_wait"] for pool in service.pools)
                context = Context(host, frozenset(inputs), min(LOCK_WAIT, shortest))
            self.services[name] = service
        self.demands = {name: service.demand() for name, service in self.services.items()}

    @property
    def php(self) -> PhpFpm | None:
        service = self.services.get("php_fpm")
        return service if isinstance(service, PhpFpm) else None

    def plan(self) -> dict[str, Any]:
        left = self.available - self._least()
        if left < 0:
            raise self._infeasible(-left)
        granted = {
            name: min(demand.wish, int(left * demand.wish_share)) for name, demand in self.demands.items() if demand.wish > 0
        }
        left -= sum(granted.values())
        workers = self._share_out_workers(left)
        spent = sum(self._fixed(name) + granted.get(name, 0) for name in self.services) + self._worker_cost()
        for name, service in self.services.items():
            service.workers, service.granted = workers, granted.get(name, 0)
        caches = self._caches()
        sizes = fill(caches, self.available - spent, self._most_cached())
        page_cache = self.available - spent - sum(cache.charge(sizes[key]) for key, cache in caches.items())
        outcomes: dict[str, Outcome] = {}
        # PostgreSQL last: it counts on the operating system's cache, which is what the others may not take.
        for name in sorted(self.services, key=lambda name: name == "postgresql"):
            others = sum(sum(outcome.parts.values()) for outcome in outcomes.values())
            own = {key: sizes[owner, key] for owner, key in sizes if owner == name}
            outcomes[name] = self.services[name].outcome(Grant(own, page_cache, self.available - others))
        return self._result(outcomes)

    def _fixed(self, name: str) -> int:
        return sum(self.demands[name].fixed.values())

    def _caches(self) -> dict[tuple[str, str], Cache]:
        return {(name, key): cache for name, service in self.services.items() for key, cache in service.caches().items()}

    def _floors(self) -> int:
        return sum(cache.charge(cache.floor) for cache in self._caches().values())

    def _prices(self) -> dict[str, int]:
        """Worst case of one worker of each pool: its own memory and what it makes the other services pay."""
        beside = sum(demand.per_worker for demand in self.demands.values())
        return {pool.name: pool.worker + beside for pool in self.php.pools} if self.php else {}

    def _least(self) -> int:
        """Bytes without which the services cannot run at all."""
        prices = self._prices()
        workers = sum(count * prices[name] for name, count in self._least_workers().items())
        return sum(self._fixed(name) for name in self.services) + self._floors() + workers

    def _share_out_workers(self, left: int) -> int:
        if not self.php:
            return 0
        prices = self._prices()
        least = sum(count * prices[name] for name, count in self.php.least.items())
        share = PHP_SHARE[self.host.profile] if self._caches() else PHP_SHARE_WITHOUT_CACHES
        # An application that calls itself, as WordPress does for its cron jobs, needs a second worker before caches grow.
        two_each = sum((pool.pinned or 2) * prices[pool.name] for pool in self.php.pools)
        memory = max(least, int((left + least) * share), min(left + least, two_each))
        slots, bound = max(1, int(CHILDREN_PER_CPU[self.host.profile] * self.host.cpus)), "cpu"
        for name, demand in self.demands.items():
            if demand.max_workers is not None and demand.max_workers < slots:
                slots, bound = demand.max_workers, name
        self._refuse_too_few_connections()
        self.php.share_out(prices, memory, slots, bound)
        return sum(self.php.children.values())

    def _refuse_too_few_connections(self) -> None:
        """I17, I18: pinned connections that do not even serve the least workers."""
        needed = sum(self._least_workers().values())
        for name, demand in self.demands.items():
            if demand.max_workers is not None and demand.max_workers < needed:
                # nginx needs two connections per PHP worker, over all of its processes.
                more = "" if name == "nginx" else f" by {needed - demand.max_workers}"
                raise Infeasible(
                    f"the connections pinned for {name} leave {max(0, demand.max_workers)} to PHP, whose pools have at least "
                    f"{needed} workers; raise them{more}, or lower php.max_children.",
                    remedies=[f"raise the connections of {name}{more}", "lower php.max_children"],
                )

    def _worker_cost(self) -> int:
        if not self.php:
            return 0
        prices = self._prices()
        return sum(count * prices[name] for name, count in self.php.children.items())

    def _most_cached(self) -> int:
        """Bytes that caches may be charged together; what somebody pinned or needs at least is not cut."""
        if not self.php:
            return self.available
        return max(self._floors(), int(self.available * CACHE_SHARE_BESIDE_PHP))

    def _result(self, outcomes: Mapping[str, Outcome]) -> dict[str, Any]:
        host = self.host
        charges = {name: sum(outcome.parts.values()) for name, outcome in outcomes.items()}
        charged = sum(charges.values())
        if charged > self.available:
            raise AssertionError(f"the plan charges {charged - self.available} bytes more than there are")
        plan: dict[str, Any] = {
            "feasible": True,
            "shortfall_bytes": 0,
            "remedies": [],
            "warnings": [],
            "host": _describe(host),
            "budget": {
                "total": host.memory,
                "reserve": host.memory - self.available,
                "available": self.available,
                "charged": charged,
                "page_cache": self.available - charged,
            },
            "services": {name: {"charge": charges[name], "parts": outcomes[name].parts} for name in sorted(outcomes)},
        }
        explain: dict[str, Any] = {}
        limits: dict[str, Any] = {}
        for name in KNOWN_SERVICES:
            if name in outcomes:
                for section in outcomes[name].sections:
                    plan[section.name] = section.values
                    explain.update(section.explain)
                limits.update(outcomes[name].limits)
        plan["limits"] = limits
        redis = self.services.get("redis")
        kernel = kernel_section(host, plan, isinstance(redis, Redis) and redis.persistent)
        plan["sysctl"] = kernel.values
        plan["timeouts"] = {"pools": {pool.name: dict(pool.timeouts) for pool in self.php.pools}} if self.php else {"pools": {}}
        explain.update(kernel.explain)
        explain.update(explain_limits(limits, host))
        plan["explain"] = explain
        if not host.memory_controller:
            plan["warnings"].append(
                "The kernel's memory controller is off, so nothing enforces MemoryMax; 5 % more is kept back. On a "
                "Raspberry Pi add cgroup_enable=memory to cmdline.txt and boot again."
            )
        return plan

    def _infeasible(self, shortfall: int) -> Infeasible:
        charges = {name: self._fixed(name) for name in self.services}
        for (name, _), cache in self._caches().items():
            charges[name] += cache.charge(cache.floor)
        remedies = self._remedies(shortfall, charges)
        parts = ", ".join(f"{name} {megabytes(charge)}" for name, charge in sorted(charges.items()))
        least = self._least_workers()
        if least:
            prices = self._prices()
            cost = sum(count * prices[name] for name, count in least.items())
            parts += f", {sum(least.values())} PHP workers with their connections {megabytes(cost)}"
        return Infeasible(
            f"the services need {megabytes(shortfall)} more than the host has: {megabytes(self.host.memory)} of memory, "
            f"{megabytes(self.host.reserve)} kept for the operating system, worst cases: {parts}; "
            f"{', or '.join(remedies)}.",
            shortfall,
            remedies,
        )

    def _least_workers(self) -> dict[str, int]:
        return self.php.least if self.php else {}

    def _remedies(self, shortfall: int, charges: Mapping[str, int]) -> list[str]:
        """The cheapest ways out, each sufficient or saying what it gives."""
        remedies = []
        if self.php:
            least = self.php.least
            needed = sum(least.values())
            pinned = [pool for pool in self.php.pools if pool.pinned and pool.pinned > 1]
            spare = sum((least[pool.name] - 1) * self._prices()[pool.name] for pool in pinned)
            if spare >= shortfall:
                remedies.append(f"lower php.max_children of {', '.join(pool.name for pool in pinned)}")
            smaller = min(pool.worker for pool in self.php.pools) - -(-shortfall // needed)
            if smaller >= 16 * MIB:
                remedies.append(f"lower php.worker_memory_mb by {-(-shortfall // needed // MIB)} where measurement allows it")
        enough = sorted((charge, name) for name, charge in charges.items() if charge >= shortfall and len(charges) > 1)
        if enough:
            remedies.append(f"move {enough[0][1]} to a host of its own")
        remedies.append(f"give the host {megabytes(self._memory_needed(shortfall))} of memory")
        return remedies

    def _memory_needed(self, shortfall: int) -> int:
        """The least memory, in whole 64 MiB, with which the least charges fit; the reserve grows with it."""
        need = self.available + shortfall
        low, high = self.host.memory, 4 * (self.host.memory + need)
        while high - low > 64 * MIB:
            middle = (low + high) // 2
            larger = self.host.enlarged(middle)
            low, high = (low, middle) if larger.memory - larger.reserve >= need else (middle, high)
        return -(-high // (64 * MIB)) * 64 * MIB


def fill(caches: Mapping[Any, Cache], memory: int, most: int) -> dict[Any, int]:
    """Bytes of each cache: floors first, then by weight until each has its cap, or ``memory`` or ``most`` is charged.

    :param memory: bytes that there are for all of them.
    :param most: bytes that all of them may be charged at most.
    """
    charges = {key: cache.charge(cache.floor) for key, cache in caches.items()}
    left = min(memory, most) - sum(charges.values())
    growing = {key for key, cache in caches.items() if cache.cap > cache.floor}
    while growing and left > 0:
        weights = sum(caches[key].weight for key in growing)
        full = set()
        used = 0
        for key in sorted(growing):
            room = caches[key].charge(caches[key].cap) - charges[key]
            share = left * caches[key].weight // weights
            if share >= room:
                full.add(key)
            taken = min(room, share)
            charges[key] += taken
            used += taken
        left -= used
        if not full:
            break
        growing -= full
    return {key: cache.size(charges[key]) for key, cache in caches.items()}


def _describe(host: Capacity) -> dict[str, Any]:
    return {
        "memory_bytes": host.memory,
        "memory_source": host.memory_source,
        "memory_controller": host.memory_controller,
        "cpus": host.cpus,
        "swap_bytes": host.swap,
        "page_size": host.page_size,
        "huge_page_size": host.huge_page_size,
        "architecture": host.architecture,
        "board": host.board,
        "profile": host.profile,
        "disks": {path: {"kind": disk.kind, "size_bytes": disk.size} for path, disk in host.disks.items()},
    }


def service_inputs(services: Any, overrides: Mapping[str, Any], installed: Sequence[str] = ()) -> dict[str, Any]:
    """Bring the two accepted forms of ``services`` into one: service name to inputs.

    :param services: a mapping, taken as it is; or a list of names in which role names such as ``lemp.stack.nginx`` count as
        ``nginx`` and roles that are no service are passed over.
    :param overrides: inputs per service that outrank those in ``services``; a service named only here is added.
    :param installed: services that are on the host and count beside a list of names.
    """
    if isinstance(services, Mapping):
        inputs = {name: _inputs_of(name, given) for name, given in services.items()}
    elif isinstance(services, Sequence) and not isinstance(services, str):
        names = [str(name).rpartition(".")[2] for name in (*services, *installed)]
        inputs = {name: {} for name in names if name in SERVICES}
    else:
        raise ValueError(f"services is {services!r}, but must be a mapping of services to inputs, or a list of names.")
    for name, given in overrides.items():
        pinned = {key: value for key, value in _inputs_of(name, given).items() if is_pinned(value)}
        inputs.setdefault(name, {}).update(pinned)
    return inputs


def _inputs_of(name: str, given: Any) -> dict[str, Any]:
    if given is not None and not isinstance(given, Mapping):
        raise ValueError(f"lemp_services.{name} is {given!r}, but must be a dictionary of that service's inputs.")
    return dict(given or {})
