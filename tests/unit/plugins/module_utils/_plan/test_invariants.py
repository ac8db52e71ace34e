"""What every plan keeps on every host, by the numbers of the collection's tuning notes, section 2.3.

I06's hysteresis and I04's search for the tightest limit belong to module host_capacity, I28 and I29 (sizes of uploads) to the
sites, I33's one owner of kernel parameters is role baseline; I34 is in ``test_units.py``.

What a user pins is planned around. Where an invariant binds only what the plan itself decides, the test says so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from copy import deepcopy
from fractions import Fraction
from math import ceil
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from ansible_collections.lemp.stack.plugins.module_utils._plan import mariadb, memcached, php_fpm, postgresql, redis
from ansible_collections.lemp.stack.plugins.module_utils._plan.budget import KNOWN_SERVICES, Infeasible, make_plan
from ansible_collections.lemp.stack.plugins.module_utils._plan.php_fpm import APPLICATIONS, CHILDREN_PER_CPU
from ansible_collections.lemp.stack.plugins.module_utils._plan.units import GIB, KIB, MIB

SECTIONS = ("nginx", "php_fpm", "opcache", "mariadb", "postgresql", "pgbouncer", "redis", "memcached", "sysctl", "limits")
DIRECTORIES = {"mariadb": "/var/lib/mysql", "postgresql": "/var/lib/postgresql", "redis": "/var/lib/redis"}
# php-src, ext/opcache/zend_accelerator_hash.c and zend_accelerator_module.c.
PRIMES = (223, 463, 983, 1979, 3907, 7963, 16229, 32531, 65407, 130987, 262237, 524521, 1048793)
MOST_OPCACHE_FILES = 1000000
# MariaDB's per-connection buffers, as MySQLTuner sums them.
THREAD_BUFFERS = (
    "sort_buffer_size join_buffer_size read_buffer_size read_rnd_buffer_size thread_stack binlog_cache_size".split()
)
GLOBAL_BUFFERS = "key_buffer_size aria_pagecache_buffer_size innodb_log_buffer_size query_cache_size".split()
# Variables with the first version that knows them, from the servers' own manuals.
MARIADB_SINCE = {"max_tmp_total_space_usage": (11, 5), "max_binlog_total_size": (11, 4)}
POSTGRESQL_SINCE = {
    "hash_mem_multiplier": (13,),
    "max_slot_wal_keep_size": (13,),
    "io_workers": (18,),
    "io_method": (18,),
    "autovacuum_worker_slots": (18,),
}
# Variables that no supported version has: what was removed, and what is MySQL's.
MARIADB_REMOVED = {
    "innodb_buffer_pool_instances",
    "innodb_page_cleaners",
    "innodb_log_files_in_group",
    "innodb_redo_log_capacity",
    "innodb_dedicated_server",
    "innodb_file_format",
    "innodb_large_prefix",
    "innodb_thread_concurrency",
    "innodb_log_optimize_ddl",
}
POSTGRESQL_REMOVED = {"wal_keep_segments", "checkpoint_segments", "vacuum_cleanup_index_scale_factor", "force_parallel_mode"}


class Scenario(NamedTuple):
    """What a plan is made from."""

    facts: dict[str, Any]
    services: dict[str, Any]

    def with_memory(self, size: int) -> Scenario:
        facts = deepcopy(self.facts)
        facts["lemp_capacity"]["memory"]["planned_bytes"] = size
        return Scenario(facts, self.services)

    def without(self, name: str) -> Scenario:
        return Scenario(self.facts, {key: given for key, given in self.services.items() if key != name})

    @property
    def memory(self) -> int:
        return self.facts["lemp_capacity"]["memory"]["planned_bytes"]

    @property
    def cpus(self) -> float:
        return self.facts["lemp_capacity"]["cpus"]["effective"]

    @property
    def profile(self) -> str:
        return self.services.get("host", {}).get("profile", "balanced")

    def inputs(self, name: str) -> dict[str, Any]:
        return self.services.get(name) or {}

    @property
    def pools(self) -> list[dict[str, Any]]:
        return self.inputs("php_fpm").get("pools") or [{"name": "www"}]

    @property
    def stores(self) -> dict[str, dict[str, Any]]:
        """What is said of each instance of Redis, by name."""
        given_values = self.inputs("redis")
        return {item["name"]: item for item in given_values.get("instances") or [{"name": "cache", **given_values}]}


# A size where the reserve's ladder bends, or anything from a small virtual machine to 1 TB; not always whole megabytes.
sizes = st.builds(
    lambda whole, rest: min(2**40, whole * MIB + rest),
    st.one_of(
        st.integers(256, 4096),
        st.integers(4096, 2**20),
        st.sampled_from([256, 512, 1023, 1024, 4096, 8192, 16384, 2**17, 2**20]),
    ),
    st.sampled_from([0, 0, 1, 4096, MIB - 1]),
)
cpu_counts = st.one_of(
    st.sampled_from([0.5, 1.0, 1.5, 2.5, 4.0, 8.0, 256.0]),
    st.integers(1, 64).map(float),
    st.integers(1, 1024).map(lambda n: n / 4),
)
devices = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["nvme", "ssd", "hdd", "sd", "tmpfs", "unknown"]),
        "size_bytes": st.one_of(
            st.just(0), st.integers(64 * MIB, 4 * GIB), st.sampled_from([8 * GIB, 32 * GIB, 256 * GIB, 4096 * GIB])
        ),
    }
)


@st.composite
def disks(draw: st.DrawFn) -> dict[str, Any]:
    """Directories of data on one device, on some, or on devices that nobody named."""
    found = draw(st.lists(devices, min_size=1, max_size=3))
    named = draw(st.booleans())
    return {
        path: {**found[index % len(found)], **({"device": f"8:{index % len(found)}"} if named else {})}
        for index, path in enumerate(draw(st.sampled_from([[], list(DIRECTORIES.values()), ["/var/lib/mysql"]])))
    }


def pins(**known: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """At most three of what can be pinned: with more, hardly any plan would fit."""

    def drawn(names: list[str]) -> st.SearchStrategy[dict[str, Any]]:
        return st.fixed_dictionaries({name: known[name] for name in names})

    return st.lists(st.sampled_from(sorted(known)), max_size=3, unique=True).flatmap(drawn)


def mostly(usual: st.SearchStrategy[Any], rare: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(usual, usual, usual, rare)


nginx_pins = pins(
    worker_processes=mostly(st.integers(1, 8), st.integers(1, 1024)),
    worker_connections=mostly(st.integers(512, 16384), st.integers(16, 1048576)),
    worker_rlimit_nofile=mostly(st.integers(2048, 65536), st.integers(64, 1048576)),
)
pools = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "application": st.sampled_from(sorted(APPLICATIONS)),
            "worker_memory_mb": st.integers(8, 256),
            "weight": st.integers(1, 20),
            "max_children": mostly(st.integers(1, 12), st.integers(1, 5000)),
            "version": st.sampled_from(["8.2", "8.4"]),
            "memory_limit_mb": st.integers(16, 2048),
            "max_execution_time_seconds": st.integers(1, 3600),
            "request_terminate_timeout_seconds": st.integers(1, 7200),
        },
    ),
    min_size=1,
    max_size=4,
)
# Many pools come from few, as sites of a host are alike: 60 drawn ones would take longer than their plan.
many_pools = st.builds(
    lambda items, count: [{"name": f"site{index}", **items[index % len(items)]} for index in range(max(count, len(items)))],
    pools,
    st.one_of(st.just(1), st.just(1), st.integers(1, 60)),
)
php_pins = st.builds(
    lambda known, items: {**known, **({"pools": items} if items else {})},
    pins(
        opcache_memory_mb=st.integers(8, 1024),
        opcache_interned_strings_mb=mostly(st.integers(1, 8), st.integers(1, 4095)),
        opcache_max_files=st.integers(200, 1000000),
        jit_buffer_mb=st.integers(0, 128),
    ),
    st.one_of(st.none(), many_pools),
)
mariadb_pins = st.builds(
    lambda known, version: {**known, **({"version": version} if version else {})},
    pins(
        innodb_buffer_pool_size_mb=mostly(st.integers(8, 1024), st.integers(8, 65536)),
        innodb_log_file_size_mb=st.integers(4, 4096),
        max_heap_table_size_mb=st.integers(1, 64),
        tmp_table_size_mb=st.integers(1, 64),
        sort_buffer_size_kb=st.integers(32, 8192),
        join_buffer_size_kb=st.integers(32, 8192),
        read_buffer_size_kb=st.integers(8, 2048),
        read_rnd_buffer_size_kb=st.integers(8, 2048),
        thread_stack_kb=st.integers(192, 1024),
        binlog_cache_size_kb=st.integers(4, 1024),
        max_connections=mostly(st.integers(40, 400), st.integers(10, 10000)),
        table_open_cache=mostly(st.integers(10, 10000), st.integers(10, 1048576)),
        extra_clients=st.integers(0, 100),
        performance_schema=st.booleans(),
        data_size_mb=st.integers(1, 10**6),
        settings=st.fixed_dictionaries({}, optional={"key_buffer_size": st.sampled_from(["0", "16M", "1G"])}),
    ),
    st.sampled_from([None, "10.5", "10.6.22", "10.11", "11.4", "11.5.2", "11.8"]),
)
postgresql_pins = st.builds(
    lambda known, version: {**known, **({"version": version} if version else {})},
    pins(
        shared_buffers_mb=mostly(st.integers(32, 512), st.integers(8, 65536)),
        work_mem_kb=st.integers(64, 65536),
        max_connections=mostly(st.integers(40, 300), st.integers(4, 10000)),
        extra_clients=st.integers(0, 100),
        workload=st.sampled_from(["web", "oltp", "olap"]),
        pooled_databases=st.integers(0, 30),
        pooled_workers=st.booleans(),
        pool_size=mostly(st.integers(1, 10), st.integers(1, 10000)),
    ),
    st.sampled_from([None, *(str(major) for major in range(13, 19))]),
)
store_pins = pins(
    maxmemory_mb=mostly(st.integers(16, 512), st.integers(1, 65536)),
    maxclients=mostly(st.integers(64, 10000), st.integers(1, 100000)),
    extra_clients=st.integers(0, 100),
    use=st.sampled_from(["cache", "session", "queue"]),
    persistent=st.booleans(),
)
redis_pins = st.one_of(
    store_pins,
    st.lists(store_pins, min_size=1, max_size=4).map(
        lambda items: {"instances": [{"name": f"store{index}", **item} for index, item in enumerate(items)]}
    ),
)
memcached_pins = pins(
    memory_mb=mostly(st.integers(16, 512), st.integers(1, 65536)),
    max_connections=mostly(st.integers(64, 4096), st.integers(1, 100000)),
    extra_clients=st.integers(0, 100),
)
host_pins = pins(
    profile=st.sampled_from(["balanced", "cpu", "io", "database"]),
    reserve_mb=mostly(st.integers(0, 1024), st.integers(0, 2**20)),
    disk=st.sampled_from(["nvme", "ssd", "hdd", "sd"]),
    disk_gb=st.integers(1, 4096),
)
INPUTS = {
    "nginx": nginx_pins,
    "php_fpm": php_pins,
    "mariadb": mariadb_pins,
    "postgresql": postgresql_pins,
    "redis": redis_pins,
    "memcached": memcached_pins,
}
calibrations = st.one_of(
    st.just({}),
    st.just({}),
    st.fixed_dictionaries(
        {},
        optional={
            "php_files": st.integers(1, 10**6),
            "opcache_memory_mb": st.integers(1, 5000),
            "pools": st.dictionaries(
                st.sampled_from(["www", "site0", "site1"]), st.fixed_dictionaries({"worker_memory_mb": st.integers(8, 256)})
            ),
        },
    ).map(lambda measured: {"php_fpm": measured}),
)
page_sizes = st.sampled_from([(4 * KIB, 2 * MIB), (4 * KIB, 2 * MIB), (16 * KIB, 32 * MIB), (64 * KIB, 512 * MIB)])


# Tests skip what is refused, or what is not; that is what their strategies are made for. They are many, so each gets less.
skipping = settings(
    max_examples=settings.default.max_examples // 2,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)


@st.composite
def scenarios(
    draw: st.DrawFn,
    *must: str,
    pinned: bool = True,
    among: tuple[str, ...] = KNOWN_SERVICES,
    memory: st.SearchStrategy[int] = sizes,
) -> Scenario:
    """A host with any set of ``among``, and ``must`` always."""
    page_size, huge_page_size = draw(page_sizes)
    facts = {
        "lemp_capacity": {
            "memory": {"planned_bytes": draw(memory), "controller": draw(st.booleans())},
            "cpus": {"effective": draw(cpu_counts)},
            "page_size": page_size,
            "huge_page_size": huge_page_size,
            "architecture": draw(st.sampled_from(["x86_64", "aarch64"])),
            "disks": draw(disks()),
            "kernel": {
                "file_max": draw(st.sampled_from([0, 10000, 2**63 - 1])),
                "nofile": draw(st.sampled_from([0, 0, 2**30, 524288, 4096])),
            },
            "versions": draw(st.sampled_from([{}, {"mariadb": "11.8.3-MariaDB", "postgresql": ["15", "17"]}])),
            "calibration": draw(calibrations),
        }
    }
    names = draw(st.lists(st.sampled_from(sorted(among)), unique=True, max_size=len(among)))
    services = {name: draw(INPUTS[name]) if pinned and draw(st.booleans()) else {} for name in dict.fromkeys([*must, *names])}
    if pinned and draw(st.booleans()):
        services["host"] = draw(host_pins)
    return Scenario(facts, services)


everything = scenarios()
nothing_pinned = scenarios(pinned=False)
with_php = scenarios("php_fpm")
# Where what is refused is most of what is drawn.
small = st.integers(256, 1536).map(lambda whole: whole * MIB)
tight = scenarios("mariadb", memory=small)


def on(memory_mb: float, cpus: float, services: Mapping[str, Any], **capacity: Any) -> Scenario:
    """A host by hand."""
    found = {
        "memory": {"planned_bytes": int(memory_mb * MIB), "controller": True},
        "cpus": {"effective": cpus},
        "page_size": 4 * KIB,
        "huge_page_size": 2 * MIB,
        "architecture": "x86_64",
        "disks": {},
        "kernel": {"file_max": 0},
        "versions": {},
        "calibration": {},
    }
    return Scenario({"lemp_capacity": {**found, **capacity}}, dict(services))


# Hosts where pools pin more workers than fit or than connections serve.
crowded = st.builds(
    lambda memory_mb, items, count, beside: on(
        memory_mb,
        2,
        {**beside, "php_fpm": {"pools": [{"name": f"site{index}", **items[index % len(items)]} for index in range(count)]}},
    ),
    st.integers(256, 1024),
    st.lists(
        st.fixed_dictionaries({"worker_memory_mb": st.integers(16, 256)}, optional={"max_children": st.integers(1, 20)}),
        min_size=1,
        max_size=3,
    ),
    st.integers(1, 40),
    st.sampled_from([{}, {"nginx": {}}, {"nginx": {}, "mariadb": {}}, {"postgresql": {}, "redis": {"use": "queue"}}]),
)
connection_pins = st.fixed_dictionaries(
    {},
    optional={
        "mariadb": st.fixed_dictionaries({"max_connections": st.integers(10, 60)}),
        "postgresql": st.fixed_dictionaries({"max_connections": st.integers(12, 60)}),
        "redis": st.fixed_dictionaries({"maxclients": st.integers(1, 60)}),
        "memcached": st.fixed_dictionaries({"max_connections": st.integers(1, 60)}),
    },
)


def planned(scenario: Scenario) -> dict[str, Any] | None:
    """The plan, or None where it is refused; what is refused says why, and nothing but a ValueError is raised."""
    try:
        return make_plan(scenario.facts, scenario.services)
    except Infeasible:
        return None
    except ValueError as error:
        sentence = str(error)
    # Pins that contradict each other or the host.
    assert re.match(r"^(lemp_host\.\w+|\w+ of [\w ]+) is .+\.$", sentence), sentence
    return None


def feasible(scenario: Scenario) -> dict[str, Any]:
    plan = planned(scenario)
    assume(plan is not None)
    assert plan is not None
    return plan


def refusal(scenario: Scenario) -> Infeasible:
    try:
        make_plan(scenario.facts, scenario.services)
    except Infeasible as error:
        return error
    except ValueError:
        pass
    assume(False)
    raise AssertionError


def charge(plan: Mapping[str, Any], name: str) -> int:
    return plan["services"][name]["charge"]


def workers(plan: Mapping[str, Any]) -> int:
    return sum(values["max_children"] for values in plan["php_fpm"]["pools"].values()) if "php_fpm" in plan else 0


def least_workers(scenario: Scenario) -> int:
    return sum(pool.get("max_children") or 1 for pool in scenario.pools)


def scalars(values: Any, path: str) -> list[tuple[str, Any]]:
    if not isinstance(values, Mapping):
        return [(path, values)]
    return [pair for key, value in values.items() for pair in scalars(value, f"{path}.{key}")]


def thread_buffers(values: Mapping[str, Any]) -> int:
    """Bytes of one connection: MySQLTuner's sum, with tables of a user's own in memory beside temporary ones."""
    return sum(values[name] for name in THREAD_BUFFERS) + max(values["tmp_table_size"], values["max_heap_table_size"])


# Memory


@skipping
@given(everything)
def test_i01_worst_cases_and_reserve_fit_into_the_memory(scenario: Scenario) -> None:
    plan = feasible(scenario)
    budget = plan["budget"]
    charges = sum(service["charge"] for service in plan["services"].values())
    assert charges == budget["charged"] == budget["available"] - budget["page_cache"]
    assert charges + budget["reserve"] <= budget["total"] == scenario.memory
    for name, service in plan["services"].items():
        assert service["charge"] == sum(service["parts"].values()), name
        assert all(type(size) is int and size >= 0 for size in service["parts"].values()), name


@skipping
@given(nothing_pinned)
def test_i01_the_reserve_is_the_published_ladder(scenario: Scenario) -> None:
    """Google Kubernetes Engine, reserved memory: 25, 20, 10, 6 and 2 % of slices; below 1 GiB never less."""
    plan = feasible(scenario)
    mib = Fraction(scenario.memory, MIB)
    ladder, rest = Fraction(0), mib
    for size, share in ((4096, 25), (4096, 20), (8192, 10), (114688, 6), (2**50, 2)):
        ladder += min(rest, size) * share / 100
        rest -= min(rest, size)
    wanted = ladder + (0 if plan["host"]["memory_controller"] else mib / 20)
    if mib >= 1024:
        assert abs(plan["budget"]["reserve"] - wanted * MIB) <= 2
    else:
        assert wanted * MIB - 2 <= plan["budget"]["reserve"] <= scenario.memory / 2


@skipping
@given(everything)
@example(on(58276, 256, {"nginx": {}, "postgresql": {}}))
@example(on(58276, 256, {"nginx": {"worker_connections": 512}, "postgresql": {}}))
def test_i02_memory_limits_of_all_units_fit_beside_the_reserve(scenario: Scenario) -> None:
    plan = feasible(scenario)
    limits = plan["limits"].values()
    assert sum(values["MemoryMax"] for values in limits) <= plan["budget"]["available"]
    for values in limits:
        assert 0 < values["MemoryHigh"] <= values["MemoryMax"]
        assert values["MemoryMax"] % plan["host"]["page_size"] == 0
        assert values["MemoryHigh"] % plan["host"]["page_size"] == 0


@skipping
@given(everything)
def test_i02_every_unit_may_use_what_it_is_charged(scenario: Scenario) -> None:
    plan = feasible(scenario)
    for name in plan["services"]:
        units = [values for unit, values in plan["limits"].items() if unit.partition("@")[0] == name]
        assert units, name
        # Each unit's limit is rounded down to a page.
        assert sum(values["MemoryMax"] for values in units) > charge(plan, name) - len(units) * plan["host"]["page_size"]


@skipping
@given(everything)
def test_i03_no_value_is_worth_more_than_what_it_is_charged(scenario: Scenario) -> None:
    """Rounding up or a floor after the split would show here: parts are charged from the values as they are emitted."""
    plan = feasible(scenario)
    if "php_fpm" in plan:
        masters = len({pool.get("version") or "" for pool in scenario.pools})
        own = sum(values["max_children"] * values["worker_memory_mb"] for values in plan["php_fpm"]["pools"].values())
        shared = masters * (plan["opcache"]["memory_consumption_mb"] + plan["opcache"]["jit_buffer_size_mb"])
        assert (own + shared) * MIB < charge(plan, "php_fpm")
    if "nginx" in plan:
        values = plan["nginx"]
        # A slot costs at least its connection and two events: 0.4 kB (tuning notes, 1.5).
        buffers = workers(plan) * (values["fastcgi_buffers_count"] * values["fastcgi_buffer_size"])
        assert values["worker_processes"] * values["worker_connections"] * 400 + buffers < charge(plan, "nginx")
    if "memcached" in plan:
        assert plan["memcached"]["memory_mb"] * MIB < charge(plan, "memcached")


@skipping
@given(everything)
def test_i04_the_plan_is_for_the_memory_that_was_found_not_for_the_hosts(scenario: Scenario) -> None:
    scenario.facts["memtotal_mb"] = 2**21
    scenario.facts["processor_nproc"] = 4096
    plan = feasible(scenario)
    assert plan["host"]["memory_bytes"] == scenario.memory
    assert plan["host"]["cpus"] == scenario.cpus


@skipping
@given(everything)
def test_i05_without_a_memory_controller_no_limit_counts_and_more_is_kept(scenario: Scenario) -> None:
    plan = feasible(scenario)
    enforced = plan["host"]["memory_controller"]
    assert any("memory controller" in warning for warning in plan["warnings"]) is not enforced
    bounds = {plan["explain"][f"limits.{unit}.MemoryMax"]["bound"] for unit in plan["limits"]}
    assert bounds <= ({"plan"} if enforced else {"not enforced"})
    if not enforced and "reserve_mb" not in scenario.inputs("host") and scenario.memory >= GIB:
        on = deepcopy(scenario)
        on.facts["lemp_capacity"]["memory"]["controller"] = True
        assert plan["budget"]["reserve"] - feasible(on)["budget"]["reserve"] == scenario.memory // 20


@skipping
@given(everything)
def test_i06_the_same_inputs_give_the_same_plan_and_are_left_alone(scenario: Scenario) -> None:
    before = deepcopy(scenario)
    first = planned(scenario)
    assert scenario == before
    assert json.dumps(first, sort_keys=True) == json.dumps(planned(scenario), sort_keys=True)
    backwards = Scenario(scenario.facts, dict(reversed(scenario.services.items())))
    assert json.dumps(planned(backwards), sort_keys=True) == json.dumps(first, sort_keys=True)


growth = st.sampled_from([1, 4096, MIB, 2 * MIB, 64 * MIB, GIB])


@skipping
@given(everything, growth)
def test_i07_more_memory_never_makes_a_plan_impossible(scenario: Scenario, more: int) -> None:
    feasible(scenario)
    assert planned(scenario.with_memory(scenario.memory + more)), "feasible with less"


def i07_slack(plan: Mapping[str, Any]) -> int:
    """How much less may be charged with more memory.

    A worker more is decided in one step, and what it takes from the caches is at most its price: its own memory, a connection
    to each database, nginx's buffers. Caches are multiples of a 32nd to a 16th of themselves, each may just miss a step. Wishes
    are granted in whole steps: one parallel worker, one nginx process, 8 MB of OPcache per master, one connection.
    """
    slack = 64 * MIB
    if "php_fpm" in plan:
        slack += max(values["worker_memory_mb"] for values in plan["php_fpm"]["pools"].values()) * MIB + 2 * MIB
        slack += 9 * MIB * sum(unit.startswith("php_fpm") for unit in plan["limits"])
    if "mariadb" in plan:
        slack += 2 * thread_buffers(plan["mariadb"]) + plan["mariadb"]["innodb_buffer_pool_size"] * 11 // 160 + 9 * MIB
        # Sorting and temporary tables of every connection are a cache too.
        slack += plan["mariadb"]["max_connections"] * thread_buffers(plan["mariadb"]) // 8
    if "postgresql" in plan:
        values = plan["postgresql"]
        slack += 3 * (16 * MIB + 2 * values["work_mem"]) + values["shared_buffers"] // 14 + 9 * MIB
        slack += (values["max_connections"] + values["max_parallel_workers"]) * values["work_mem"] // 4
    if "redis" in plan:
        slack += sum(values["maxmemory"] for values in plan["redis"]["instances"].values()) * 5 // 32
    if "memcached" in plan:
        slack += plan["memcached"]["memory_mb"] * MIB // 14
    if "nginx" in plan:
        slack += plan["services"]["nginx"]["parts"]["page cache of static files"] // 14
        slack += plan["nginx"]["worker_connections"] * 64 * KIB
    return slack


@skipping
@given(nothing_pinned, growth)
def test_i07_more_memory_is_used_up_to_one_worker_and_rounding(scenario: Scenario, more: int) -> None:
    smaller = feasible(scenario)
    larger = planned(scenario.with_memory(min(2**41, scenario.memory + more)))
    assert larger
    assert larger["budget"]["charged"] >= smaller["budget"]["charged"] - i07_slack(larger)


@skipping
@given(nothing_pinned, growth)
def test_i07_workers_never_get_fewer_with_more_memory(scenario: Scenario, more: int) -> None:
    smaller = feasible(scenario)
    larger = planned(scenario.with_memory(scenario.memory + more))
    assert larger
    # One, where another pool's larger worker now fits in its place.
    assert workers(larger) >= workers(smaller) - 1


@skipping
@given(scenarios("mariadb"))
def test_i08_mariadb_is_charged_its_pool_its_connections_and_its_globals(scenario: Scenario) -> None:
    plan = feasible(scenario)
    values = plan["mariadb"]
    worst = sum(values[name] for name in GLOBAL_BUFFERS) + values["max_connections"] * thread_buffers(values)
    if scenario.inputs("mariadb").get("performance_schema"):
        worst += 64 * MIB
    assert Fraction(11, 10) * values["innodb_buffer_pool_size"] + worst <= charge(plan, "mariadb")


@skipping
@given(scenarios("postgresql"))
def test_i09_the_kernel_keeps_most_of_the_memory_from_shared_buffers(scenario: Scenario) -> None:
    plan = feasible(scenario)
    if "postgresql" in plan:
        assert plan["postgresql"]["shared_buffers"] <= Fraction(2, 5) * scenario.memory


@skipping
@given(with_php)
@example(on(2**20, 1, {"php_fpm": {}, "mariadb": {}}))
@example(on(65536, 1, {"php_fpm": {}, "mariadb": {}, "postgresql": {}, "redis": {"use": "queue"}}))
def test_i09_caches_leave_php_a_fifth(scenario: Scenario) -> None:
    """Of what the plan decides: what is pinned stands, and what is not pinned then stays at its floor."""
    plan = feasible(scenario)
    pinned = {"innodb_buffer_pool_size_mb", "shared_buffers_mb", "memory_mb"}
    assume(not any(pinned & set(scenario.inputs(name)) for name in plan["services"]))
    assume("redis" not in plan or not any("maxmemory_mb" in store for store in scenario.stores.values()))
    cached = plan.get("mariadb", {}).get("innodb_buffer_pool_size", 0) + plan.get("postgresql", {}).get("shared_buffers", 0)
    assert cached + sum(stored(plan, scenario).values()) <= Fraction(4, 5) * plan["budget"]["available"]


def persists(store: Mapping[str, Any]) -> bool:
    return bool(store.get("persistent", store.get("use", "cache") != "cache"))


def stored(plan: Mapping[str, Any], scenario: Scenario) -> dict[str, Fraction]:
    """Bytes of each instance of Redis: fragmentation, and the copy that a fork makes."""
    return {
        name: values["maxmemory"] * Fraction(5, 4) * (2 if persists(scenario.stores[name]) else 1)
        for name, values in plan.get("redis", {}).get("instances", {}).items()
    }


@skipping
@given(scenarios("postgresql"))
def test_i10_postgresql_is_charged_a_hash_table_of_every_connection_and_parallel_worker(scenario: Scenario) -> None:
    plan = feasible(scenario)
    values = plan["postgresql"]
    # 2.0 is the server's own, where the version is not known to have the variable.
    query = Fraction(values["work_mem"]) * Fraction(values.get("hash_mem_multiplier", 2.0))
    sessions = values["max_connections"] + values["max_parallel_workers"]
    assert query * sessions + values["shared_buffers"] + values["wal_buffers"] <= charge(plan, "postgresql")


@skipping
@given(scenarios("postgresql"))
def test_i11_postgresql_is_charged_maintenance_and_every_autovacuum_worker(scenario: Scenario) -> None:
    plan = feasible(scenario)
    values = plan["postgresql"]
    upkeep = values["autovacuum_max_workers"] * values["autovacuum_work_mem"] + values["maintenance_work_mem"]
    query = Fraction(values["work_mem"]) * Fraction(values.get("hash_mem_multiplier", 2.0))
    sessions = values["max_connections"] + values["max_parallel_workers"]
    assert upkeep + query * sessions + values["shared_buffers"] <= charge(plan, "postgresql")


@skipping
@given(scenarios("redis"))
def test_i12_redis_is_charged_fragmentation_and_the_copy_that_a_fork_makes(scenario: Scenario) -> None:
    plan = feasible(scenario)
    instances = plan["redis"]["instances"]
    assert instances.keys() == scenario.stores.keys()
    sizes = stored(plan, scenario)
    assert sum(sizes.values()) <= charge(plan, "redis")
    for name, store in scenario.stores.items():
        assert sizes[name] <= plan["limits"][f"redis@{name}"]["MemoryMax"], name
        assert (instances[name]["maxmemory_policy"] == "noeviction") is (store.get("use") == "queue"), name


@skipping
@given(with_php)
@example(on(65536, 4, {"php_fpm": {"pools": [{"name": f"shop{index}", "application": "magento"} for index in range(9)]}}))
def test_i13_opcache_accepts_its_sizes_and_php_is_charged_for_them(scenario: Scenario) -> None:
    plan = feasible(scenario)
    values = plan["opcache"]
    assert values["memory_consumption_mb"] >= 8
    assert 0 < values["interned_strings_buffer_mb"] < values["memory_consumption_mb"]
    assert values["interned_strings_buffer_mb"] <= 4095
    assert values["memory_consumption_mb"] * MIB <= charge(plan, "php_fpm")
    assert 200 <= values["max_accelerated_files"] <= MOST_OPCACHE_FILES
    if plan["host"]["architecture"] == "aarch64":
        assert values["jit_buffer_size_mb"] <= 128


@skipping
@given(
    scenarios(
        "postgresql",
        pinned=False,
        among=("postgresql", "redis", "nginx"),
        memory=st.integers(32, 1024).map(lambda whole: whole * GIB),
    )
)
@example(on(32768, 4, {"postgresql": {}}, page_size=64 * KIB, huge_page_size=512 * MIB, architecture="aarch64"))
def test_i14_huge_pages_hold_shared_buffers_and_fit_beside_everything_else(scenario: Scenario) -> None:
    """Fewer than the server's shared memory needs are worse than none: it takes ordinary memory then, and they lie idle."""
    plan = feasible(scenario)
    pages = plan["sysctl"].get("vm.nr_hugepages", 0) if plan["services"] else 0
    assume(pages)
    size = pages * plan["host"]["huge_page_size"]
    buffers = plan["postgresql"]["shared_buffers"]
    # Buffer headers and locks take at least 64 bytes per 8 kB.
    assert size >= buffers + buffers // 128
    others = plan["budget"]["charged"] - plan["services"]["postgresql"]["parts"]["shared buffers"]
    assert size <= plan["budget"]["available"] - others


