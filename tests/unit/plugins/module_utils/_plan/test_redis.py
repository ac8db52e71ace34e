"""Instances of Redis: examples. What holds on every host is in ``test_invariants.py``."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ansible_collections.lemp.stack.plugins.module_utils._plan.budget import make_plan
from ansible_collections.lemp.stack.plugins.module_utils._plan.units import GIB, MIB

THREE = [{"name": "cache"}, {"name": "session", "use": "session"}, {"name": "queue", "use": "queue"}]


def planned(memory_mb: int = 8192, disk: int = 0, beside: Any = None, **inputs: Any) -> dict[str, Any]:
    disks = {"/var/lib/redis": {"kind": "ssd", "size_bytes": disk}} if disk else {}
    facts = {"memtotal_mb": memory_mb, "processor_nproc": 2, "lemp_capacity": {"disks": disks}}
    return make_plan(facts, {**(beside or {}), "redis": inputs})


def test_a_redis_without_instances_is_one_that_is_named_cache() -> None:
    assert planned(maxmemory_mb=100) == planned(instances=[{"name": "cache", "maxmemory_mb": 100}])
    assert list(planned()["redis"]["instances"]) == ["cache"]


@pytest.mark.parametrize("nothing", [None, [], ""])
def test_nothing_in_place_of_instances_is_one(nothing: Any) -> None:
    assert planned(instances=nothing) == planned()


def test_each_use_has_its_policy_its_price_and_its_unit() -> None:
    plan = planned(instances=[{**item, "maxmemory_mb": 100} for item in THREE])
    instances = plan["redis"]["instances"]
    policies = {name: values["maxmemory_policy"] for name, values in instances.items()}
    assert policies == {"cache": "allkeys-lru", "session": "volatile-lru", "queue": "noeviction"}
    assert plan["services"]["redis"]["parts"]["data"] == (125 + 250 + 250) * MIB
    most = {unit: limits["MemoryMax"] // MIB for unit, limits in plan["limits"].items()}
    assert most == {"redis@cache": 145, "redis@session": 270, "redis@queue": 270}
    assert sum(most.values()) == plan["services"]["redis"]["charge"] // MIB


def test_all_instances_together_hold_a_quarter_of_memory_as_one_does() -> None:
    sizes = [values["maxmemory"] for values in planned(32768, instances=THREE)["redis"]["instances"].values()]
    assert 7 * GIB < sum(sizes) <= 8 * GIB
    assert planned(32768)["redis"]["instances"]["cache"]["maxmemory"] == 8 * GIB


def test_a_pinned_instance_leaves_the_quarter_to_the_others() -> None:
    given = [{"name": "cache"}, {"name": "queue", "use": "queue", "maxmemory_mb": 64}]
    instances = planned(32768, instances=given)["redis"]["instances"]
    assert {name: values["maxmemory"] for name, values in instances.items()} == {"cache": 8 * GIB, "queue": 64 * MIB}


def test_every_instance_has_a_connection_for_each_php_worker() -> None:
    php = {"php_fpm": {"pools": [{"name": "shop", "max_children": 10, "worker_memory_mb": 32}]}}
    instances = planned(beside=php, instances=[*THREE[:2], {"name": "queue", "use": "queue", "extra_clients": 5}])["redis"]
    clients = {name: values["maxclients"] for name, values in instances["instances"].items()}
    assert clients == {"cache": 74, "session": 74, "queue": 79}


def test_the_fewest_pinned_connections_bound_the_workers() -> None:
    pinned = [{"name": "cache", "maxclients": 9}, {"name": "queue", "maxclients": 5}]
    plan = planned(65536, beside={"php_fpm": {}}, instances=pinned)
    assert plan["php_fpm"]["max_children"] == 5


def test_what_is_written_to_disk_shares_its_part_of_the_disk() -> None:
    """3/5 of 1 GiB, twice each: 64 MB are pinned, what is left is for the other one."""
    given = [{"name": "cache"}, {"name": "queue", "use": "queue"}, {"name": "session", "use": "session", "maxmemory_mb": 64}]
    instances = planned(disk=GIB, instances=given)["redis"]["instances"]
    sizes = {name: values["maxmemory"] for name, values in instances.items()}
    assert sizes["cache"] == GIB
    assert sizes["session"] == 64 * MIB
    assert 224 * MIB <= sizes["queue"] <= (1024 * 3 // 5 // 2 - 64) * MIB


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (
            {"use": "queue", "maxmemory_mb": 400},
            "maxmemory_mb of redis is 400, but twice that does not fit into its share of the disk, 614 MB; lower it, or set "
            "persistent to false.",
        ),
        (
            {"instances": [{"name": name, "persistent": True, "maxmemory_mb": 200} for name in ("a", "b")]},
            "maxmemory_mb of redis instances a and b is 400, but twice that does not fit into its share of the disk, 614 MB; "
            "lower one, or set persistent to false.",
        ),
        ({"instances": [{"name": "a"}, {"name": "a"}]}, "name of a redis instance is 'a', but another has it too"),
        ({"instances": [{"name": "Shop-1"}]}, "name of a redis instance is 'Shop-1', but must be 1 to 31 lower-case letters"),
        ({"instances": ["cache"]}, "name of a redis instance is None, but must be"),
        ({"instances": "cache"}, "instances of redis is 'cache', but must be a list"),
        ({"instances": 0}, "instances of redis is 0, but must be a list"),
        ({"instances": [{"name": "a"}], "maxmemory_mb": 5}, "maxmemory_mb of redis is 5, but there are instances"),
        ({"instances": [{"name": "a", "use": "store"}]}, "use of redis instance a is 'store', but must be one of cache, s"),
        ({"instances": [{"name": "a", "max_memory_mb": 5}]}, "redis instance a has an unknown key 'max_memory_mb'; did you"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(inputs: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        planned(disk=GIB, **inputs)
