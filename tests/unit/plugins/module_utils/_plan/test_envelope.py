"""Our values for a host with one service lie between those of published tuners, or ``docs/plan_envelope.md`` says why not.

``anchors.json`` has copies of the tuning vectors that are needed. Where a vector has the size of the host, it is taken; where
the vectors of a tuner plainly follow one formula, the formula is taken, and a test proves that it gives all of its vectors.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache
from math import floor
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from templating import ROOT

from ansible_collections.lemp.stack.plugins.module_utils._plan.budget import make_plan
from ansible_collections.lemp.stack.plugins.module_utils._plan.capacity import Capacity
from ansible_collections.lemp.stack.plugins.module_utils._plan.units import GIB, KIB, MIB, parse_size

TABLE = ROOT / "docs" / "plan_envelope.md"
ANCHORS = {row["id"]: row for row in json.loads((Path(__file__).parent / "anchors.json").read_text())}
# GB of memory with CPUs, as pgtune's vectors have them.
HOSTS = {1: 4, 2: 4, 4: 4, 8: 4, 16: 8, 32: 16, 64: 32}
DISK_GB = 100
# One application of known size, as the calculators take it.
WORKER_MB = 64


def family(prefix: str, *keys: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Inputs and expectations of the vectors of one tuner that have these inputs."""
    for name, row in ANCHORS.items():
        if name.rpartition("-")[0] == prefix and set(keys) <= set(row["inputs"]):
            yield row["inputs"], row["expected"]


def expected(name: str, key: str, unit: int = 1) -> float:
    return ANCHORS[name]["expected"][key] * unit


# Formulas of tuners, in bytes


def dedicated_pool(memory: int) -> int:
    """MySQL, innodb_dedicated_server."""
    return 128 * MIB if memory < GIB else memory // 2 if memory <= 4 * GIB else memory * 3 // 4


