"""``make_plan`` and ``service_inputs``: examples. What holds on every host is in ``test_invariants.py``."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.lemp.stack.plugins.module_utils._plan.budget import Infeasible, fill, make_plan, service_inputs
from ansible_collections.lemp.stack.plugins.module_utils._plan.model import Cache
from ansible_collections.lemp.stack.plugins.module_utils._plan.units import GIB, MIB


def facts(memory_mb: int, cpus: float = 2, **capacity: Any) -> dict[str, Any]:
    return {"memtotal_mb": memory_mb, "processor_nproc": cpus, "lemp_capacity": capacity}


def pool(name: str = "shop", **inputs: Any) -> dict[str, Any]:
    return {"name": name, "worker_memory_mb": 48, **inputs}


def web(*pools: dict[str, Any]) -> dict[str, Any]:
    return {"nginx": {}, "php_fpm": {"pools": list(pools)}}


STACK = {**web(pool()), "mariadb": {}}


# What is planned


def test_no_services_are_charged_nothing() -> None:
    plan = make_plan(facts(2048), {})
    assert plan["budget"]["charged"] == 0
    assert plan["sysctl"] == {}


def test_a_small_virtual_machine_runs_the_whole_stack() -> None:
    plan = make_plan(facts(2048), STACK)
    assert plan["feasible"]
    assert plan["php_fpm"]["max_children"] >= 4
    assert plan["mariadb"]["innodb_buffer_pool_size"] >= 128 * MIB
    assert plan["nginx"]["worker_processes"] == 2


def test_the_smallest_raspberry_pi_runs_a_site_with_its_database() -> None:
    plan = make_plan(facts(950, 4, memory={"planned_bytes": 950 * MIB, "controller": False}), STACK)
    assert plan["php_fpm"]["max_children"] >= 2
    assert plan["mariadb"]["innodb_buffer_pool_size"] >= 64 * MIB


def test_all_six_services_share_one_host() -> None:
    plan = make_plan(facts(8192, 4), {**STACK, "postgresql": {}, "redis": {}, "memcached": {}})
    assert sorted(plan["services"]) == ["mariadb", "memcached", "nginx", "php_fpm", "postgresql", "redis"]


def test_a_pool_without_a_name_in_the_inputs_is_www() -> None:
    assert list(make_plan(facts(2048), {"php_fpm": {}})["php_fpm"]["pools"]) == ["www"]


def test_cpus_bound_the_workers_of_a_large_host() -> None:
    plan = make_plan(facts(262144, 4), web(pool()))
    assert plan["php_fpm"]["max_children"] == 32
    assert plan["explain"]["php_fpm.pools.shop.max_children"]["bound"] == "cpu"


def test_memory_bounds_the_workers_of_a_small_host() -> None:
    plan = make_plan(facts(2048, 4), web(pool(worker_memory_mb=64)))
    assert plan["explain"]["php_fpm.pools.shop.max_children"]["bound"] == "memory"


@pytest.mark.parametrize(("profile", "children"), [("balanced", 32), ("cpu", 16), ("io", 64), ("database", 16)])
def test_the_profile_says_how_many_workers_a_cpu_keeps_busy(profile: str, children: int) -> None:
    plan = make_plan(facts(262144, 4), {**web(pool()), "host": {"profile": profile}})
    assert plan["php_fpm"]["max_children"] == children


def test_a_host_for_the_database_gives_it_more() -> None:
    plain, database = (
        make_plan(facts(4096, 16), {**STACK, "host": {"profile": profile}}) for profile in ("balanced", "database")
    )
    assert database["mariadb"]["innodb_buffer_pool_size"] > plain["mariadb"]["innodb_buffer_pool_size"]


@pytest.mark.parametrize("memory_mb", [2048, 4096, 8192])
def test_workers_leave_databases_and_caches_half_of_what_is_free(memory_mb: int) -> None:
    plan = make_plan(facts(memory_mb, 16), {**web(pool(worker_memory_mb=40)), "mariadb": {}})
    assert plan["explain"]["php_fpm.pools.shop.max_children"]["bound"] == "memory"
    own = plan["php_fpm"]["max_children"] * 40 * MIB
    assert own <= 0.5 * plan["budget"]["available"]


def test_what_the_cpus_leave_of_php_goes_to_the_caches() -> None:
    few, many = (make_plan(facts(16384, cpus), STACK) for cpus in (1, 16))
    assert few["mariadb"]["innodb_buffer_pool_size"] > many["mariadb"]["innodb_buffer_pool_size"]


def test_data_that_fits_twice_leaves_the_rest_to_others() -> None:
    plan = make_plan(facts(16384), {**STACK, "mariadb": {"data_size_mb": 500}})
    assert plan["mariadb"]["innodb_buffer_pool_size"] <= 550 * MIB


def test_weight_decides_who_gets_the_workers() -> None:
    pools = make_plan(facts(65536, 8), web(pool("a", weight=3), pool("b", weight=1)))["php_fpm"]["pools"]
    assert (pools["a"]["max_children"], pools["b"]["max_children"]) == (48, 16)


def test_every_site_gets_a_second_worker_before_caches_grow() -> None:
    """An application that calls itself, as WordPress does for its cron jobs, waits forever for its only worker."""
    plan = make_plan(facts(2048, 4), {**web(*(pool(f"s{index}") for index in range(7))), "mariadb": {}})
    assert {values["max_children"] for values in plan["php_fpm"]["pools"].values()} == {2}


def test_a_pinned_worker_count_takes_none_from_the_others_by_weight() -> None:
    pools = make_plan(facts(65536, 2), web(pool("a", max_children=4), pool("b")))["php_fpm"]["pools"]
    assert (pools["a"]["max_children"], pools["b"]["max_children"]) == (4, 12)


def test_few_workers_start_on_demand_and_many_are_kept_spare() -> None:
    pools = make_plan(facts(65536, 4), web(pool("a", max_children=3), pool("b", max_children=8)))["php_fpm"]["pools"]
    assert pools["a"]["pm"] == "ondemand"
    assert "start_servers" not in pools["a"]
    assert pools["b"]["pm"] == "dynamic"


@pytest.mark.parametrize("versions", [["8.4"], ["8.2", "8.4"]])
def test_every_php_version_has_a_master_an_opcache_and_limits_of_its_own(versions: list[str]) -> None:
    pools = [pool(f"s{index}", version=version, max_children=1) for index, version in enumerate(versions)]
    plan = make_plan(facts(8192), {"php_fpm": {"pools": pools, "opcache_memory_mb": 200}})
    assert [unit for unit in plan["limits"] if unit.startswith("php_fpm")] == [f"php_fpm@{version}" for version in versions]
    parts = plan["services"]["php_fpm"]["parts"]
    assert parts["opcache"] == 200 * MIB * len(versions)
    assert parts["workers"] == 48 * MIB * len(versions)


def test_a_database_alone_serves_many_clients() -> None:
    assert make_plan(facts(16384), {"mariadb": {}})["mariadb"]["max_connections"] >= 150
    assert make_plan(facts(16384), {"postgresql": {}})["postgresql"]["max_connections"] >= 100


def test_beside_php_a_database_serves_its_workers_the_extra_clients_and_administrators() -> None:
    services = {**STACK, "mariadb": {"extra_clients": 20}, "postgresql": {"extra_clients": 5}}
    plan = make_plan(facts(16384, 4), services)
    assert plan["php_fpm"]["max_children"] == 32
    assert 52 < plan["mariadb"]["max_connections"] <= 52 + 16
    assert 37 < plan["postgresql"]["max_connections"] <= 37 + 16


def test_a_pinned_number_of_connections_is_planned_around() -> None:
    plan = make_plan(facts(2048, 4), {**web(pool()), "mariadb": {"max_connections": 100}})
    assert plan["mariadb"]["max_connections"] == 100
    assert plan["explain"]["mariadb.max_connections"]["bound"] == "user"


def test_too_few_pinned_connections_bound_the_workers_and_are_named() -> None:
    plan = make_plan(facts(8192, 8), {**web(pool()), "mariadb": {"max_connections": 20}})
    assert plan["php_fpm"]["max_children"] < 20
    assert plan["explain"]["php_fpm.pools.shop.max_children"]["bound"] == "mariadb"


def test_redis_pays_twice_for_what_it_writes_to_disk() -> None:
    cache, queue = (make_plan(facts(4096), {"redis": {"use": use, "maxmemory_mb": 400}}) for use in ("cache", "queue"))
    assert cache["services"]["redis"]["parts"]["data"] == 500 * MIB
    assert queue["services"]["redis"]["parts"]["data"] == 1000 * MIB


def test_numbers_from_the_command_line_arrive_as_text_and_are_understood() -> None:
    services = {**web(pool(worker_memory_mb="48", max_children="5", weight="2")), "redis": {"persistent": "yes"}}
    written = make_plan(facts(4096), {**services, "host": {"memory_mb": "4096", "cpus": "1.5"}})
    assert written["php_fpm"]["pools"]["shop"]["max_children"] == 5
    assert written["sysctl"]["vm.overcommit_memory"] == 1
    assert written["host"]["cpus"] == 1.5


@pytest.mark.parametrize("empty", [None, ""])
def test_an_empty_input_leaves_the_value_to_the_plan(empty: Any) -> None:
    services = {**web(pool()), "mariadb": {"max_connections": empty, "version": empty, "performance_schema": empty}}
    assert make_plan(facts(4096), services) == make_plan(facts(4096), STACK)


def test_the_performance_schema_is_charged_once_and_with_every_connection() -> None:
    off, on = (make_plan(facts(8192), {"mariadb": {"performance_schema": flag}}) for flag in (False, True))
    assert "performance schema" not in off["services"]["mariadb"]["parts"]
    assert on["services"]["mariadb"]["parts"]["performance schema"] >= 64 * MIB


def test_server_variables_of_the_users_own_are_charged() -> None:
    plan = make_plan(facts(8192), {"mariadb": {"settings": {"key-buffer-size": "1G"}}})
    assert plan["mariadb"]["key_buffer_size"] == GIB
    assert plan["services"]["mariadb"]["parts"]["own buffers"] > GIB


def test_a_warning_tells_how_to_turn_the_memory_controller_on() -> None:
    plan = make_plan(facts(4096, memory={"planned_bytes": 4 * GIB, "controller": False}), {"nginx": {}})
    assert any("cgroup_enable=memory" in warning for warning in plan["warnings"])


# What does not fit


def test_what_does_not_fit_names_shortfall_sizes_and_remedies() -> None:
    with pytest.raises(Infeasible) as caught:
        make_plan(facts(512), {**web(pool(worker_memory_mb=256)), "mariadb": {}})
    message = str(caught.value)
    assert message.startswith("the services need ")
    assert " MB more than the host has: 512 MB of memory, " in message
    assert " MB kept for the operating system, worst cases: mariadb " in message
    assert "1 PHP workers with their connections " in message
    assert "give the host " in message
    assert "lower php.worker_memory_mb by " in message
    assert caught.value.shortfall > 0


def test_pinned_workers_that_do_not_fit_are_to_be_lowered() -> None:
    with pytest.raises(Infeasible, match=r"lower php\.max_children of shop, or") as caught:
        make_plan(facts(2048), web(pool(max_children=60), pool("blog")))
    assert caught.value.remedies[0] == "lower php.max_children of shop"


def test_a_service_that_is_as_large_as_the_shortfall_may_move() -> None:
    with pytest.raises(Infeasible, match="move redis to a host of its own"):
        make_plan(facts(1024), {**web(pool()), "redis": {"maxmemory_mb": 600}})


def test_pinned_connections_below_the_least_workers_are_named() -> None:
    with pytest.raises(
        Infeasible, match=r"the connections pinned for redis leave 3 to PHP, whose pools have at least 5 work.*by 2"
    ):
        make_plan(facts(8192), {"php_fpm": {"pools": [pool(max_children=5)]}, "redis": {"maxclients": 3}})


def test_a_disk_that_is_too_small_for_any_database_is_named() -> None:
    disks = {"/var/lib/postgresql": {"kind": "sd", "size_bytes": 64 * MIB}}
    with pytest.raises(Infeasible, match=r"the disk of /var/lib/postgresql has 64 MB, .* give it 1 GB or more"):
        make_plan(facts(8192, disks=disks), {"postgresql": {}})


def test_an_infeasible_plan_is_a_value_error() -> None:
    assert issubclass(Infeasible, ValueError)


# What makes no sense


def test_an_unknown_service_is_named_with_the_known_ones() -> None:
    with pytest.raises(
        ValueError, match="names apache, but the plan knows nginx, php_fpm, mariadb, postgresql, redis, memcached"
    ):
        make_plan(facts(2048), {"apache": {}})


@pytest.mark.parametrize(
    ("service", "key", "hint"),
    [
        ("mariadb", "innodb_bufer_pool_size_mb", "did you mean innodb_buffer_pool_size_mb?"),
        ("postgresql", "shared_buffer_mb", "did you mean shared_buffers_mb?"),
        ("redis", "max_memory_mb", "did you mean maxmemory_mb?"),
        ("nginx", "zzz", "there are worker_processes, worker_connections, worker_rlimit_nofile."),
    ],
)
def test_an_unknown_key_names_the_nearest_or_all(service: str, key: str, hint: str) -> None:
    with pytest.raises(ValueError, match=f"{service} has an unknown key '{key}'") as caught:
        make_plan(facts(4096), {service: {key: 1}})
    assert str(caught.value).endswith(hint)


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        ({"php_fpm": {"pools": [pool(worker_memory_mb=0)]}}, "worker_memory_mb of pool shop is 0"),
        ({"php_fpm": {"pools": [pool(worker_memory_mb=-5)]}}, "worker_memory_mb of pool shop is -5"),
        ({"php_fpm": {"pools": [pool(worker_memory_mb="many")]}}, "worker_memory_mb of pool shop is 'many'"),
        ({"php_fpm": {"pools": [pool(worker_memory_mb=[1])]}}, "worker_memory_mb of pool shop is"),
        ({"php_fpm": {"pools": [pool(worker_memory_mb=48.5)]}}, "worker_memory_mb of pool shop is 48.5"),
        ({"php_fpm": {"pools": [pool(max_children=True)]}}, "max_children of pool shop is True"),
        ({"php_fpm": {"pools": [pool(max_children=-1)]}}, "max_children of pool shop is -1"),
        ({"php_fpm": {"pools": [pool(weight=-1)]}}, "weight of pool shop is -1"),
        ({"php_fpm": {"pools": [{"worker_memory_mb": 48}]}}, "a pool has no name"),
        ({"php_fpm": {"pools": ["shop"]}}, "a pool has no name"),
        ({"php_fpm": {"pools": [pool(), pool()]}}, "two pools are named shop"),
        ({"mariadb": {"max_connections": -1}}, "max_connections of mariadb is -1"),
        ({"mariadb": {"max_connections": "x"}}, "max_connections of mariadb is 'x'"),
        ({"mariadb": {"innodb_buffer_pool_size_mb": -64}}, "innodb_buffer_pool_size_mb of mariadb is -64"),
        ({"redis": {"maxclients": 10**9}}, "maxclients of redis is 1000000000"),
    ],
)
def test_an_impossible_input_is_named(inputs: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=r"must be a whole number|give each pool") as caught:
        make_plan(facts(4096), inputs)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        ({"redis": {"use": "store"}}, "use of redis is 'store', but must be one of cache, session, queue."),
        ({"redis": {"persistent": "maybe"}}, "persistent of redis is 'maybe', but must be true or false."),
        ({"mariadb": {"version": "eleven"}}, "version of mariadb is 'eleven', but must be a version such as 11.8."),
        ({"mariadb": {"settings": {"key_buffer_size": "much"}}}, "settings of mariadb: 'much' is no size of mariadb"),
        (
            {"mariadb": {"settings": {"tmp_table_size": "1G"}}},
            "settings of mariadb has tmp_table_size, which the plan computes",
        ),
        ({"postgresql": {"shared_buffers_mb": 2000}}, "shared_buffers_mb of postgresql is 2000, which is more than 40 %"),
        ({"nginx": {"worker_rlimit_nofile": 64}}, "worker_rlimit_nofile of nginx is 64, but "),
        ({"mariadb": {"max_connections": 20, "extra_clients": 30}}, "max_connections of mariadb is 20, but extra clients"),
        ({"redis": {"maxclients": 20, "extra_clients": 30}}, "maxclients of redis is 20, but extra clients"),
        (
            {"php_fpm": {"opcache_memory_mb": 16, "opcache_interned_strings_mb": 16}},
            "is 16, but is a part of opcache_memory_mb",
        ),
        (
            {"php_fpm": {"pools": [pool(request_terminate_timeout_seconds=10)]}},
            "request_terminate_timeout_seconds of pool shop is 10, which must exceed its max_execution_time_seconds (60)",
        ),
        ({"nginx": 7}, "lemp_services.nginx is 7, but must be a dictionary of that service's inputs."),
    ],
)
def test_inputs_that_contradict_something_are_named_with_what(inputs: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011  (the sentence is compared whole, not as a pattern)
        make_plan(facts(4096), inputs)
    assert sentence in str(caught.value)


def test_jit_code_must_be_within_reach_of_an_arm_processors_branches() -> None:
    services = {"php_fpm": {"jit_buffer_mb": 256}}
    assert make_plan(facts(8192, architecture="x86_64"), services)["opcache"]["jit_buffer_size_mb"] == 256
    with pytest.raises(ValueError, match=r"jit_buffer_mb of php_fpm is 256, but .* at most 128"):
        make_plan(facts(8192, architecture="aarch64"), services)


# Forms of the inputs


def test_service_names_are_read_from_role_names() -> None:
    assert service_inputs(["lemp.stack.nginx", "php_fpm", "lemp.stack.app", "other.role"], {}) == {"nginx": {}, "php_fpm": {}}


def test_what_is_installed_counts_beside_names_and_not_beside_a_mapping() -> None:
    assert service_inputs(["nginx"], {}, ["redis", "sshd"]) == {"nginx": {}, "redis": {}}
    assert service_inputs({"nginx": {}}, {}, ["redis"]) == {"nginx": {}}


def test_overrides_outrank_and_empty_ones_do_not() -> None:
    inputs = service_inputs(
        {"mariadb": {"max_connections": 10, "a": 1, "b": 2}},
        {"mariadb": {"max_connections": 20, "a": None, "b": "0"}, "nginx": {}},
    )
    assert inputs == {"mariadb": {"max_connections": 20, "a": 1, "b": 2}, "nginx": {}}


def test_a_flag_that_is_off_is_no_empty_override() -> None:
    assert service_inputs({"redis": {"persistent": True}}, {"redis": {"persistent": False}}) == {"redis": {"persistent": False}}


def test_services_given_as_a_mapping_are_left_alone() -> None:
    services: dict[str, Any] = {"mariadb": {"max_connections": 10}, "nginx": None}
    service_inputs(services, {"mariadb": {"max_connections": 20}})
    assert services == {"mariadb": {"max_connections": 10}, "nginx": None}


@pytest.mark.parametrize("services", ["nginx", 7, None])
def test_services_of_another_type_are_refused(services: Any) -> None:
    with pytest.raises(ValueError, match="must be a mapping of services to inputs, or a list of names"):
        service_inputs(services, {})


@pytest.mark.parametrize(("services", "overrides"), [({"nginx": 7}, {"nginx": {}}), ({"nginx": {}}, {"nginx": 7})])
def test_inputs_of_a_service_that_are_no_dictionary_are_refused(services: Any, overrides: Any) -> None:
    with pytest.raises(ValueError, match=r"lemp_services.nginx is 7, but must be a dictionary"):
        service_inputs(services, overrides)


@pytest.mark.parametrize("services", [{}, {"host": None}, {"nginx": None, "mariadb": {}}])
def test_services_may_be_named_without_inputs(services: dict[str, Any]) -> None:
    assert make_plan(facts(8192), services)["feasible"]


# Sharing what is left


def cache(floor: int = 10, cap: int = 1000, weight: int = 1, step: int = 1) -> Cache:
    return Cache(floor, cap, weight, step)


def test_caches_grow_by_weight_above_their_floors() -> None:
    assert fill({"a": cache(floor=16, weight=3), "b": cache(floor=16)}, 160, 160) == {"a": 112, "b": 48}


def test_what_a_full_cache_leaves_goes_to_the_others() -> None:
    assert fill({"a": cache(cap=20, weight=9), "b": cache()}, 100, 100)["b"] >= 76


def test_no_more_is_shared_out_than_caches_may_take_together() -> None:
    assert sum(fill({"a": cache(), "b": cache()}, 1000, 60).values()) <= 60


def test_floors_stand_even_where_nothing_is_left() -> None:
    assert fill({"a": cache(), "b": cache()}, 0, 0) == {"a": 10, "b": 10}


def test_a_size_is_rounded_to_a_thirty_second_so_that_small_changes_leave_it_alone() -> None:
    assert {cache(cap=10**6).size(charge) for charge in range(100000, 100500)} == {98304}
