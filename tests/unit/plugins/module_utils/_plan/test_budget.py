"""``make_plan``: examples of plans, and the invariants that every plan keeps on every host."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.lemp.stack.plugins.module_utils._plan import budget
from ansible_collections.lemp.stack.plugins.module_utils._plan.budget import Infeasible, make_plan, service_inputs
from ansible_collections.lemp.stack.plugins.module_utils._plan.capacity import MIB

ADMIN_CONNECTIONS = 8
POOL_FLOOR = 64 * MIB
POOL_UNIT = 8 * MIB


def facts(memory_mb: int, cpus: int = 2) -> dict[str, int]:
    return {"memtotal_mb": memory_mb, "processor_nproc": cpus}


def pool(name: str = "shop", **inputs: Any) -> dict[str, Any]:
    return {"name": name, "worker_memory_mb": 48, **inputs}


def web(*pools: dict[str, Any]) -> dict[str, Any]:
    return {"nginx": {}, "php_fpm": {"pools": list(pools)}}


STACK = {**web(pool()), "mariadb": {}}


def test_no_services_are_charged_nothing() -> None:
    assert make_plan(facts(2048), {})["budget"]["charged"] == 0


def test_a_small_virtual_machine_runs_the_whole_stack() -> None:
    plan = make_plan(facts(2048), STACK)
    assert plan["feasible"]
    assert plan["php_fpm"]["max_children"] >= 4
    assert plan["mariadb"]["innodb_buffer_pool_size"] >= 128 * MIB
    assert plan["nginx"]["worker_processes"] == 2


def test_only_the_named_services_are_planned() -> None:
    plan = make_plan(facts(2048), {"nginx": {}})
    assert set(plan["services"]) == {"nginx"}
    assert not {"mariadb", "php_fpm", "opcache"} & set(plan)


def test_a_pool_without_a_name_in_the_inputs_is_www() -> None:
    assert list(make_plan(facts(2048), {"php_fpm": {}})["php_fpm"]["pools"]) == ["www"]


def test_cpus_bound_the_workers_of_a_large_host() -> None:
    plan = make_plan(facts(262144, cpus=4), web(pool()))
    assert plan["php_fpm"]["max_children"] == 32
    assert plan["explain"]["php_fpm.pools.shop.max_children"]["bound"] == "cpu"


def test_memory_bounds_the_workers_of_a_small_host() -> None:
    plan = make_plan(facts(2048, cpus=4), web(pool(worker_memory_mb=64)))
    assert plan["explain"]["php_fpm.pools.shop.max_children"]["bound"] == "memory"


@pytest.mark.parametrize("memory_mb", [2048, 4096, 8192])
def test_workers_leave_the_database_half_of_what_is_free(memory_mb: int) -> None:
    plan = make_plan(facts(memory_mb, cpus=16), {**web(pool(worker_memory_mb=40)), "mariadb": {}})
    assert plan["explain"]["php_fpm.pools.shop.max_children"]["bound"] == "memory"
    shared = plan["budget"]["available"] - plan["services"]["nginx"]["charge"]
    assert plan["services"]["mariadb"]["charge"] >= 0.45 * shared


def test_on_no_small_host_does_the_buffer_pool_fall_below_its_floor() -> None:
    plans = [planned(size, 1, {"mariadb": {}, "nginx": {}}) for size in range(256, 1024)]
    assert None in plans
    assert min(plan["mariadb"]["innodb_buffer_pool_size"] for plan in plans if plan) == POOL_FLOOR


def test_on_no_small_host_do_workers_crowd_out_the_administrators_connections() -> None:
    services = {**web(pool(worker_memory_mb=4)), "mariadb": {}}
    least = {**web(pool(worker_memory_mb=4, max_children=1)), "mariadb": {}}
    feasible = [(planned(size, 64, services) is not None, planned(size, 64, least) is not None) for size in range(256, 1600)]
    assert {True, False} == {is_feasible for is_feasible, _ in feasible}
    assert [pair for pair in feasible if pair[0] != pair[1]] == []


def test_weight_decides_who_gets_the_workers() -> None:
    pools = make_plan(facts(65536, cpus=8), web(pool("a", weight=3), pool("b", weight=1)))["php_fpm"]["pools"]
    assert (pools["a"]["max_children"], pools["b"]["max_children"]) == (48, 16)


def test_equal_pools_differ_by_at_most_one_worker() -> None:
    pools = make_plan(facts(65536, cpus=3), web(*(pool(f"s{index}") for index in range(5))))["php_fpm"]["pools"]
    counts = [values["max_children"] for values in pools.values()]
    assert max(counts) - min(counts) <= 1


def test_a_database_alone_serves_many_clients() -> None:
    assert make_plan(facts(16384), {"mariadb": {}})["mariadb"]["max_connections"] == 150


def test_what_does_not_fit_names_shortfall_sizes_and_remedies() -> None:
    with pytest.raises(Infeasible) as caught:
        make_plan(facts(512), {**web(pool(worker_memory_mb=256)), "mariadb": {}})
    message = str(caught.value)
    assert message.startswith("the services need ")
    assert " MB more than the host has: 512 MB of memory, 255 MB kept for the operating system" in message
    assert "mariadb " in message
    assert "give the host more memory" in message
    assert "lower php.worker_memory_mb" in message


def test_an_unknown_service_is_named_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="names apache, but the plan knows nginx, php_fpm, mariadb and host"):
        make_plan(facts(2048), {"apache": {}})


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        ({"php_fpm": {"pools": [pool(worker_memory_mb=0)]}}, "worker_memory_mb of pool shop is 0"),
        ({"php_fpm": {"pools": [pool(worker_memory_mb=-5)]}}, "worker_memory_mb of pool shop is -5"),
        ({"php_fpm": {"pools": [pool(worker_memory_mb="many")]}}, "worker_memory_mb of pool shop is 'many'"),
        ({"php_fpm": {"pools": [pool(worker_memory_mb=[1])]}}, "worker_memory_mb of pool shop is"),
        ({"php_fpm": {"pools": [pool(max_children=-1)]}}, "max_children of pool shop is -1"),
        ({"php_fpm": {"pools": [pool(weight=-1)]}}, "weight of pool shop is -1"),
        ({"php_fpm": {"pools": [{"worker_memory_mb": 48}]}}, "a pool has no name"),
        ({"php_fpm": {"pools": ["shop"]}}, "a pool has no name"),
        ({"php_fpm": {"pools": [pool(), pool()]}}, "two pools are named shop"),
        ({"mariadb": {"max_connections": -1}}, "max_connections of mariadb is -1"),
        ({"mariadb": {"max_connections": "x"}}, "max_connections of mariadb is 'x'"),
        ({"mariadb": {"innodb_buffer_pool_size_mb": -64}}, "innodb_buffer_pool_size_mb of mariadb is -64"),
    ],
)
def test_an_impossible_input_is_named(inputs: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=r"must be a whole number|give each pool") as caught:
        make_plan(facts(4096), inputs)
    assert sentence in str(caught.value)


def test_numbers_from_the_command_line_arrive_as_text_and_are_understood() -> None:
    written = make_plan(facts(4096), web(pool(worker_memory_mb="48", max_children="5", weight="2")))
    assert written["php_fpm"]["pools"]["shop"]["max_children"] == 5


def test_a_pinned_number_of_connections_is_planned_around() -> None:
    services = {**web(pool()), "mariadb": {"max_connections": 100}}
    plan = make_plan(facts(2048, cpus=4), services)
    assert plan["mariadb"]["max_connections"] == 100
    assert plan["budget"]["charged"] <= plan["budget"]["available"]


def test_too_few_pinned_connections_bound_the_workers() -> None:
    plan = make_plan(facts(8192, cpus=8), {**web(pool()), "mariadb": {"max_connections": 20}})
    assert plan["php_fpm"]["max_children"] + ADMIN_CONNECTIONS <= 20


def test_service_names_are_read_from_role_names() -> None:
    assert service_inputs(["lemp.stack.nginx", "php_fpm", "lemp.stack.app", "other.role"], {}) == {"nginx": {}, "php_fpm": {}}


def test_overrides_outrank_and_empty_ones_do_not() -> None:
    inputs = service_inputs(
        {"mariadb": {"max_connections": 10, "a": 1}}, {"mariadb": {"max_connections": 20, "a": None}, "nginx": {}}
    )
    assert inputs == {"mariadb": {"max_connections": 20, "a": 1}, "nginx": {}}


def test_services_given_as_a_mapping_are_left_alone() -> None:
    services: dict[str, Any] = {"mariadb": {"max_connections": 10}, "nginx": None}
    service_inputs(services, {"mariadb": {"max_connections": 20}})
    assert services == {"mariadb": {"max_connections": 10}, "nginx": None}


@pytest.mark.parametrize("services", ["nginx", 7, None])
def test_services_of_another_type_are_refused(services: Any) -> None:
    with pytest.raises(ValueError, match="must be a mapping of services to inputs, or a list of names"):
        service_inputs(services, {})


# Invariants. Hosts from 256 MB to 1 TB and from 1 to 256 CPUs, any set of services, up to 60 pools.

memory = st.one_of(
    st.integers(256, 4096), st.integers(4096, 2**20), st.sampled_from([256, 512, 1023, 1024, 2048, 8191, 8192, 2**20])
)
cpus = st.one_of(st.integers(1, 8), st.integers(1, 256))
pools = st.lists(
    st.fixed_dictionaries(
        {"worker_memory_mb": st.integers(4, 512), "weight": st.integers(1, 20)},
        optional={"max_children": st.integers(1, 60)},
    ),
    max_size=60,
).map(lambda items: [{"name": f"site{index}", **item} for index, item in enumerate(items)])
service_sets = st.fixed_dictionaries(
    {},
    optional={
        "nginx": st.just({}),
        "php_fpm": pools.map(lambda items: {"pools": items}),
        "mariadb": st.fixed_dictionaries(
            {}, optional={"max_connections": st.integers(1, 400), "innodb_buffer_pool_size_mb": st.integers(1, 4096)}
        ),
    },
)
Services = Mapping[str, Any]


def planned(memory_mb: int, cpu_count: int, services: Services) -> dict[str, Any] | None:
    """The plan, or None where the services do not fit; any other exception fails the test."""
    try:
        return make_plan(facts(memory_mb, cpu_count), services)
    except Infeasible:
        return None


@given(memory, cpus, service_sets)
def test_worst_cases_and_reserve_fit_into_the_memory(memory_mb: int, cpu_count: int, services: Services) -> None:
    plan = planned(memory_mb, cpu_count, services)
    if plan:
        charges = sum(service["charge"] for service in plan["services"].values())
        assert charges == plan["budget"]["charged"]
        assert charges + plan["budget"]["reserve"] <= plan["budget"]["total"] == memory_mb * MIB


@given(memory, cpus, service_sets)
def test_charges_cover_what_the_values_allow_to_be_used(memory_mb: int, cpu_count: int, services: Services) -> None:
    plan = planned(memory_mb, cpu_count, services)
    if not plan:
        return
    if "php_fpm" in plan:
        sizes = {item["name"]: item["worker_memory_mb"] for item in services["php_fpm"]["pools"]} or {"www": 48}
        workers = sum(values["max_children"] * sizes[name] * MIB for name, values in plan["php_fpm"]["pools"].items())
        assert workers + plan["opcache"]["memory_consumption_mb"] * MIB < plan["services"]["php_fpm"]["charge"]
    if "mariadb" in plan:
        values = plan["mariadb"]
        buffers = (
            "sort_buffer_size",
            "join_buffer_size",
            "read_buffer_size",
            "read_rnd_buffer_size",
            "thread_stack",
            "binlog_cache_size",
        )
        thread = sum(values[name] for name in buffers) + values["tmp_table_size"]
        worst = int(values["innodb_buffer_pool_size"] * 1.1) + values["max_connections"] * thread
        assert worst < plan["services"]["mariadb"]["charge"]


@given(memory, cpus, service_sets)
def test_same_inputs_give_the_same_plan_and_are_left_alone(memory_mb: int, cpu_count: int, services: Services) -> None:
    before = json.dumps(services)
    first = planned(memory_mb, cpu_count, services)
    assert json.dumps(first) == json.dumps(planned(memory_mb, cpu_count, services))
    assert json.dumps(services) == before


@given(memory, cpus, service_sets)
def test_php_fpm_accepts_the_workers_of_every_pool(memory_mb: int, cpu_count: int, services: Services) -> None:
    plan = planned(memory_mb, cpu_count, services)
    if not plan or "php_fpm" not in plan:
        return
    for values in plan["php_fpm"]["pools"].values():
        assert values["max_children"] >= 1
        if values["pm"] == "dynamic":
            start = values["start_servers"]
            assert 0 < values["min_spare_servers"] <= start <= values["max_spare_servers"] <= values["max_children"]
        else:
            assert values["pm"] == "ondemand"
    assert sum(values["max_children"] for values in plan["php_fpm"]["pools"].values()) == plan["php_fpm"]["process_max"]


@given(memory, cpus, service_sets)
def test_cpus_bound_the_workers_that_nobody_pinned(memory_mb: int, cpu_count: int, services: Services) -> None:
    plan = planned(memory_mb, cpu_count, services)
    if plan and "php_fpm" in plan:
        items = services["php_fpm"]["pools"] or [{"name": "www"}]
        needed = sum(item.get("max_children") or 1 for item in items)
        assert plan["php_fpm"]["max_children"] <= max(needed, 8 * cpu_count)


@given(memory, cpus, service_sets)
def test_every_worker_finds_a_database_connection_and_an_administrator_too(
    memory_mb: int, cpu_count: int, services: Services
) -> None:
    plan = planned(memory_mb, cpu_count, services)
    if plan and "php_fpm" in plan and "mariadb" in plan and not services["mariadb"].get("max_connections"):
        assert plan["mariadb"]["max_connections"] >= plan["php_fpm"]["max_children"] + ADMIN_CONNECTIONS


@given(memory, cpus, service_sets)
def test_pins_are_honoured(memory_mb: int, cpu_count: int, services: Services) -> None:
    plan = planned(memory_mb, cpu_count, services)
    if not plan:
        return
    if "php_fpm" in plan:
        for item in services["php_fpm"]["pools"]:
            if item.get("max_children"):
                assert plan["php_fpm"]["pools"][item["name"]]["max_children"] == item["max_children"]
    if "mariadb" in plan:
        given_values = services["mariadb"]
        if given_values.get("max_connections"):
            assert plan["mariadb"]["max_connections"] == given_values["max_connections"]
        if given_values.get("innodb_buffer_pool_size_mb"):
            assert plan["mariadb"]["innodb_buffer_pool_size"] == given_values["innodb_buffer_pool_size_mb"] * MIB


@given(memory, cpus, service_sets)
def test_the_buffer_pool_is_whole_units_above_its_floor(memory_mb: int, cpu_count: int, services: Services) -> None:
    plan = planned(memory_mb, cpu_count, services)
    if plan and "mariadb" in plan and not services["mariadb"].get("innodb_buffer_pool_size_mb"):
        size = plan["mariadb"]["innodb_buffer_pool_size"]
        assert size >= POOL_FLOOR
        assert size % POOL_UNIT == 0


@given(memory, cpus, service_sets)
def test_every_number_is_whole_and_positive(memory_mb: int, cpu_count: int, services: Services) -> None:
    plan = planned(memory_mb, cpu_count, services)
    for section in ("nginx", "opcache", "mariadb"):
        for key, value in ((plan or {}).get(section) or {}).items():
            assert type(value) is int, f"{section}.{key}"
            assert value > 0, f"{section}.{key}"


@given(memory, cpus, service_sets)
def test_nginx_may_open_two_files_per_connection(memory_mb: int, cpu_count: int, services: Services) -> None:
    plan = planned(memory_mb, cpu_count, services)
    if plan and "nginx" in plan:
        assert plan["nginx"]["worker_rlimit_nofile"] >= 2 * plan["nginx"]["worker_connections"] + 64
        assert plan["nginx"]["worker_processes"] == cpu_count


@given(memory, cpus, service_sets)
def test_opcache_keeps_most_of_its_memory_for_code(memory_mb: int, cpu_count: int, services: Services) -> None:
    plan = planned(memory_mb, cpu_count, services)
    if plan and "php_fpm" in plan:
        assert 8 <= plan["opcache"]["interned_strings_buffer_mb"] * 4 <= plan["opcache"]["memory_consumption_mb"]


@given(memory, cpus, service_sets)
def test_every_explanation_states_the_value_that_is_used(memory_mb: int, cpu_count: int, services: Services) -> None:
    plan = planned(memory_mb, cpu_count, services)
    for key, explanation in (plan or {}).get("explain", {}).items():
        value: Any = plan
        for part in key.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        assert value is None or value == explanation["value"], key
        assert explanation["bound"] in ("memory", "cpu", "user", "default", "php_fpm", "mariadb"), key
        assert explanation["formula"], key


@given(memory, cpus, service_sets, st.sampled_from([1, 2, 64, 1024]))
def test_more_memory_never_makes_a_plan_impossible(memory_mb: int, cpu_count: int, services: Services, more_mb: int) -> None:
    if planned(memory_mb, cpu_count, services):
        assert planned(memory_mb + more_mb, cpu_count, services)


@given(memory, cpus, service_sets)
def test_a_plan_that_fails_states_a_shortfall(memory_mb: int, cpu_count: int, services: Services) -> None:
    if planned(memory_mb, cpu_count, services) is None:
        with pytest.raises(Infeasible, match=r"^the services need [1-9]\d* MB more than the host has: "):
            make_plan(facts(memory_mb, cpu_count), services)


@given(memory, cpus, st.lists(st.sampled_from(["", "8.2", "8.4"]), min_size=1, max_size=6))
def test_every_php_version_is_charged_a_master_and_an_opcache_of_its_own(
    memory_mb: int, cpu_count: int, versions: list[str]
) -> None:
    services = {
        "php_fpm": {"pools": [pool(f"s{index}", version=version, max_children=1) for index, version in enumerate(versions)]}
    }
    plan = planned(memory_mb, cpu_count, services)
    if plan:
        workers = len(versions) * 48 * MIB
        shared = len(set(versions)) * plan["opcache"]["memory_consumption_mb"] * MIB
        assert plan["services"]["php_fpm"]["charge"] >= workers + shared


@given(memory, cpus, service_sets, st.sampled_from([1, 2, 64, 1024]))
def test_more_memory_never_leaves_more_unused(memory_mb: int, cpu_count: int, services: Services, more_mb: int) -> None:
    """A database takes what is left, so what is charged follows the memory; without one it may fall by a worker's price."""
    smaller, larger = planned(memory_mb, cpu_count, services), planned(memory_mb + more_mb, cpu_count, services)
    if smaller and larger and "mariadb" in smaller:
        slack = int(POOL_UNIT * 1.1) + 1
        assert larger["budget"]["charged"] >= smaller["budget"]["charged"] - slack