# Concurrency


@skipping
@given(with_php)
def test_i15_all_pools_together_stay_below_process_max_and_the_cpus(scenario: Scenario) -> None:
    plan = feasible(scenario)
    assert workers(plan) <= plan["php_fpm"]["process_max"]
    assert workers(plan) == plan["php_fpm"]["max_children"]
    # Every pool has one worker, pinned ones what they were given.
    assert workers(plan) <= max(least_workers(scenario), CHILDREN_PER_CPU[scenario.profile] * scenario.cpus)


@skipping
@given(with_php)
def test_i16_php_fpm_accepts_the_spare_workers_of_every_pool(scenario: Scenario) -> None:
    plan = feasible(scenario)
    for values in plan["php_fpm"]["pools"].values():
        if values["pm"] == "dynamic":
            start = values["start_servers"]
            assert 0 < values["min_spare_servers"] <= start <= values["max_spare_servers"] <= values["max_children"]
        else:
            assert values["pm"] == "ondemand"
            assert values["max_children"] >= 1


@skipping
@given(everything)
@example(on(8192, 4, {"mariadb": {"max_connections": 10, "extra_clients": 100}}))
@example(on(8192, 4, {"postgresql": {"max_connections": 10, "extra_clients": 100}}))
def test_i17_every_worker_and_extra_client_finds_a_connection_and_an_administrator_too(scenario: Scenario) -> None:
    plan = feasible(scenario)
    for name in ("mariadb", "postgresql"):
        if name in plan:
            values = plan[name]
            clients = values["max_connections"] - values.get("superuser_reserved_connections", 0)
            assert clients >= direct_workers(scenario, plan, name) + scenario.inputs(name).get("extra_clients", 0) + 1, name


