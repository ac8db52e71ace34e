"""Limits of units, and the drop-ins that carry them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.lemp.stack.plugins.module_utils._plan.capacity import Capacity
from ansible_collections.lemp.stack.plugins.module_utils._plan.limits import explain_limits, unit_drop_ins, unit_limits
from ansible_collections.lemp.stack.plugins.module_utils._plan.units import GIB, MIB

HOST = Capacity(memory=4 * GIB, cpus=2)


def test_a_units_limits_in_numbers() -> None:
    assert unit_limits(320 * MIB + 5000, HOST, files=4096, tasks=10, oom_score=-600) == {
        "MemoryMax": 320 * MIB + 4096,
        "MemoryHigh": 310 * MIB,
        "TasksMax": 52,
        "LimitNOFILE": 4096,
        "OOMScoreAdjust": -600,
    }


@given(st.integers(MIB, 2**40), st.sampled_from([4096, 16384, 65536]), st.integers(0, 2**31), st.sampled_from([4096, 1048576]))
def test_limits_are_whole_pages_and_files_within_what_the_host_allows(charge: int, page: int, files: int, nofile: int) -> None:
    values = unit_limits(charge, Capacity(2**41, 2, page_size=page, nofile=nofile), files=files, tasks=1, oom_score=0)
    assert 0 <= charge - values["MemoryMax"] < page
    assert values["MemoryMax"] % page == values["MemoryHigh"] % page == 0
    assert values["MemoryHigh"] <= values["MemoryMax"]
    assert min(files, nofile) <= values["LimitNOFILE"] <= nofile


def test_drop_ins_are_split_by_when_they_take_effect() -> None:
    limits = {
        "MemoryMax": 100,
        "MemoryHigh": 96,
        "TasksMax": 52,
        "LimitNOFILE": 1024,
        "OOMPolicy": "continue",
        "TimeoutStopSec": 85,
    }
    start, live = unit_drop_ins(limits, "php8.4-fpm.service")
    assert start == {
        "dest": "/etc/systemd/system/php8.4-fpm.service.d/lemp-start.conf",
        "content": "# Written by Ansible (lemp.stack); changes made here are lost.\n[Service]\nLimitNOFILE=1024\n"
        "OOMPolicy=continue\nTimeoutStopSec=85\n",
    }
    assert live == {
        "dest": "/etc/systemd/system/php8.4-fpm.service.d/lemp-limits.conf",
        "content": "# Written by Ansible (lemp.stack); changes made here are lost.\n[Service]\nMemoryMax=100\nMemoryHigh=96\n"
        "TasksMax=52\n",
    }


def test_memory_limits_that_nothing_enforces_say_so_and_others_are_plain() -> None:
    limits = {"nginx": unit_limits(MIB, HOST, files=1, tasks=1, oom_score=0)}
    off = explain_limits(limits, Capacity(GIB, 1, memory_controller=False))
    assert off["limits.nginx.MemoryMax"]["bound"] == off["limits.nginx.MemoryHigh"]["bound"] == "not enforced"
    assert off["limits.nginx.TasksMax"]["bound"] == "plan"
    assert explain_limits(limits, HOST)["limits.nginx.MemoryMax"]["bound"] == "plan"