def dedicated_redo(cpus: int) -> int:
    """MySQL 8.4, innodb_dedicated_server."""
    return min(cpus * GIB // 2, 16 * GIB)


def pigsty_pool(memory: int) -> int:
    return max(memory // 4, 256 * MIB)


def pigsty_redo(memory: int) -> int:
    return min(4096 * MIB, max(128 * MIB, pigsty_pool(memory) // 2))


def connections_by_memory(memory: int) -> int:
    """Amazon RDS and Percona's operator."""
    return memory // 12582880


def timescale_work(memory: int, cpus: int, connections: int = 100) -> int:
    return int(memory / GIB * 400 * MIB / connections / max(1, half(cpus)))


def half(cpus: int) -> int:
    return floor(cpus / 2 + 0.5)


def timescale_connections(memory: int) -> int:
    return next((count for most, count in ((2, 25), (4, 50), (6, 75)) if memory <= most * GIB), 100)


def timescale_wal(disk: int) -> int:
    return -(-disk * 6 // 10 // (16 * MIB)) * 16 * MIB if disk else GIB


def pigsty_wal(disk: int) -> int:
    return 4 * GIB * min(100, max(1, -(-disk // (20 * GIB))))


def yunohost_children(memory_mb: int, footprint_mb: int, cores: int) -> int:
    return max(1, min(memory_mb // 2 // footprint_mb, 4 * cores))


def samdark_children(free_mb: int, worker_mb: int) -> int:
    return int(free_mb * 0.9 / worker_mb)


def provision_children(cpus: int) -> int:
    return min(64, max(5, 2 * cpus))


def test_formulas_of_mysql_give_their_vectors() -> None:
    for given, wanted in family("innodb-ds", "detected_memory_bytes"):
        assert dedicated_pool(given["detected_memory_bytes"]) == wanted["innodb_buffer_pool_size_bytes"]
    for given, wanted in family("innodb-ds", "logical_cpus"):
        # One CPU is given the redo log of one.
        assert dedicated_redo(given["logical_cpus"]) == wanted["innodb_redo_log_capacity_bytes"]
    for given, wanted in family("pigsty", "node_mem_mb"):
        assert pigsty_pool(given["node_mem_mb"] * MIB) == wanted["innodb_buffer_pool_mb"] * MIB
        assert pigsty_redo(given["node_mem_mb"] * MIB) == wanted["innodb_redo_log_capacity_mb"] * MIB
    for given, wanted in family("pxc-op"):
        assert connections_by_memory(given["memory_limit_bytes"]) == wanted["max_connections"]
    for given, wanted in family("rds"):
        memory = given["instance_class_memory_bytes"]
        assert abs(connections_by_memory(memory) - wanted["max_connections"]) <= 1
        assert abs(memory * 3 // 4 - wanted["innodb_buffer_pool_size"]) <= 1


def test_formulas_of_timescaledb_tune_give_its_vectors() -> None:
    for given, wanted in family("tstune", "total_memory_bytes", "cpus"):
        memory = given["total_memory_bytes"]
        work = timescale_work(memory, given["cpus"], given["max_conns"] or 100)
        assert abs(parse_size(wanted["work_mem"], "postgresql") - work) < KIB
        assert parse_size(wanted["shared_buffers"], "postgresql") == memory // 4
        assert parse_size(wanted["effective_cache_size"], "postgresql") == memory * 3 // 4
        assert parse_size(wanted["maintenance_work_mem"], "postgresql") == min(memory // 8, 2047 * MIB)
    for given, wanted in family("tstune", "total_memory_bytes"):
        if "max_connections" in wanted:
            assert timescale_connections(given["total_memory_bytes"]) == wanted["max_connections"]
    for given, wanted in family("tstune", "cpus", "max_bg_workers"):
        assert (given["cpus"], half(given["cpus"])) == (
            wanted["max_parallel_workers"],
            wanted["max_parallel_workers_per_gather"],
        )
    for given, wanted in family("tstune", "wal_disk_bytes"):
        assert timescale_wal(given["wal_disk_bytes"]) == parse_size(wanted["max_wal_size"], "postgresql")


def test_formulas_of_pigsty_give_its_vectors() -> None:
    for given, wanted in family("pigsty", "fs_bytes"):
        assert pigsty_wal(given["fs_bytes"]) == wanted["max_wal_size_gb"] * GIB


def test_formulas_of_php_calculators_give_their_vectors() -> None:
    for given, wanted in family("fpm", "free_mb"):
        assert samdark_children(given["free_mb"], given["worker_mb"]) == wanted["max_children"]
    for given, wanted in family("fpm", "footprint"):
        if wanted["pm"] != "static":
            footprint = {"low": 20, "medium": 35, "high": 50}[given["footprint"]]
            assert yunohost_children(given["ram_mb"], footprint, given["cores"]) == wanted["max_children"]
    for given, wanted in family("fpm", "vcpus"):
        assert provision_children(given["vcpus"]) == wanted["max_children"]


def test_every_copied_vector_says_where_it_is_from() -> None:
    assert all(row["source"] and row["expected"] for row in ANCHORS.values())


# Spans of anchors for a host of ``gb`` GB, by value


def mariadb_pool(gb: int) -> list[float]:
    memory = gb * GIB
    values: list[float] = [dedicated_pool(memory), pigsty_pool(memory), memory * 3 // 4]
    values += [expected(name, "innodb_buffer_pool_size") for name in pick("pxc-op", "memory_limit_bytes", memory)]
    values += [expected(name, "innodb_buffer_pool_mb", MIB) for name in pick("frappe", "ram_mb", gb * 1024)]
    return values


def mariadb_redo(gb: int) -> list[float]:
    measured = [expected(name, "innodb_log_file_size_mb", MIB) for name in pick("innodb-ds", "detected_memory_gb", gb)]
    return [dedicated_redo(HOSTS[gb]), pigsty_redo(gb * GIB), *measured]


def pick(prefix: str, key: str, value: Any) -> list[str]:
    return [name for name, row in ANCHORS.items() if name.rpartition("-")[0] == prefix and row["inputs"].get(key) == value]


# Variables of PostgreSQL with their names and units in the vectors of pgtune, pigsty and autobase.
POSTGRESQL_NAMES = {
    "shared_buffers": {"shared_buffers_kb": KIB, "shared_buffers_mb": MIB},
    "effective_cache_size": {"effective_cache_size_kb": KIB, "effective_cache_size_mb": MIB},
    "work_mem": {"work_mem_kb": KIB, "work_mem_mb": MIB},
    "maintenance_work_mem": {"maintenance_work_mem_kb": KIB, "maintenance_work_mem_mb": MIB},
    "max_connections": {"max_connections": 1},
    "max_wal_size": {"max_wal_size_kb": KIB, "max_wal_size_gb": GIB},
    "max_parallel_workers": {"max_parallel_workers": 1},
    "max_parallel_workers_per_gather": {"max_parallel_workers_per_gather": 1},
}
BY_CPU = ("max_parallel_workers", "max_parallel_workers_per_gather")
# What pgtune and pigsty make depend on the kind of database: only their vectors for the web count, at any size of the host.
BY_KIND = ("work_mem", "maintenance_work_mem", "max_connections", "max_wal_size", "max_parallel_workers_per_gather")
OTHER_KINDS = {"oltp", "dw", "olap"}


def is_of_another_kind(row: dict[str, Any]) -> bool:
    return bool(OTHER_KINDS & {row["inputs"].get("db_type"), row["inputs"].get("profile")})


def test_pgtune_gives_every_web_server_the_same_wal_and_connections() -> None:
    web = [
        row["expected"]
        for row in ANCHORS.values()
        if row["inputs"].get("db_type") == "web" and "max_wal_size_kb" in row["expected"]
    ]
    assert len(web) == 5
    assert {(values["max_wal_size_kb"], values["max_connections"]) for values in web} == {(4 * GIB // KIB, 200)}


def postgresql(variable: str) -> Callable[[int], list[float]]:
    def span(gb: int) -> list[float]:
        memory, cpus = gb * GIB, HOSTS[gb]
        values: list[float] = [
            {
                "shared_buffers": memory // 4,
                "effective_cache_size": memory * 3 // 4,
                "work_mem": timescale_work(memory, cpus),
                "maintenance_work_mem": min(memory // 8, 2047 * MIB),
                "max_connections": timescale_connections(memory),
                "max_wal_size": timescale_wal(DISK_GB * GIB),
                "max_parallel_workers": cpus,
                "max_parallel_workers_per_gather": half(cpus),
            }[variable]
        ]
        found = pick("pgtune-exec", "total_memory", f"{gb}GB") + pick("autobase", "mem_mb", gb * 1024)
        found += pick("pigsty", "mem_mb", gb * 1024)
        if variable in ("max_wal_size", "max_connections"):
            found.append("pgtune-exec-005")
        if variable == "max_parallel_workers_per_gather" and cpus >= ANCHORS["pgtune-025"]["inputs"]["cpu"]:
            # Half of the CPUs, but no more than this outside of data warehouses.
            values.append(expected("pgtune-025", variable))
        for name in dict.fromkeys(found):
            row = ANCHORS[name]
            if variable in BY_KIND and is_of_another_kind(row):
                continue
            if variable in BY_CPU and cpus not in (row["inputs"].get("cpu"), row["inputs"].get("vcpus")):
                continue
            # Pigsty's follows the disk of its vector.
            if variable == "max_wal_size" and name.startswith("pigsty"):
                values.append(pigsty_wal(DISK_GB * GIB))
                continue
            values += [
                row["expected"][key] * unit for key, unit in POSTGRESQL_NAMES[variable].items() if key in row["expected"]
            ]
        return values

    return span


def redis_memory(gb: int) -> list[float]:
    """Valkey's manual: 80 to 90 % of what is free for it (10 GB free: 8 to 9)."""
    free = Capacity(gb * GIB, 1)
    low, high = ANCHORS["redis-005"]["expected"]["maxmemory_gb_range"]
    whole = ANCHORS["redis-005"]["inputs"]["free_gb"]
    return [(free.memory - free.reserve) * share / whole for share in (low, high)]


def php_children(gb: int) -> list[float]:
    host, cpus = Capacity(gb * GIB, 1), HOSTS[gb]
    free = (host.memory - host.reserve) // MIB
    yunohost = [yunohost_children(gb * 1024, footprint, cpus) for footprint in (20, 50)]
    return [samdark_children(free, WORKER_MB), provision_children(cpus), *yunohost]


def nginx_connections(_gb: int) -> list[float]:
    return [
        ANCHORS["notes-1.5"]["expected"]["worker_connections"],
        *(ANCHORS[name]["inputs"]["worker_connections"] for name in ("nginx-005", "nginx-007")),
    ]


SPANS: dict[tuple[str, str], Callable[[int], list[float]]] = {
    ("mariadb", "innodb_buffer_pool_size"): mariadb_pool,
    ("mariadb", "innodb_log_file_size"): mariadb_redo,
    ("mariadb", "max_connections"): lambda gb: [connections_by_memory(gb * GIB)],
    **{("postgresql", variable): postgresql(variable) for variable in POSTGRESQL_NAMES},
    ("redis", "maxmemory"): redis_memory,
    ("php_fpm", "max_children"): php_children,
    ("nginx", "worker_processes"): lambda gb: [HOSTS[gb]],
    ("nginx", "worker_connections"): nginx_connections,
}
SIZES = {variable for (_, variable) in SPANS if "size" in variable or "mem" in variable or "buffers" in variable}


@cache
def plan_of(service: str, gb: int) -> dict[str, Any]:
    inputs = {
        "php_fpm": {"pools": [{"name": "www", "worker_memory_mb": WORKER_MB}]},
        "postgresql": {"version": "17"},
    }
    facts = {"memtotal_mb": gb * 1024, "processor_nproc": HOSTS[gb]}
    return make_plan(facts, {service: inputs.get(service, {}), "host": {"disk": "ssd", "disk_gb": DISK_GB}})


class Difference(NamedTuple):
    """One row of the table: what of ours lies outside the anchors; sizes in MB."""

    value: str
    host: str
    ours: float
    low: float
    high: float


def differences() -> list[Difference]:
    found = []
    for (service, variable), span in SPANS.items():
        for gb in HOSTS:
            unit = MIB if variable in SIZES else 1
            values = plan_of(service, gb)[service]
            ours = values.get("instances", {"cache": values})["cache"][variable] / unit
            anchors = [value / unit for value in span(gb)]
            # PostgreSQL's sizes are whole kB.
            if not min(anchors) - 1 / KIB <= ours <= max(anchors) + 1 / KIB:
                found.append(Difference(f"{service}.{variable}", f"{gb} GB", ours, min(anchors), max(anchors)))
    for kind in DISKS:
        for variable, anchors in disk_anchors(kind).items():
            ours = disk_plan(kind)[variable]
            if not min(anchors) <= ours <= max(anchors):
                found.append(Difference(f"postgresql.{variable}", kind, ours, min(anchors), max(anchors)))
    return found


# An SD card has no anchor of its own; those of an SSD are the nearest, as neither has a head to move.
DISKS = {"nvme": "nvme", "ssd": "ssd", "hdd": "hdd", "sd": "ssd"}


def disk_plan(kind: str) -> dict[str, Any]:
    facts = {"memtotal_mb": 8192, "processor_nproc": 4}
    values: dict[str, Any] = make_plan(facts, {"postgresql": {"version": "17"}, "host": {"disk": kind}})["postgresql"]
    return values


def disk_anchors(kind: str) -> dict[str, list[float]]:
    values: dict[str, list[float]] = {"random_page_cost": [], "effective_io_concurrency": []}
    for name, row in ANCHORS.items():
        same = str(row["inputs"].get("disk", "")).lower() == DISKS[kind]
        if same and name.startswith(("pgtune", "pgconfig")) and row["inputs"].get("db_type") in (None, "web"):
            for variable, found in values.items():
                found += [row["expected"][variable]] if variable in row["expected"] else []
    values["effective_io_concurrency"].append(int(ANCHORS["tstune-053"]["expected"]["effective_io_concurrency"]))
    return values


def number(text: str) -> float:
    return float(text.replace("MB", "").replace(",", "").strip())


def table() -> dict[tuple[str, str], tuple[float, float, float, str]]:
    """The rows of the document, which has one table, by value and host."""
    rows = {}
    for line in TABLE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `") and len(cells) == 5:
            low, _, high = cells[3].partition(" to ")
            rows[cells[0].strip("`"), cells[1]] = (number(cells[2]), number(low), number(high or low), cells[4])
    return rows


def written(row: Difference) -> str:
    """A row of the table without its reason, to be pasted where the test asks for it."""
    unit = " MB" if row.value.rpartition(".")[2] in SIZES else ""
    low, high, ours = (f"{value:,.1f}".removesuffix(".0") + unit for value in (row.low, row.high, row.ours))
    span = low if low == high else f"{low} to {high}"
    return f"| `{row.value}` | {row.host} | {ours} | {span} | "


def test_the_table_lists_every_difference_and_nothing_else() -> None:
    there = {(row.value, row.host): row for row in differences()}
    listed = table()
    missing = [written(row) for key, row in there.items() if key not in listed]
    assert not missing, "\n".join(["these are outside the anchors and not in docs/plan_envelope.md:", *missing])
    assert not listed.keys() - there.keys(), "these are in docs/plan_envelope.md and inside the anchors"


def test_the_table_has_our_values_those_of_the_anchors_and_a_reason() -> None:
    """Ours within 15 %: charges follow measurements, and a table that has to follow each of them is not read any more."""
    listed = table()
    for row in differences():
        ours, low, high, reason = listed[row.value, row.host]
        assert row.ours * 0.85 <= ours <= row.ours * 1.15, written(row)
        assert (low, high) == (pytest.approx(row.low, abs=0.06), pytest.approx(row.high, abs=0.06)), written(row)
        assert (ours < low) is (row.ours < row.low), written(row)
        assert len(reason.split()) > 5, row


def test_an_application_of_symfonys_size_gets_the_slots_that_symfony_asks_for() -> None:
    facts = {"memtotal_mb": 8192, "processor_nproc": 4}
    plan = make_plan(facts, {"php_fpm": {"pools": [{"name": "www", "application": "symfony"}]}})
    assert plan["opcache"]["max_accelerated_files"] == ANCHORS["opcache-009"]["expected"]["effective_slots"]


@pytest.mark.parametrize("name", [name for name in ANCHORS if name.startswith("cgroup-")])
def test_nginx_runs_a_worker_per_cpu_as_its_own_container_does(name: str) -> None:
    given, wanted = ANCHORS[name]["inputs"], ANCHORS[name]["expected"]["worker_processes"]
    # host_capacity reads the CPU set; the plan is told the smaller of it and the quota, which may be a fraction.
    quota = given["cpu_max_quota"] / given["cpu_max_period"] if given["cpu_max_quota"] else given["online"]
    cpus = min(quota, given["online"], count(given["cpuset_effective"], given["online"]))
    facts = {"lemp_capacity": {"memory": {"planned_bytes": 8 * GIB}, "cpus": {"effective": cpus}}}
    assert make_plan(facts, {"nginx": {}})["nginx"]["worker_processes"] == wanted


def count(cpuset: str | None, online: int) -> int:
    if not cpuset:
        return online
    parts = [[int(number) for number in part.split("-")] for part in cpuset.split(",")]
    return sum(part[-1] - part[0] + 1 for part in parts)