def direct_workers(scenario: Scenario, plan: dict[str, Any], name: str) -> int:
    """PHP workers that come to a database themselves."""
    given_values = scenario.inputs(name)
    is_pooled = given_values.get("pooled_databases") and given_values.get("pooled_workers")
    return 0 if is_pooled else workers(plan)


@skipping
@given(everything)
@example(on(2048, 2, {"postgresql": {"pooled_databases": 3, "pooled_workers": True}, "php_fpm": {}}))
@example(on(8192, 4, {"postgresql": {"pooled_databases": 3}, "php_fpm": {}}))
@example(on(8192, 4, {"postgresql": {"pooled_databases": 3, "max_connections": 20, "pooled_workers": True}, "php_fpm": {}}))
@example(on(8192, 4, {"postgresql": {"pooled_databases": 20, "max_connections": 60, "extra_clients": 5}, "php_fpm": {}}))
def test_i17_all_pools_together_find_connections_and_so_does_who_comes_directly(scenario: Scenario) -> None:
    plan = feasible(scenario)
    given_values = scenario.inputs("postgresql")
    pooled = given_values.get("pooled_databases", 0)
    assert ("pgbouncer" in plan) == bool(pooled)
    if not pooled:
        return
    values = plan["pgbouncer"]
    assert values["max_db_connections"] == values["default_pool_size"] >= 1
    left = plan["postgresql"]["max_connections"] - plan["postgresql"]["superuser_reserved_connections"] - 1
    direct = direct_workers(scenario, plan, "postgresql") + given_values.get("extra_clients", 0)
    assert pooled * values["max_db_connections"] + postgresql.POOLER_LOOKUPS <= left - direct
    assert values["max_client_conn"] >= workers(plan) + given_values.get("extra_clients", 0)
    files = values["max_client_conn"] + pooled * values["max_db_connections"]
    assert plan["limits"]["pgbouncer"]["LimitNOFILE"] > files or "nofile" in scenario.facts["lemp_capacity"]["kernel"]


