"""PHP-FPM and OPcache: hash sizes, files of all pools, measured values."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.lemp.stack.plugins.module_utils._plan.budget import make_plan
from ansible_collections.lemp.stack.plugins.module_utils._plan.php_fpm import HASH_SIZES, hash_size


def planned(memory_mb: int, php_fpm: dict[str, Any], measured: dict[str, Any] | None = None) -> dict[str, Any]:
    facts = {"memtotal_mb": memory_mb, "processor_nproc": 2, "lemp_capacity": {"calibration": {"php_fpm": measured or {}}}}
    return make_plan(facts, {"php_fpm": php_fpm})


# opcache-003 to opcache-013 of the tuning vectors: php-src, ext/opcache/zend_accelerator_hash.c. PHP has three smaller sizes
# (opcache-001), which no application fits in.
@pytest.mark.parametrize(
    ("files", "slots"),
    [
        (2000, 3907),
        (4000, 7963),
        (7963, 7963),
        (10000, 16229),
        (16229, 16229),
        (20000, 32531),
        (65536, 130987),
        (1000000, 1048793),
        (2000000, 1048793),
    ],
)
def test_opcache_makes_as_many_slots_as_php_src_says(files: int, slots: int) -> None:
    assert hash_size(files) == slots


@given(st.integers(0, HASH_SIZES[-1]))
def test_slots_are_the_next_size_and_no_larger_one(files: int) -> None:
    assert hash_size(files) >= files
    assert all(size < files for size in HASH_SIZES if size < hash_size(files))


def test_files_of_pools_with_one_master_are_added_up_and_of_others_not() -> None:
    drupal = [{"name": name, "application": "drupal", "max_children": 1} for name in ("a", "b")]
    together = planned(8192, {"pools": drupal})["opcache"]["max_accelerated_files"]
    apart = planned(8192, {"pools": [{**pool, "version": name} for pool, name in zip(drupal, ("8.2", "8.4"))]})
    assert together == 32531
    assert apart["opcache"]["max_accelerated_files"] == 16229


def test_measured_files_and_memory_outrank_the_guess() -> None:
    measured = {"php_files": 30000, "opcache_memory_mb": 150}
    plan = planned(16384, {"pools": [{"name": "www", "application": "wordpress"}]}, measured)
    assert plan["opcache"]["max_accelerated_files"] == 65407
    assert plan["opcache"]["memory_consumption_mb"] == 152
    assert plan["explain"]["opcache.memory_consumption_mb"]["bound"] == "calibration"


def test_a_measured_worker_says_that_it_was_measured() -> None:
    plan = planned(4096, {}, {"pools": {"www": {"worker_memory_mb": 21}}})
    assert plan["php_fpm"]["pools"]["www"]["worker_memory_mb"] == 21
    assert plan["explain"]["php_fpm.pools.www.worker_memory_mb"]["bound"] == "calibration"


def test_opcache_grows_to_what_the_applications_need_where_memory_allows() -> None:
    pools = [{"name": "shop", "application": "magento", "max_children": 1}]
    small, large = (planned(size, {"pools": pools}) for size in (1024, 32768))
    assert small["opcache"]["memory_consumption_mb"] < large["opcache"]["memory_consumption_mb"] == 528
    assert small["explain"]["opcache.memory_consumption_mb"]["bound"] == "memory"
    assert large["explain"]["opcache.memory_consumption_mb"]["bound"] == "application"


def test_php_is_never_given_more_files_than_it_takes() -> None:
    pools = [{"name": f"shop{index}", "application": "magento", "max_children": 1} for index in range(20)]
    assert planned(65536, {"pools": pools})["opcache"]["max_accelerated_files"] == 1000000


@pytest.mark.parametrize(("children", "spare"), [(4, (1, 1, 2)), (8, (2, 1, 4)), (20, (5, 2, 10)), (100, (25, 12, 50))])
def test_spare_workers_follow_the_number_of_workers(children: int, spare: tuple[int, int, int]) -> None:
    values = planned(65536, {"pools": [{"name": "www", "max_children": children}]})["php_fpm"]["pools"]["www"]
    assert (values["start_servers"], values["min_spare_servers"], values["max_spare_servers"]) == spare
