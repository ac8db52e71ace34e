"""Kernel parameters that follow from the services of a host."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.lemp.stack.plugins.module_utils._plan.budget import make_plan
from ansible_collections.lemp.stack.plugins.module_utils._plan.units import GIB, MIB


def sysctl(services: dict[str, Any], memory_mb: int = 8192, **capacity: Any) -> dict[str, Any]:
    return make_plan({"memtotal_mb": memory_mb, "processor_nproc": 2, "lemp_capacity": capacity}, services)["sysctl"]


# kernel-001 to kernel-003 of the tuning vectors: the kernel cuts a backlog to somaxconn without a word.
@pytest.mark.parametrize("service", ["nginx", "php_fpm", "redis", "postgresql"])
def test_no_backlog_is_cut(service: str) -> None:
    plan = make_plan({"memtotal_mb": 8192, "processor_nproc": 2}, {service: {}})
    stores = plan.get("redis", {}).get("instances", {}).values()
    asked = max(511, plan.get("php_fpm", {}).get("listen_backlog", 0), *(values["tcp_backlog"] for values in stores))
    assert min(asked, plan["sysctl"]["net.core.somaxconn"]) == asked
    assert plan["sysctl"]["net.ipv4.tcp_max_syn_backlog"] >= asked


@pytest.mark.parametrize(
    ("services", "swappiness"), [({"mariadb": {}}, 1), ({"postgresql": {}, "redis": {}}, 1), ({"nginx": {}, "mariadb": {}}, 10)]
)
def test_databases_alone_are_not_swapped_out(services: dict[str, Any], swappiness: int) -> None:
    assert sysctl(services)["vm.swappiness"] == swappiness


@pytest.mark.parametrize(("use", "overcommit"), [("cache", 0), ("session", 1), ("queue", 1)])
def test_a_fork_of_redis_may_promise_memory_twice(use: str, overcommit: int) -> None:
    assert sysctl({"redis": {"use": use}})["vm.overcommit_memory"] == overcommit


def test_one_instance_that_forks_is_enough_for_that() -> None:
    assert sysctl({"redis": {"instances": [{"name": "cache"}, {"name": "queue", "use": "queue"}]}})["vm.overcommit_memory"] == 1


def test_without_redis_overcommitting_is_left_to_the_kernel() -> None:
    assert "vm.overcommit_memory" not in sysctl({"nginx": {}, "postgresql": {}})


def test_the_slowest_disk_decides_how_much_may_be_dirty() -> None:
    disks = {"/var/lib/mysql": {"kind": "nvme"}, "/var/lib/redis": {"kind": "sd"}}
    slow = sysctl({"mariadb": {}}, disks=disks)
    fast = sysctl({"mariadb": {}}, disks={"/var/lib/mysql": {"kind": "nvme"}})
    assert slow["vm.dirty_background_bytes"] < fast["vm.dirty_background_bytes"]
    assert slow["vm.dirty_bytes"] == 4 * slow["vm.dirty_background_bytes"]


def test_at_most_a_tenth_of_a_small_hosts_memory_may_be_dirty() -> None:
    values = sysctl({"mariadb": {}}, memory_mb=1024, disks={"/var/lib/mysql": {"kind": "nvme"}})
    assert values["vm.dirty_bytes"] <= GIB // 10


@pytest.mark.parametrize("kind", ["unknown", "tmpfs"])
def test_a_disk_of_which_nothing_is_known_leaves_the_kernels_ratios(kind: str) -> None:
    assert "vm.dirty_bytes" not in sysctl({"mariadb": {}}, disks={"/var/lib/mysql": {"kind": kind}})


# autobase-007 and -008 of the tuning vectors: huge pages only from 8 GB of shared buffers on.
@pytest.mark.parametrize(("memory_mb", "is_there"), [(16384, False), (65536, True)])
def test_huge_pages_are_kept_for_large_shared_buffers_only(memory_mb: int, is_there: bool) -> None:
    values = sysctl({"postgresql": {}}, memory_mb=memory_mb)
    assert ("vm.nr_hugepages" in values) is is_there


@pytest.mark.parametrize("huge_page", [2 * MIB, 32 * MIB])
def test_as_many_huge_pages_are_kept_as_shared_buffers_take(huge_page: int) -> None:
    facts = {"memtotal_mb": 65536, "processor_nproc": 2, "lemp_capacity": {"huge_page_size": huge_page}}
    plan = make_plan(facts, {"postgresql": {}})
    kept = plan["sysctl"]["vm.nr_hugepages"] * huge_page
    assert plan["postgresql"]["shared_buffers"] < kept <= plan["services"]["postgresql"]["parts"]["shared buffers"]


def test_files_of_all_units_are_allowed_where_the_kernel_allows_fewer() -> None:
    assert "fs.file-max" not in sysctl({"nginx": {}}, kernel={"file_max": 2**63 - 1})
    assert sysctl({"nginx": {}, "mariadb": {}}, kernel={"file_max": 10000})["fs.file-max"] > 32768