@skipping
@given(everything)
@example(on(8192, 4, {"redis": {"maxclients": 10, "extra_clients": 100}}))
@example(on(8192, 4, {"memcached": {"max_connections": 10, "extra_clients": 100}}))
@example(on(8192, 4, {"redis": {"extra_clients": 2000}}, kernel={"nofile": 1024}))
@example(on(8192, 4, {"memcached": {"extra_clients": 2000}}, kernel={"nofile": 1024}))
def test_i18_redis_and_memcached_serve_every_worker_and_may_open_a_file_for_each(scenario: Scenario) -> None:
    plan = feasible(scenario)
    served = []
    if "redis" in plan:
        for name, store in scenario.stores.items():
            served.append((f"redis@{name}", plan["redis"]["instances"][name]["maxclients"], store.get("extra_clients", 0), 32))
    if "memcached" in plan:
        extra = scenario.inputs("memcached").get("extra_clients", 0)
        served.append(("memcached", plan["memcached"]["max_connections"], extra, 16))
    for unit, clients, extra, reserved in served:
        assert clients >= workers(plan) + extra, unit
        assert plan["limits"][unit]["LimitNOFILE"] >= clients + reserved, unit


@skipping
@given(everything)
@example(on(8192, 4, {"nginx": {"worker_rlimit_nofile": 64}}))
@example(on(2**20, 4, {"nginx": {"worker_connections": 1000000}}))
@example(on(65536, 4, {"nginx": {"worker_connections": 8000}}, kernel={"nofile": 4096}))
@example(on(8192, 4, {"nginx": {"worker_rlimit_nofile": 4097}}, kernel={"nofile": 4096}))
def test_i19_nginx_may_open_two_files_per_connection_and_the_kernel_lets_all_units(scenario: Scenario) -> None:
    plan = feasible(scenario)
    if "nginx" in plan:
        values = plan["nginx"]
        assert values["worker_rlimit_nofile"] >= 2 * values["worker_connections"] + 64
        assert plan["limits"]["nginx"]["LimitNOFILE"] >= values["worker_rlimit_nofile"]
    most = plan["sysctl"].get("fs.file-max", scenario.facts["lemp_capacity"]["kernel"]["file_max"]) if plan["services"] else 0
    if most:
        assert most >= sum(values["LimitNOFILE"] for values in plan["limits"].values())


