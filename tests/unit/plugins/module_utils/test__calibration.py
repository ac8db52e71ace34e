"""What a measurement proposes: margins, the tenth within which nothing moves, and what is only said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.lemp.stack.plugins.module_utils._calibration import calibrate

MIB = 2**20
PLAN = {
    "php_fpm": {"pools": {"shop": {"worker_memory_mb": 80}}},
    "opcache": {"memory_consumption_mb": 112},
    "explain": {"opcache.max_accelerated_files": {"inputs": {"php_files": 6000}}},
    "services": {"nginx": {"charge": 30 * MIB}, "php_fpm": {"charge": 500 * MIB}},
}


def pool(p95_mb: float, workers: int = 4, requests: int | None = 50, **status: int) -> dict[str, Any]:
    return {
        "workers": workers,
        "requests": requests,
        "worker_bytes": {"median": MIB, "p95": int(p95_mb * MIB), "max": 999 * MIB},
        "status": {"accepted_connections": 500, "max_children_reached": 0, **status},
    }


def opcache(used_mb: int, scripts: int = 6000, wasted_mb: int = 0, **restarts: int) -> dict[str, int]:
    return {"used_bytes": used_mb * MIB, "wasted_bytes": wasted_mb * MIB, "cached_scripts": scripts, **restarts}


def usage(shop: Any = None, cache: Any = None, **others: Any) -> dict[str, Any]:
    return {"php_fpm": {"pools": {"shop": shop} if shop else {}, "opcache": cache}, **others}


def proposed(measured: Mapping[str, Any], current: Any = None) -> Any:
    return calibrate(measured, PLAN, current)["proposed"].get("php_fpm", {})


def test_a_worker_is_planned_with_a_tenth_more_than_measured() -> None:
    found = calibrate(usage(pool(51.2)), PLAN, {})
    assert found["proposed"] == {"php_fpm": {"pools": {"shop": {"worker_memory_mb": 57}}}}
    assert found["lines"] == ["Pool shop: 95 of 100 workers take at most 51.2 MB; plan with 57 MB each instead of 80 MB."]


@pytest.mark.parametrize(("p95_mb", "news"), [(65, False), (64, True), (80, False), (80.1, True)])
def test_within_a_tenth_of_what_holds_nothing_moves(p95_mb: float, news: bool) -> None:
    assert bool(proposed(usage(pool(p95_mb)))) is news


def test_what_is_kept_already_holds_before_what_the_plan_could_grant() -> None:
    kept = {"php_fpm": {"pools": {"shop": {"worker_memory_mb": 57}}, "opcache_memory_mb": 200, "php_files": 4100}}
    assert proposed(usage(pool(51.2), opcache(160, 4000)), kept) == {}


@given(st.floats(1, 4000), st.integers(1, 3000), st.integers(1, 500), st.integers(1, 10**6))
def test_the_same_measurement_proposes_once(p95_mb: float, used_mb: int, wasted_mb: int, scripts: int) -> None:
    measured = usage(pool(p95_mb), opcache(used_mb, scripts, wasted_mb))
    once = calibrate(measured, PLAN, {})["proposed"]
    kept = {"php_fpm": {"pools": {"shop": {"worker_memory_mb": 80}}, "opcache_memory_mb": 112, "php_files": 6000}}
    kept["php_fpm"].update(once.get("php_fpm", {}))
    assert calibrate(measured, PLAN, kept)["proposed"] == {}


@pytest.mark.parametrize("shop", [pool(51.2, workers=1), {"workers": 4}, {}])
def test_too_few_workers_propose_nothing_and_say_so(shop: Any) -> None:
    found = calibrate({"php_fpm": {"pools": {"shop": shop}}}, PLAN)
    assert found["proposed"] == {}
    assert "which says too little" in found["lines"][0]


@pytest.mark.parametrize("shop", [pool(9, requests=0), pool(9, requests=None, accepted_connections=2)])
def test_a_pool_without_traffic_proposes_nothing_and_says_so(shop: Any) -> None:
    found = calibrate(usage(shop), PLAN)
    assert found["proposed"] == {}
    assert found["lines"] == ["Pool shop had no traffic; measure again while visitors come."]


def test_a_pool_whose_status_is_unknown_is_judged_by_its_workers() -> None:
    assert proposed(usage({**pool(51.2, requests=None), "status": None})) == {"pools": {"shop": {"worker_memory_mb": 57}}}


def test_a_pool_that_is_not_planned_is_not_judged() -> None:
    found = calibrate({"php_fpm": {"pools": {"www": pool(51.2)}}}, PLAN)
    assert (found["proposed"], found["lines"]) == ({}, ["Pool www is not in the plan; it is not judged."])


def test_busy_workers_are_said() -> None:
    assert "all workers were busy 7 times" in calibrate(usage(pool(73, max_children_reached=7)), PLAN)["lines"][0]


@pytest.mark.parametrize(
    ("used_mb", "wasted_mb", "megabytes"),
    [(60, 10, 88), (82, 0, None), (100, 0, None), (101, 0, 128), (1, 0, 32), (9000, 0, 4096)],
)
def test_opcache_is_planned_with_a_fifth_more_in_whole_steps(used_mb: int, wasted_mb: int, megabytes: int | None) -> None:
    assert proposed(usage(cache=opcache(used_mb, wasted_mb=wasted_mb))).get("opcache_memory_mb") == megabytes


@pytest.mark.parametrize(("scripts", "files"), [(5400, None), (5399, 5399), (6600, None), (6601, 6601), (0, None)])
def test_files_are_those_that_opcache_holds(scripts: int, files: int | None) -> None:
    assert proposed(usage(cache=opcache(90, scripts))).get("php_files") == files


@pytest.mark.parametrize("shop", [pool(73, requests=0), pool(73)])
@pytest.mark.parametrize("restarts", [{}, {"oom_restarts": 2}, {"hash_restarts": 1}])
def test_opcache_shrinks_only_after_it_saw_all_sites_and_never_ran_full(shop: Any, restarts: dict[str, int]) -> None:
    is_whole = shop["requests"] > 0 and not restarts
    found = calibrate(usage(shop, opcache(20, 300, **restarts)), PLAN)
    assert ("php_fpm" in found["proposed"]) is is_whole
    assert any("emptied itself" in line for line in found["lines"]) is bool(restarts)
    grown = proposed(usage(shop, opcache(200, 9000, **restarts)))
    assert grown == {"opcache_memory_mb": 240, "php_files": 9000}


def test_all_masters_of_php_count_together_and_more_than_the_charge_is_a_warning() -> None:
    units = {
        "php8.3-fpm.service": {"peak_working_bytes": 300 * MIB},
        "php8.4-fpm.service": {"peak_working_bytes": 201 * MIB},
        "nginx.service": {"peak_working_bytes": 30 * MIB},
        "mariadb.service": {"peak_working_bytes": None},
        "sshd.service": {"peak_working_bytes": 9 * MIB},
    }
    found = calibrate(usage(units=units), PLAN)
    assert len(found["warnings"]) == 1
    assert found["warnings"][0].startswith("php_fpm took 501.0 MB, but the plan charges 500.0 MB for it;")
    assert "nginx took at most 30.0 MB of the 30.0 MB that the plan charges for it." in found["lines"]


def test_connections_of_mariadb_are_said() -> None:
    found = calibrate({"mariadb": {"max_used_connections": 7, "max_connections": 21}}, PLAN)
    assert found["lines"] == ["mariadb had at most 7 of 21 connections since it started."]


@pytest.mark.parametrize("measured", [{}, {"php_fpm": None, "units": None, "mariadb": None}, {"php_fpm": {"opcache": {}}}])
@pytest.mark.parametrize("plan", [PLAN, {}])
def test_what_is_missing_says_nothing(measured: Any, plan: Any) -> None:
    assert calibrate(measured, plan, None) == {"proposed": {}, "lines": [], "warnings": []}


def test_without_a_planned_opcache_the_measurement_is_proposed() -> None:
    found = calibrate(usage(cache=opcache(60, 300)), {})
    assert found["proposed"] == {"php_fpm": {"opcache_memory_mb": 72, "php_files": 300}}


@pytest.mark.parametrize("given", [([], {}, {}), ({}, "plan", {}), ({}, {}, ["kept"])])
def test_what_is_no_dictionary_is_an_error(given: tuple[Any, Any, Any]) -> None:
    with pytest.raises(ValueError, match="must be a dictionary"):
        calibrate(*given)
