"""``read_capacity``: what a host is taken to have, and what stays with the operating system."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.lemp.stack.plugins.module_utils._plan.capacity import Capacity, read_capacity
from ansible_collections.lemp.stack.plugins.module_utils._plan.units import GIB, MIB

FACTS = {"memtotal_mb": 2000, "processor_nproc": 2, "processor_vcpus": 8}


def test_facts_tell_memory_and_the_cpus_that_may_be_used() -> None:
    host = read_capacity(FACTS, {})
    assert (host.memory, host.cpus, host.memory_source) == (2000 * MIB, 2, "MemTotal")


def test_vcpus_are_read_where_nproc_is_missing() -> None:
    assert read_capacity({"memtotal_mb": 2000, "processor_vcpus": 8}, {}).cpus == 8


def test_what_was_measured_outranks_the_facts() -> None:
    measured = {
        "memory": {"planned_bytes": 512 * MIB, "limit_source": "memory.max", "controller": False},
        "cpus": {"effective": 1.5},
        "page_size": 16384,
        "huge_page_size": 32 * MIB,
        "architecture": "aarch64",
        "disks": {"/var/lib/mysql": {"kind": "sd", "device": "179:2", "size_bytes": 32 * GIB}},
    }
    host = read_capacity({**FACTS, "architecture": "x86_64", "lemp_capacity": measured}, {})
    assert (host.memory, host.memory_source, host.memory_controller) == (512 * MIB, "memory.max", False)
    assert (host.cpus, host.whole_cpus) == (1.5, 2)
    assert (host.page_size, host.huge_page_size, host.architecture) == (16384, 32 * MIB, "aarch64")
    assert host.disk("/var/lib/mysql").kind == "sd"
    assert host.disk("/var/lib/redis").kind == "unknown"


def test_pins_outrank_what_was_measured() -> None:
    measured = {"memory": {"planned_bytes": 4 * GIB}, "cpus": {"effective": 4}, "page_size": 4096}
    pins = {"memory_mb": 512, "cpus": 0.5, "page_size": 65536, "reserve_mb": 100, "architecture": "aarch64"}
    host = read_capacity({"lemp_capacity": measured}, pins)
    assert (host.memory, host.cpus, host.page_size, host.reserve) == (512 * MIB, 0.5, 65536, 100 * MIB)
    assert (host.memory_source, host.architecture) == ("lemp_host", "aarch64")


def test_a_pinned_disk_is_the_disk_of_all_data() -> None:
    host = read_capacity(FACTS, {"disk": "hdd", "disk_gb": 10})
    assert {(host.disk(path).kind, host.disk(path).size) for path in ("/var/lib/mysql", "/var/lib/redis")} == {
        ("hdd", 10 * GIB)
    }


def test_a_fraction_of_a_megabyte_is_bytes_and_of_a_cpu_a_quota() -> None:
    host = read_capacity({}, {"memory_mb": 512.5, "cpus": 2.9})
    assert (host.memory, host.cpus, host.whole_cpus) == (512 * MIB + MIB // 2, 2.9, 3)


@pytest.mark.parametrize(("text", "size"), [("2048", 2 * GIB), ("512.5", 512 * MIB + MIB // 2)])
def test_numbers_from_the_command_line_arrive_as_text(text: str, size: int) -> None:
    assert read_capacity({}, {"memory_mb": text, "cpus": "2"}).memory == size


@pytest.mark.parametrize("name", ["memory_mb", "cpus"])
def test_an_unknown_size_names_the_remedy(name: str) -> None:
    pins = {"memory_mb": 512, "cpus": 1}
    del pins[name]
    with pytest.raises(
        ValueError, match=f"the host's {name} is unknown: gather facts before the plan, or set lemp_host.{name}"
    ):
        read_capacity({}, pins)


@pytest.mark.parametrize("value", ["many", "-1", 0, -1, True, [], {}, float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["memory_mb", "cpus", "disk_gb"])
def test_an_impossible_size_is_named(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"lemp_host\.{name} is .*, but must be a number of at least"):
        read_capacity({}, {"memory_mb": 512, "cpus": 1, name: value})


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("profile", "fast", "lemp_host.profile is 'fast', but must be one of balanced, cpu, io, database."),
        ("disk", "tape", "lemp_host.disk is 'tape', but must be one of nvme, ssd, hdd, sd, tmpfs, unknown."),
        ("page_size", 5000, "lemp_host.page_size is 5000, but must be 4096, 16384 or 65536."),
        ("reserve_mb", 600, "lemp_host.reserve_mb is 600, but the host has only 512 MB; lower it."),
    ],
)
def test_a_pin_that_no_host_has_is_named_with_the_choices(name: str, value: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=r"^lemp_host\.") as caught:
        read_capacity({}, {"memory_mb": 512, "cpus": 1, name: value})
    assert str(caught.value) == sentence


def test_an_unknown_pin_is_named_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="lemp_host has an unknown key 'ram'; there are memory_mb, cpus, page_size"):
        read_capacity(FACTS, {"ram": 1})


@pytest.mark.parametrize("calibration", [[1], "x", {"php_fpm": []}])
def test_measurements_of_another_form_are_refused_or_empty(calibration: Any) -> None:
    facts = {**FACTS, "lemp_capacity": {"calibration": calibration}}
    if isinstance(calibration, dict):
        assert read_capacity(facts, {}).calibration == calibration
    else:
        with pytest.raises(ValueError, match=r"the calibration kept on the host is .*; measure it again"):
            read_capacity(facts, {})


# reserve-003 to reserve-010 of the tuning vectors: Google Kubernetes Engine, "Plan node sizes". Its flat 255 MiB below 1 GiB
# is not ours; reserve-001 adds an eviction threshold, which GKE keeps beside its reserve.
@pytest.mark.parametrize(
    ("memory_mb", "reserve_mb"),
    [
        (1024, 256),
        (2048, 512),
        (4096, 1024),
        (8192, 1843.2),
        (16384, 2662.4),
        (32768, 3645.44),
        (65536, 5611.52),
        (131072, 9543.68),
        (153600, 9.8577 * 1024 - 100),
    ],
)
def test_the_reserve_follows_the_published_ladder(memory_mb: int, reserve_mb: float) -> None:
    assert Capacity(memory=memory_mb * MIB, cpus=1).reserve / MIB == pytest.approx(reserve_mb, abs=0.06)


@pytest.mark.parametrize("memory_mb", [256, 512, 1024, 4096, 65536])
def test_more_is_kept_where_nothing_enforces_the_limits(memory_mb: int) -> None:
    on, off = (Capacity(memory_mb * MIB, 1, memory_controller=there).reserve for there in (True, False))
    assert on < off <= on + memory_mb * MIB // 20


memory = st.integers(128, 2**20)


@given(memory, st.booleans())
def test_the_reserve_leaves_at_least_half(memory_mb: int, controller: bool) -> None:
    assert 0 < Capacity(memory_mb * MIB, 1, memory_controller=controller).reserve <= memory_mb * MIB // 2


@given(memory, st.booleans())
def test_more_memory_never_leaves_less_to_services_nor_to_the_system(memory_mb: int, controller: bool) -> None:
    smaller, larger = (Capacity(size * MIB, 1, memory_controller=controller) for size in (memory_mb, memory_mb + 1))
    assert smaller.memory - smaller.reserve <= larger.memory - larger.reserve
    assert smaller.reserve <= larger.reserve


@pytest.mark.parametrize(("cpus", "whole"), [(0.5, 1), (1.0, 1), (1.5, 2), (2.5, 3), (0.01, 1)])
def test_a_quota_is_rounded_up_to_what_can_run_at_once(cpus: float, whole: int) -> None:
    assert Capacity(GIB, cpus).whole_cpus == whole


def test_the_same_host_with_more_memory_differs_in_nothing_else() -> None:
    host = Capacity(GIB, 2, page_size=16384, profile="io")
    assert host.enlarged(2 * GIB) == Capacity(2 * GIB, 2, page_size=16384, profile="io")