@skipping
@given(with_php)
@example(on(8192, 1, {"nginx": {"worker_connections": 16}, "php_fpm": {}, "host": {"profile": "io"}}))
@example(on(2**20, 4, {"nginx": {"worker_processes": 1}, "php_fpm": {"pools": [{"name": "a", "max_children": 5000}]}}))
def test_i20_nginx_has_two_connections_for_every_php_worker(scenario: Scenario) -> None:
    plan = feasible(scenario)
    if "nginx" in plan:
        slots = plan["nginx"]["worker_processes"] * plan["nginx"]["worker_connections"]
        assert slots >= 2 * workers(plan)


@skipping
@given(everything)
@example(on(2**20, 4, {"mariadb": {"table_open_cache": 600000}}))
def test_i21_no_unit_may_open_more_files_than_programs_can_count(scenario: Scenario) -> None:
    plan = feasible(scenario)
    assert all(1024 <= values["LimitNOFILE"] <= 1048576 for values in plan["limits"].values())
    if "mariadb" in plan:
        values = plan["mariadb"]
        assert values["open_files_limit"] >= values["max_connections"] + 2 * values["table_open_cache"] + 10
        assert values["open_files_limit"] <= plan["limits"]["mariadb"]["LimitNOFILE"]


@skipping
@given(everything)
def test_i22_the_kernel_queues_what_every_service_asks_for(scenario: Scenario) -> None:
    plan = feasible(scenario)
    assume(plan["services"])
    asked = [511, plan.get("php_fpm", {}).get("listen_backlog", 0)]
    asked += [values["tcp_backlog"] for values in plan.get("redis", {}).get("instances", {}).values()]
    assert plan["sysctl"]["net.core.somaxconn"] >= max(asked)
    assert plan["sysctl"]["net.ipv4.tcp_max_syn_backlog"] >= max(asked)


@skipping
@given(everything)
def test_i23_nobody_starts_more_at_once_than_there_are_cpus(scenario: Scenario) -> None:
    plan = feasible(scenario)
    cpus = max(1, ceil(scenario.cpus))
    if "nginx" in plan:
        assert 1 <= plan["nginx"]["worker_processes"] <= max(cpus, scenario.inputs("nginx").get("worker_processes", 0))
    if "postgresql" in plan:
        values = plan["postgresql"]
        assert values["max_parallel_workers_per_gather"] <= values["max_parallel_workers"] <= values["max_worker_processes"]
        assert values["max_parallel_workers"] <= cpus
    if "memcached" in plan:
        assert 1 <= plan["memcached"]["threads"] <= max(cpus, 1)


