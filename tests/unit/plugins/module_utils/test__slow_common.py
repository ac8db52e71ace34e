"""How statements are told."""

from __future__ import annotations

import time
from typing import Any

import pytest

from ansible_collections.lemp.stack.plugins.module_utils._slow_common import Wanted, moment, since_hours, statements
from ansible_collections.lemp.stack.plugins.module_utils._slow_log import Group
from ansible_collections.lemp.stack.plugins.module_utils._slow_sql import Dialect, mask

MARIADB = Dialect("mariadb", True)
WANTED = Wanted(limit=2, since=0.0, most=2**20, timeout=5, values=False)


def grouped(statement: str, seconds: float = 1.0, database: str = "shop") -> Group:
    return Group(mask(statement, MARIADB), statement, "shopper", database, count=2, seconds=seconds, slowest=seconds / 2)


def test_the_worst_are_explained_and_no_value_is_returned_unless_asked_for() -> None:
    groups = [grouped(f"SELECT {name} FROM t WHERE b = 'secret'", seconds) for name, seconds in (("a", 3), ("b", 2), ("c", 1))]
    explained: list[str] = []

    def explain(one: Group) -> Any:
        explained.append(one.sample)
        return None, [], "a reason"

    found = statements(groups, WANTED, explain)
    assert len(explained) == 2
    assert [(one["statement"], one["share"], one["sample"]) for one in found] == [
        ("SELECT a FROM t WHERE b = ?", 0.5, ""),
        ("SELECT b FROM t WHERE b = ?", 0.3333, ""),
    ]
    assert "secret" not in str(found)
    shown = statements(groups, Wanted(limit=1, since=0.0, most=1, timeout=1, values=True), explain)
    assert shown[0]["sample"] == "SELECT a FROM t WHERE b = 'secret'"


def test_how_far_back() -> None:
    assert since_hours(0) == 0.0
    assert since_hours(2) == pytest.approx(time.time() - 7200, abs=5)
    assert moment(0) == "1970-01-01 00:00:00 UTC"
    assert moment(None) == ""
