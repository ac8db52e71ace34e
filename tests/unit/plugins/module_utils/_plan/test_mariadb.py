"""MariaDB's binary log and its buffer pool's chunks: examples. What holds on every host is in ``test_invariants.py``."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.lemp.stack.plugins.module_utils._plan.budget import make_plan
from ansible_collections.lemp.stack.plugins.module_utils._plan.units import GIB, MIB


def planned(disk: int, **inputs: Any) -> dict[str, Any]:
    disks = {"/var/lib/mysql": {"kind": "ssd", "size_bytes": disk}} if disk else {}
    facts = {"memtotal_mb": 4096, "processor_nproc": 2, "lemp_capacity": {"disks": disks}}
    values = make_plan(facts, {"mariadb": {"version": "11.8", **inputs}})["mariadb"]
    assert isinstance(values, dict)
    return values


def test_the_binary_log_gets_a_quarter_of_what_the_redo_log_leaves() -> None:
    values, without = planned(100 * GIB, binlog=True), planned(100 * GIB)
    assert "max_binlog_total_size" not in without
    assert {name: value for name, value in values.items() if name != "max_binlog_total_size"} == without
    left = 60 * GIB - values["innodb_log_file_size"]
    # The size of a disk is taken coarsely.
    assert 0.9 * left // 4 < values["max_binlog_total_size"] <= left // 4


def test_a_small_disk_still_has_two_files() -> None:
    assert planned(2 * GIB, binlog=True)["max_binlog_total_size"] == 256 * MIB


@pytest.mark.parametrize(("version", "known"), [("10.11", False), ("11.3", False), ("11.4", True), ("", False)])
def test_older_servers_are_not_given_the_bound(version: str, known: bool) -> None:
    assert ("max_binlog_total_size" in planned(100 * GIB, binlog=True, version=version)) is known


def test_nothing_is_promised_where_the_disk_is_unknown() -> None:
    assert "max_binlog_total_size" not in planned(0, binlog=True)


@pytest.mark.parametrize(
    ("version", "chunked"), [("10.5", True), ("10.6", True), ("10.8", False), ("10.11", False), ("11.8", False), ("", False)]
)
@pytest.mark.parametrize("pool", [0, 8, 200, 2001])
def test_older_servers_have_a_chunk_that_does_not_round_the_pool_up(version: str, chunked: bool, pool: int) -> None:
    values = planned(0, version=version, **({"innodb_buffer_pool_size_mb": pool} if pool else {}))
    size = values["innodb_buffer_pool_size"]
    assert size == pool * MIB or not pool
    assert values.get("innodb_buffer_pool_chunk_size") == (size if chunked else None)
    # The server takes chunks in steps of 1 MiB.
    assert size % MIB == 0


def test_anything_but_yes_and_no_is_refused() -> None:
    with pytest.raises(ValueError, match="binlog of mariadb is 'maybe', but must be true or false"):
        planned(0, binlog="maybe")