@skipping
@given(with_php)
def test_i24_opcache_has_room_for_the_files_of_all_pools_and_says_so_where_it_has_not(scenario: Scenario) -> None:
    plan = feasible(scenario)
    assume("opcache_max_files" not in scenario.inputs("php_fpm"))
    files = plan["explain"]["opcache.max_accelerated_files"]["inputs"]["php_files"]
    slots = next((size for size in PRIMES if size >= plan["opcache"]["max_accelerated_files"]), PRIMES[-1])
    assert slots == PRIMES[-1] or slots * 10 >= files * 12 - 10


# Time


@skipping
@given(with_php)
@example(on(8192, 4, {"php_fpm": {"pools": [{"name": "a", "request_terminate_timeout_seconds": 10}]}}))
def test_i25_every_layer_of_a_request_reports_its_own_failure(scenario: Scenario) -> None:
    plan = feasible(scenario)
    for name, limits in plan["timeouts"]["pools"].items():
        order = [
            limits[key] for key in ("statement", "max_execution_time", "request_terminate_timeout", "fastcgi_read_timeout")
        ]
        assert order[0] > 0
        assert order == sorted(order), name


@skipping
@given(with_php)
@example(on(8192, 4, {"mariadb": {}, "php_fpm": {"pools": [{"name": "a", "request_terminate_timeout_seconds": 10}]}}))
def test_i26_a_wait_for_a_lock_ends_before_the_request_is_killed(scenario: Scenario) -> None:
    plan = feasible(scenario)
    for limits in plan["timeouts"]["pools"].values():
        assert 1 <= limits["lock_wait"] < limits["request_terminate_timeout"]
        if "mariadb" in plan:
            assert plan["mariadb"]["innodb_lock_wait_timeout"] < limits["request_terminate_timeout"]


@skipping
@given(with_php)
def test_i27_a_reload_waits_for_requests_and_systemd_waits_for_the_reload(scenario: Scenario) -> None:
    plan = feasible(scenario)
    control = plan["php_fpm"]["process_control_timeout"]
    assert all(control >= limits["request_terminate_timeout"] for limits in plan["timeouts"]["pools"].values())
    units = [values for unit, values in plan["limits"].items() if unit.startswith("php_fpm@")]
    assert units
    assert all(values["TimeoutStopSec"] >= control for values in units)


# Disk, versions, kernel


@skipping
@given(
    st.integers(300, 40000),
    st.booleans(),
    st.sampled_from(["web", "oltp", "olap"]),
    st.lists(st.sampled_from(["cache", "session", "queue"]), min_size=1, max_size=3),
    st.sets(st.sampled_from(sorted(DIRECTORIES)), min_size=1),
)
def test_i30_logs_leave_every_disk_two_fifths_free(
    disk_mb: int, is_one_disk: bool, workload: str, uses: list[str], names: set[str]
) -> None:
    found = {
        path: {"kind": "ssd", "device": "8:1" if is_one_disk else path, "size_bytes": disk_mb * MIB}
        for path in DIRECTORIES.values()
    }
    stores = [{"name": f"store{index}", "use": use} for index, use in enumerate(uses)]
    inputs = {"mariadb": {}, "postgresql": {"workload": workload}, "redis": {"instances": stores}}
    scenario = on(65536, 4, {name: inputs[name] for name in names}, disks=found)
    plan = feasible(scenario)
    disks_by_device: dict[str, list[int]] = {}
    for name, path in DIRECTORIES.items():
        found = scenario.facts["lemp_capacity"]["disks"].get(path, {})
        size = plan["host"]["disks"].get(path, {}).get("size_bytes", 0)
        if name not in plan or not size:
            continue
        if name == "mariadb":
            written = plan[name]["innodb_log_file_size"]
        elif name == "postgresql":
            written = plan[name]["max_wal_size"] + plan[name].get("max_slot_wal_keep_size", 0)
        else:
            written = sum(
                2 * values["maxmemory"] for store, values in plan[name]["instances"].items() if persists(scenario.stores[store])
            )
        disks_by_device.setdefault(f"{found.get('device')} {size}", [size]).append(written)
    for size, *written in disks_by_device.values():
        assert sum(written) <= Fraction(3, 5) * size


@skipping
@given(scenarios("postgresql"))
@example(on(4096, 2, {"postgresql": {}}, disks={"/var/lib/postgresql": {"kind": "ssd", "size_bytes": 150 * MIB}}))
def test_i30_wal_is_recycled_below_half_of_its_limit(scenario: Scenario) -> None:
    plan = feasible(scenario)
    assert 0 < 2 * plan["postgresql"]["min_wal_size"] <= plan["postgresql"]["max_wal_size"]


@skipping
@given(scenarios("mariadb", "postgresql"))
def test_i31_no_server_is_given_a_variable_that_its_version_lacks(scenario: Scenario) -> None:
    plan = feasible(scenario)
    known = scenario.facts["lemp_capacity"]["versions"]
    for name, since, removed, installed in (
        ("mariadb", MARIADB_SINCE, MARIADB_REMOVED, known.get("mariadb")),
        ("postgresql", POSTGRESQL_SINCE, POSTGRESQL_REMOVED, (known.get("postgresql") or [None])[-1]),
    ):
        if name not in plan:
            continue
        text = str(scenario.inputs(name).get("version") or installed or "")
        version = tuple(int(part) for part in re.findall(r"\d+", text)[:2])
        assert not removed & set(plan[name])
        late = {variable for variable, first in since.items() if not version or version < first}
        assert not late & set(plan[name]), version
        assert {key.partition(".")[2] for key in plan["explain"] if key.startswith(f"{name}.")} == set(plan[name])


@pytest.mark.parametrize(
    ("version", "name", "is_there"),
    [
        ("10.5", "max_tmp_total_space_usage", False),
        ("11.4", "max_tmp_total_space_usage", False),
        ("11.5", "max_tmp_total_space_usage", True),
        ("1:11.8.3-MariaDB", "max_tmp_total_space_usage", True),
        ("", "max_tmp_total_space_usage", False),
    ],
)
def test_i31_a_variable_of_mariadb_appears_with_its_version(version: str, name: str, is_there: bool) -> None:
    facts = {"memtotal_mb": 4096, "processor_nproc": 2}
    plan = make_plan(facts, {"mariadb": {"version": version}, "host": {"disk": "ssd", "disk_gb": 100}})
    assert (name in plan["mariadb"]) is is_there


@pytest.mark.parametrize("major", range(13, 19))
def test_i31_io_workers_appear_with_postgresql_18(major: int) -> None:
    plan = make_plan({"memtotal_mb": 4096, "processor_nproc": 2}, {"postgresql": {"version": str(major)}})
    assert ("io_workers" in plan["postgresql"]) is (major >= 18)
    assert plan["postgresql"]["hash_mem_multiplier"] == 2.0


@skipping
@given(everything)
def test_i32_buffers_and_huge_pages_follow_the_kernels_pages(scenario: Scenario) -> None:
    plan = feasible(scenario)
    page = scenario.facts["lemp_capacity"]["page_size"]
    assert plan["host"]["page_size"] == page
    assert plan["host"]["huge_page_size"] == scenario.facts["lemp_capacity"]["huge_page_size"]
    if "nginx" in plan:
        assert plan["nginx"]["fastcgi_buffer_size"] % page == 0
        # Eight are what nginx makes itself; a long page needs them in memory.
        assert plan["nginx"]["fastcgi_buffers_count"] >= 8


@skipping
@given(everything)
def test_i33_overcommitting_is_asked_for_only_where_redis_writes_its_data(scenario: Scenario) -> None:
    plan = feasible(scenario)
    asked = plan["sysctl"].get("vm.overcommit_memory") if plan["services"] else None
    assert asked == (int(any(persists(store) for store in scenario.stores.values())) if "redis" in plan else None)


# The plan itself


