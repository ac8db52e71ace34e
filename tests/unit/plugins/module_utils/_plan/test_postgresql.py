"""Pools of PgBouncer: examples. What holds on every host is in ``test_invariants.py``."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.lemp.stack.plugins.module_utils._plan.budget import make_plan
from ansible_collections.lemp.stack.plugins.module_utils._plan.units import MIB

SHOP = {"pools": [{"name": "shop", "max_children": 40, "worker_memory_mb": 32}]}


def planned(cpus: int = 2, memory_mb: int = 8192, **inputs: Any) -> dict[str, Any]:
    return make_plan({"memtotal_mb": memory_mb, "processor_nproc": cpus}, {"php_fpm": SHOP, "postgresql": inputs})


def test_without_pooled_databases_there_is_no_pooler_and_a_connection_for_each_worker() -> None:
    plan = planned()
    assert plan["postgresql"]["max_connections"] == 40 + 8 + 3
    assert "pgbouncer" not in plan
    assert "pgbouncer" not in plan["limits"]
    assert plan == planned(pooled_databases=0, pooled_workers=True)


def test_pools_take_the_place_of_the_workers_connections_and_leave_memory_to_caches() -> None:
    plan = planned(pooled_databases=1, pooled_workers=True)
    assert plan["pgbouncer"] == {
        "default_pool_size": 8,
        "max_db_connections": 8,
        "query_wait_timeout": 50,
        "max_client_conn": 100,
    }
    assert plan["postgresql"]["max_connections"] == 8 + 2 + 8 + 3
    assert plan["explain"]["postgresql.max_connections"]["bound"] == "pooler"
    assert plan["postgresql"]["shared_buffers"] >= planned()["postgresql"]["shared_buffers"]
    assert plan["services"]["postgresql"]["parts"]["pooler"] == 48 * MIB
    assert plan["limits"]["pgbouncer"]["MemoryMax"] == 48 * MIB


def test_beside_databases_that_are_not_pooled_workers_keep_their_connections() -> None:
    assert planned(pooled_databases=2)["postgresql"]["max_connections"] == 40 + 2 * 4 + 2 + 8 + 3


@pytest.mark.parametrize(("databases", "size"), [(1, 8), (3, 2), (8, 2), (30, 2)])
def test_pools_share_four_connections_per_cpu_and_have_two_at_least(databases: int, size: int) -> None:
    assert planned(pooled_databases=databases, pooled_workers=True)["pgbouncer"]["default_pool_size"] == size


def test_pinned_connections_no_longer_bound_php_and_are_shared_by_the_pools() -> None:
    plan = planned(max_connections=20, pooled_databases=3, pooled_workers=True, cpus=16)
    assert plan["php_fpm"]["max_children"] == 40
    assert plan["pgbouncer"]["default_pool_size"] == (20 - 13) // 3


def test_a_host_without_php_keeps_connections_for_clients_of_other_hosts() -> None:
    facts = {"memtotal_mb": 8192, "processor_nproc": 2}
    given = {"pooled_databases": 1, "pooled_workers": True}
    assert make_plan(facts, {"postgresql": given})["postgresql"]["max_connections"] == 100 + 8 + 2 + 8 + 3


def test_a_pinned_size_is_kept() -> None:
    plan = planned(pool_size=25, pooled_databases=2, pooled_workers=True)
    assert plan["pgbouncer"]["max_db_connections"] == 25
    assert plan["postgresql"]["max_connections"] == 50 + 13


@pytest.mark.parametrize(
    ("sizes", "databases", "fits"),
    [
        pytest.param(87, 1, True, id="autobase-009, less what is kept for administration"),
        pytest.param(70, 2, False, id="autobase-010"),
        pytest.param(100, 2, False, id="autobase-011: two processes are two pools"),
    ],
)
def test_pools_that_the_server_has_no_connections_for_are_refused(sizes: int, databases: int, fits: bool) -> None:
    given = {"pool_size": sizes, "pooled_databases": databases, "pooled_workers": True, "max_connections": 100}
    if fits:
        assert planned(**given)["pgbouncer"]["max_db_connections"] == sizes
        return
    with pytest.raises(
        ValueError, match="max_connections of postgresql is 100, but extra clients and pools and administration"
    ):
        planned(**given)
