"""``read_capacity``: what a host is taken to have, and what stays with the operating system."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.lemp.stack.plugins.module_utils._plan.capacity import MIB, Capacity, read_capacity

FACTS = {"memtotal_mb": 2000, "processor_nproc": 2, "processor_vcpus": 8}


def test_facts_tell_memory_and_the_cpus_that_may_be_used() -> None:
    assert read_capacity(FACTS, {}) == Capacity(memory=2000 * MIB, cpus=2)


def test_vcpus_are_read_where_nproc_is_missing() -> None:
    assert read_capacity({"memtotal_mb": 2000, "processor_vcpus": 8}, {}).cpus == 8


def test_pins_outrank_facts() -> None:
    assert read_capacity(FACTS, {"memory_mb": 512, "cpus": 1}) == Capacity(memory=512 * MIB, cpus=1)


def test_a_fraction_of_a_cpu_or_megabyte_is_rounded_down() -> None:
    assert read_capacity({}, {"memory_mb": 512.9, "cpus": 2.9}) == Capacity(memory=512 * MIB, cpus=2)


@pytest.mark.parametrize("name", ["memory_mb", "cpus"])
def test_an_unknown_size_names_the_remedy(name: str) -> None:
    pins = {"memory_mb": 512, "cpus": 1}
    del pins[name]
    with pytest.raises(
        ValueError, match=f"the host's {name} is unknown: gather facts before the plan, or set lemp_host.{name}"
    ):
        read_capacity({}, pins)


@pytest.mark.parametrize("value", ["2048", 0, -1, 0.5, True, [], {}, float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["memory_mb", "cpus"])
def test_an_impossible_size_is_named(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"lemp_host\.{name} is .*, but must be a number of at least 1"):
        read_capacity({}, {"memory_mb": 512, "cpus": 1, name: value})


@pytest.mark.parametrize(
    ("memory_mb", "reserve_mb"),
    [
        (256, 128),
        (512, 255),
        (1023, 255),
        (1024, 256),
        (4096, 1024),
        (8192, 1843.2),
        (16384, 2662.4),
        (131072, 9543.68),
        (262144, 12165.12),
    ],
)
def test_the_reserve_follows_the_ladder(memory_mb: int, reserve_mb: float) -> None:
    assert Capacity(memory=memory_mb * MIB, cpus=1).reserve == int(reserve_mb * MIB)


memory = st.integers(128, 2**20)


@given(memory)
def test_the_reserve_leaves_at_least_half(memory_mb: int) -> None:
    assert 0 < Capacity(memory_mb * MIB, 1).reserve <= memory_mb * MIB // 2


@given(memory)
def test_more_memory_never_leaves_less_to_services(memory_mb: int) -> None:
    smaller, larger = Capacity(memory_mb * MIB, 1), Capacity((memory_mb + 1) * MIB, 1)
    assert smaller.memory - smaller.reserve <= larger.memory - larger.reserve
    assert smaller.reserve <= larger.reserve