@skipping
@given(everything)
def test_every_value_is_explained_with_what_decided_it(scenario: Scenario) -> None:
    plan = feasible(scenario)
    emitted = dict(pair for section in SECTIONS for pair in scalars(plan.get(section, {}), section) if pair[1] != {})
    assert set(emitted) == set(plan["explain"])
    for path, value in emitted.items():
        explanation = plan["explain"][path]
        assert explanation["value"] == value, path
        assert type(explanation["value"]) is type(value), path
        assert explanation["bound"], path
        assert explanation["formula"], path
        assert explanation["source"].startswith("https://"), path


@skipping
@given(everything)
@example(on(65536, 4, {"mariadb": {"max_connections": 2000}}, kernel={"nofile": 1024}))
def test_every_value_is_a_plain_number_or_word(scenario: Scenario) -> None:
    plan = feasible(scenario)
    assert json.loads(json.dumps(plan, allow_nan=False)) == plan
    for section in SECTIONS:
        for path, value in scalars(plan.get(section, {}), section):
            if value == {}:
                continue
            assert type(value) in (int, float, str), path
            if path.startswith("limits") and path.endswith("OOMScoreAdjust"):
                assert -1000 <= value <= 1000
            elif not isinstance(value, str):
                assert value >= 0, path


@skipping
@given(everything)
def test_only_named_services_are_planned(scenario: Scenario) -> None:
    plan = feasible(scenario)
    names = set(scenario.services) - {"host"}
    assert set(plan["services"]) == names
    # The pooler is part of PostgreSQL.
    assert {unit.partition("@")[0] for unit in plan["limits"]} == names | ({"pgbouncer"} & set(plan))
    assert {name for name in KNOWN_SERVICES if name in plan} == names


PINNED_VALUES = {
    ("nginx", "worker_processes"): ("worker_processes", 1),
    ("nginx", "worker_connections"): ("worker_connections", 1),
    ("nginx", "worker_rlimit_nofile"): ("worker_rlimit_nofile", 1),
    ("mariadb", "innodb_buffer_pool_size_mb"): ("innodb_buffer_pool_size", MIB),
    ("mariadb", "innodb_log_file_size_mb"): ("innodb_log_file_size", MIB),
    ("mariadb", "max_heap_table_size_mb"): ("max_heap_table_size", MIB),
    ("mariadb", "tmp_table_size_mb"): ("tmp_table_size", MIB),
    ("mariadb", "max_connections"): ("max_connections", 1),
    ("mariadb", "table_open_cache"): ("table_open_cache", 1),
    **{("mariadb", f"{name}_kb"): (name, KIB) for name in THREAD_BUFFERS},
    ("postgresql", "shared_buffers_mb"): ("shared_buffers", MIB),
    ("postgresql", "work_mem_kb"): ("work_mem", KIB),
    ("postgresql", "max_connections"): ("max_connections", 1),
    ("memcached", "memory_mb"): ("memory_mb", 1),
    ("memcached", "max_connections"): ("max_connections", 1),
}


@skipping
@given(everything)
@example(on(2048, 1, {"mariadb": {"table_open_cache": 1964}}, kernel={"nofile": 3900}))
def test_what_is_pinned_stands_and_says_that_the_user_decided(scenario: Scenario) -> None:
    plan = feasible(scenario)
    for (name, pin), (variable, unit) in PINNED_VALUES.items():
        if name in plan and pin in scenario.inputs(name):
            assert plan[name][variable] == scenario.inputs(name)[pin] * unit, pin
            assert plan["explain"][f"{name}.{variable}"]["bound"] == "user", pin
    for name, store in scenario.stores.items() if "redis" in plan else []:
        for pin, variable, unit in (("maxmemory_mb", "maxmemory", MIB), ("maxclients", "maxclients", 1)):
            if pin in store:
                assert plan["redis"]["instances"][name][variable] == store[pin] * unit, pin
                assert plan["explain"][f"redis.instances.{name}.{variable}"]["bound"] == "user", pin
    if "php_fpm" in plan:
        for pool in scenario.pools:
            values = plan["php_fpm"]["pools"][pool["name"]]
            for pin in ("max_children", "worker_memory_mb"):
                assert values[pin] == pool.get(pin, values[pin]), pin
        for pin, variable in (
            ("opcache_memory_mb", "memory_consumption_mb"),
            ("opcache_interned_strings_mb", "interned_strings_buffer_mb"),
            ("opcache_max_files", "max_accelerated_files"),
            ("jit_buffer_mb", "jit_buffer_size_mb"),
        ):
            if pin in scenario.inputs("php_fpm"):
                assert plan["opcache"][variable] == scenario.inputs("php_fpm")[pin]


@skipping
@given(with_php)
def test_a_measured_worker_outranks_the_guess_and_a_pinned_one_outranks_both(scenario: Scenario) -> None:
    plan = feasible(scenario)
    measured = scenario.facts["lemp_capacity"]["calibration"].get("php_fpm", {}).get("pools", {})
    for name, values in plan.get("php_fpm", {}).get("pools", {}).items():
        pool = next(pool for pool in scenario.pools if pool["name"] == name)
        guess = APPLICATIONS[pool.get("application", "php")].worker_mb
        expected = pool.get("worker_memory_mb") or measured.get(name, {}).get("worker_memory_mb") or guess
        assert values["worker_memory_mb"] == expected


@skipping
@given(scenarios("php_fpm", among=("php_fpm", "nginx")))
def test_equal_pools_differ_by_at_most_one_worker(scenario: Scenario) -> None:
    plan = feasible(scenario)
    counts: dict[str, list[int]] = {}
    for pool in scenario.pools if "php_fpm" in plan else []:
        if "max_children" not in pool:
            values = plan["php_fpm"]["pools"][pool["name"]]
            kind = f"{values['worker_memory_mb']} {pool.get('weight', 1)}"
            counts.setdefault(kind, []).append(values["max_children"])
    assert all(max(alike) - min(alike) <= 1 for alike in counts.values())


# What does not fit


@skipping
@given(tight)
def test_what_does_not_fit_says_by_how_much_and_what_helps(scenario: Scenario) -> None:
    error = refusal(scenario)
    message = str(error)
    assert error.remedies
    if error.shortfall:
        assert error.shortfall > 0
        assert re.match(
            r"the services need [1-9]\d* MB more than the host has: \d+ MB of memory, \d+ MB kept for the op", message
        )
        assert all(remedy in message for remedy in error.remedies)
    else:
        assert re.search(r"the connections pinned for \w+ leave|the disk of \S+ has|\w+ needs \d+ open files", message), message
    assert message.endswith(".")