@given(memory, cpus, service_sets)
def test_a_plan_fails_only_where_not_even_one_worker_per_pool_fits(memory_mb: int, cpu_count: int, services: Services) -> None:
    if planned(memory_mb, cpu_count, services):
        return
    least = dict(services)
    if "php_fpm" in least:
        items = least["php_fpm"]["pools"] or [{"name": "www"}]
        least["php_fpm"] = {"pools": [{**item, "max_children": item.get("max_children") or 1} for item in items]}
    assert planned(memory_mb, cpu_count, least) is None


@given(st.dictionaries(st.sampled_from(["nginx", "php_fpm", "mariadb", "host"]), st.none() | st.just({})))
def test_services_may_be_named_without_inputs(services: Services) -> None:
    assert make_plan(facts(8192), services)["feasible"]


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(
    st.sampled_from(["worker_memory_mb", "weight", "max_children", "name"]),
    st.sampled_from(["max_connections", "innodb_buffer_pool_size_mb"]),
    junk,
)
def test_junk_inputs_raise_nothing_but_value_errors(pool_key: str, database_key: str, value: Any) -> None:
    for services in (web(pool(**{pool_key: value})), {"mariadb": {database_key: value}}, {"host": {"memory_mb": value}}):
        with suppress(ValueError):
            make_plan(facts(4096), services)


def test_an_infeasible_plan_is_a_value_error() -> None:
    assert issubclass(budget.Infeasible, ValueError)