def minimal(scenario: Scenario) -> Scenario:
    """The same with the least of everything that is not pinned, by pins."""
    services = deepcopy(scenario.services)
    for name, least in {
        "nginx": {"worker_processes": 1},
        "php_fpm": {"opcache_memory_mb": php_fpm.OPCACHE_LEAST_MB},
        "mariadb": {"innodb_buffer_pool_size_mb": mariadb.POOL_LEAST // MIB},
        "postgresql": {"shared_buffers_mb": postgresql.BUFFERS_LEAST // MIB},
        "redis": {} if scenario.inputs("redis").get("instances") else {"maxmemory_mb": redis.LEAST // MIB},
        "memcached": {"memory_mb": memcached.LEAST // MIB},
    }.items():
        if name in services:
            services[name] = {**least, **services[name]}
    for store in services.get("redis", {}).get("instances") or []:
        store.setdefault("maxmemory_mb", redis.LEAST // MIB)
    for name, admin in (("mariadb", 10), ("postgresql", 12)):
        if name in services and "php_fpm" not in services:
            clients = admin + services[name].get("extra_clients", 0)
            services[name] = {"max_connections": clients, **services[name]}
    if "php_fpm" in services:
        services["php_fpm"]["pools"] = [{"max_children": 1, **pool} for pool in scenario.pools]
    return Scenario(scenario.facts, services)


@skipping
@given(tight)
@example(on(700, 2, {"mariadb": {}, "postgresql": {}}))
def test_a_plan_fails_only_where_the_least_of_everything_does_not_fit(scenario: Scenario) -> None:
    error = refusal(scenario)
    assume(error.shortfall)
    # Pinned interned strings are a part of OPcache, which the least of 32 MB may not hold.
    assume("opcache_interned_strings_mb" not in scenario.inputs("php_fpm"))
    # Two more connections than the plan's own least for administration, so allow for these.
    assume(error.shortfall > 64 * MIB)
    assert planned(minimal(scenario)) is None


@skipping
@given(tight)
@example(on(256, 2, {"mariadb": {}, "postgresql": {}}))
@example(on(1024, 2, {"host": {"reserve_mb": 1000000}, "nginx": {}}))
def test_as_much_memory_as_the_message_asks_for_is_enough(scenario: Scenario) -> None:
    error = refusal(scenario)
    found = re.search(r"give the host (\d+) MB of memory", str(error))
    assume(found)
    assert found
    enough = scenario.with_memory(int(found[1]) * MIB)
    try:
        make_plan(enough.facts, enough.services)
    except Infeasible as again:
        # Connections that somebody pinned may still serve too few workers; memory does not help there.
        shortfall = again.shortfall
    else:
        shortfall = 0
    assert shortfall == 0


@skipping
@given(tight)
def test_the_memory_that_the_message_asks_for_is_not_far_more_than_is_needed(scenario: Scenario) -> None:
    error = refusal(scenario)
    found = re.search(r"give the host (\d+) MB of memory", str(error))
    assume(found)
    assert found
    # Searched in steps of 64 MiB and rounded up to them, so that two less may do, three not.
    less = int(found[1]) * MIB - 3 * 64 * MIB
    if less > scenario.memory:
        assert planned(scenario.with_memory(less)) is None


@skipping
@given(tight)
def test_moving_the_service_that_the_message_names_is_enough(scenario: Scenario) -> None:
    error = refusal(scenario)
    found = re.search(r"move (\w+) to a host of its own", str(error))
    assume(found)
    assert found
    moved = scenario.without(found[1])
    # Enough memory, that is: a container's limit of open files is another matter, which only shows then.
    assert planned(moved) or " open files, but the host allows " in str(refusal(moved))


def with_pools(scenario: Scenario, items: list[dict[str, Any]]) -> Scenario:
    services = {**scenario.services, "php_fpm": {**scenario.inputs("php_fpm"), "pools": items}}
    return Scenario(scenario.facts, services)


@skipping
@given(crowded)
def test_smaller_workers_as_the_message_asks_for_are_enough(scenario: Scenario) -> None:
    found = re.search(r"lower php.worker_memory_mb by (\d+)", str(refusal(scenario)))
    assume(found)
    assert found
    items = [{**pool, "worker_memory_mb": pool["worker_memory_mb"] - int(found[1])} for pool in scenario.pools]
    assert planned(with_pools(scenario, items))


@skipping
@given(crowded)
def test_fewer_pinned_workers_as_the_message_asks_for_are_enough(scenario: Scenario) -> None:
    found = re.search(r"lower php.max_children of ([^;]+?)(?:, or |\.$)", str(refusal(scenario)))
    assume(found)
    assert found
    named = found[1].split(", ")
    items = [{**pool, "max_children": 1} if pool["name"] in named else pool for pool in scenario.pools]
    assert planned(with_pools(scenario, items))


@skipping
@given(connection_pins, st.integers(1, 100))
def test_as_many_connections_as_the_message_asks_for_serve_the_workers(pinned: dict[str, Any], count: int) -> None:
    pool = {"name": "www", "max_children": count, "worker_memory_mb": 16}
    error = refusal(on(65536, 1, {**pinned, "php_fpm": {"pools": [pool]}}))
    found = re.search(r"the connections pinned for (\w+) leave .*raise them by (\d+)", str(error))
    assert found
    ((key, connections),) = pinned[found[1]].items()
    raised = {**pinned, found[1]: {key: connections + int(found[2])}}
    # Another service may lack connections too; this one does no more.
    with suppress(Infeasible):
        make_plan(on(65536, 1, {}).facts, {**raised, "php_fpm": {"pools": [pool]}})
        return
    again = str(refusal(on(65536, 1, {**raised, "php_fpm": {"pools": [pool]}})))
    assert f"connections pinned for {found[1]} " not in again


# Nonsense

plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
junk = (
    plain | st.lists(plain, max_size=3) | st.dictionaries(st.text(max_size=5), plain | st.lists(plain, max_size=2), max_size=3)
)
KEYS = {
    "host": ["memory_mb", "cpus", "page_size", "reserve_mb", "profile", "disk", "disk_gb", "architecture"],
    "nginx": ["worker_processes", "worker_connections", "worker_rlimit_nofile"],
    "php_fpm": ["pools", "opcache_memory_mb", "opcache_interned_strings_mb", "opcache_max_files", "jit_buffer_mb"],
    "mariadb": [
        *(pin for name, pin in PINNED_VALUES if name == "mariadb"),
        *("extra_clients performance_schema version data_size_mb settings".split()),
    ],
    "postgresql": ["shared_buffers_mb", "work_mem_kb", "max_connections", "extra_clients", "version", "workload"],
    "redis": ["instances", "maxmemory_mb", "maxclients", "extra_clients", "use", "persistent", "version"],
    "memcached": ["memory_mb", "max_connections", "extra_clients"],
}
POOL_KEYS = (
    "application worker_memory_mb weight max_children version memory_limit_mb max_execution_time_seconds "
    "request_terminate_timeout_seconds name".split()
)
FACTS = {"memtotal_mb": 65536, "processor_nproc": 2}


@pytest.mark.parametrize(("name", "key"), [(name, key) for name, keys in KEYS.items() for key in keys])
@settings(max_examples=30)
@given(value=junk)
def test_junk_is_a_value_error_of_one_sentence_that_names_key_and_value(name: str, key: str, value: Any) -> None:
    try:
        plan = make_plan(FACTS, {"php_fpm": {}, "mariadb": {}, name: {key: value}})
    except Infeasible:
        return
    except ValueError as error:
        message = str(error)
        assert key in message or "pool" in message or name in message, message
        assert message.rstrip().endswith((".", "!")), message
        return
    assert plan["feasible"]


@pytest.mark.parametrize("key", POOL_KEYS)
@settings(max_examples=30)
@given(value=junk)
def test_junk_in_a_pool_is_a_value_error(key: str, value: Any) -> None:
    with suppress(ValueError):
        make_plan(FACTS, {"php_fpm": {"pools": [{"name": "shop", key: value}]}, "mariadb": {}})


@pytest.mark.parametrize("key", ["name", "use", "maxmemory_mb", "maxclients", "extra_clients", "persistent", "nonsense"])
@settings(max_examples=30)
@given(value=junk)
def test_junk_in_an_instance_is_a_value_error_of_one_sentence(key: str, value: Any) -> None:
    try:
        plan = make_plan(FACTS, {"redis": {"instances": [{"name": "store", key: value}]}})
    except Infeasible:
        return
    except ValueError as error:
        message = str(error)
        assert key in message, message
        assert message.endswith("."), message
        return
    assert plan["feasible"]


@given(junk)
def test_junk_in_place_of_a_pool_or_of_all_pools_is_a_value_error(value: Any) -> None:
    for services in (
        {"php_fpm": {"pools": [value]}},
        {"php_fpm": {"pools": value}},
        {"php_fpm": value},
        {"redis": {"instances": [value]}},
        {"host": value},
    ):
        with suppress(ValueError):
            make_plan(FACTS, services)


@given(junk, st.sampled_from(["all", "php_fpm", "pools", "www", "worker_memory_mb", "php_files", "opcache_memory_mb"]))
def test_junk_in_measurements_is_a_value_error(value: Any, where: str) -> None:
    measured: Any = value
    if where in ("php_files", "opcache_memory_mb"):
        measured = {"php_fpm": {where: value}}
    elif where != "all":
        path = ["php_fpm", "pools", "www", "worker_memory_mb"]
        for key in reversed(path[: 1 + path.index(where)]):
            measured = {key: measured}
    with suppress(ValueError):
        make_plan({**FACTS, "lemp_capacity": {"calibration": measured}}, {"php_fpm": {}})
