"""Asking MariaDB: what is refused before it is asked, what of its plans is told, and what happens without it.

A real one answers in tests/integration/explain_slow.sh.
"""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.lemp.stack.plugins.module_utils import _slow_mariadb
from ansible_collections.lemp.stack.plugins.module_utils._slow_common import Unanswered, Wanted
from ansible_collections.lemp.stack.plugins.module_utils._slow_log import Excerpt, Group
from ansible_collections.lemp.stack.plugins.module_utils._slow_mariadb import foreign_code, mariadb_remarks
from ansible_collections.lemp.stack.plugins.module_utils._slow_sql import Dialect, mask

MARIADB = Dialect("mariadb", True)
WANTED = Wanted(limit=2, since=0.0, most=2**20, timeout=5, values=False)


def grouped(statement: str, seconds: float = 1.0, database: str = "shop") -> Group:
    return Group(mask(statement, MARIADB), statement, "shopper", database, count=2, seconds=seconds, slowest=seconds / 2)


@pytest.mark.parametrize(
    ("statement", "database", "code", "refused"),
    [
        ("SELECT 1", "shop", {}, False),
        ("SELECT 1", "shop", {"shop": True}, True),
        ("SELECT 1", "shop", {"shop": False}, False),
        ("UPDATE t SET a = 1", "shop", {"shop": False}, True),
        ("SELECT 1", "shop", {"blog": True}, False),
        ("SELECT blog.f(1)", "shop", {"blog": True}, True),
        ("SELECT `Blog`.f(1)", "", {"blog": True}, True),
        ("SELECT `o``dd`.f(1)", "", {"o`dd": True}, True),
        ("SELECT blogs, blog_x, myblog FROM t", "shop", {"blog": True}, False),
        ("SELECT /*! blog.f(1) */", "shop", {"blog": True}, True),
    ],
)
def test_code_that_would_run_with_roots_rights_is_not_planned(
    statement: str, database: str, code: dict[str, bool], refused: bool
) -> None:
    assert bool(foreign_code(grouped(statement, database=database), code)) == refused


def plan_row(**changes: Any) -> dict[str, Any]:
    return {"table": "orders", "type": "ref", "key": "PRIMARY", "rows": 5000, "Extra": "Using where", **changes}


@pytest.mark.parametrize(
    ("row", "remarks"),
    [
        (plan_row(), []),
        (plan_row(type="ALL", key=None), ["Full scan: reads all of orders, about 5,000 rows, without an index."]),
        (plan_row(type="ALL", rows="5000"), ["Full scan: reads all of orders, about 5,000 rows, without an index."]),
        (plan_row(type="ALL", rows=999), []),
        (plan_row(type="ALL", rows=None, table=None), []),
        (plan_row(type="ALL", table="<derived2>"), []),
        (plan_row(type="index"), ["Full scan: reads all of orders, about 5,000 rows, in the order of its primary key."]),
        (plan_row(type="index", key="total"), ["Full index scan: reads all of index total of orders, about 5,000 entries."]),
        (
            plan_row(Extra="Using where; Using temporary; Using filesort"),
            ["Sorts about 5,000 rows of orders without an index.", "Makes a temporary table for about 5,000 rows of orders."],
        ),
        ({}, []),
    ],
)
def test_what_of_a_plan_is_worth_repairing(row: dict[str, Any], remarks: list[str]) -> None:
    assert mariadb_remarks([row]) == remarks


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"slow_query_log": "OFF"}, "slow_query_log is OFF"),
        ({"log_output": "TABLE"}, "log_output is TABLE, but only files are read here"),
        ({}, "The slow query log is empty"),
    ],
)
def test_why_a_log_says_nothing_is_told(given: dict[str, str], said: str) -> None:
    variables = {"slow_query_log": "ON", "log_output": "FILE", **given}
    assert said in _slow_mariadb._mariadb_notes(variables, Excerpt())[0]
    assert _slow_mariadb._mariadb_notes({"slow_query_log": "ON", "log_output": "FILE,TABLE"}, Excerpt(files=["x"])) == []


def test_a_library_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(Unanswered, match=r"^Python's module no_such_library is not on the host; install it"):
        _slow_mariadb._library("no_such_library")


def test_pt_query_digest_that_fails_is_told_and_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    log = "# User@Host: a[a] @ localhost []\n# Query_time: 1.5  Rows_sent: 1\nSET timestamp=5;\nSELECT 1;\n"
    monkeypatch.setattr(_slow_mariadb.shutil, "which", lambda _name: "/usr/bin/pt-query-digest")

    def fail(_program: str, text: str) -> str:
        assert text == log
        raise OSError("no such file")

    monkeypatch.setattr(_slow_mariadb, "_digest", fail)
    groups, digester, notes = _slow_mariadb._mariadb_groups(Excerpt(texts=[log]), MARIADB, WANTED)
    assert (len(groups), digester, notes) == (1, "this collection", ["pt-query-digest did not work: no such file"])
    late = Wanted(limit=1, since=6.0, most=1, timeout=1, values=False)
    monkeypatch.setattr(_slow_mariadb.shutil, "which", lambda _name: None)
    assert _slow_mariadb._mariadb_groups(Excerpt(texts=[log]), MARIADB, late)[0] == []


def test_errors_of_servers_keep_statements_to_themselves() -> None:
    said = _slow_mariadb._mariadb_error(Exception(1064, "You have an error near 'secret' at line 1"))
    assert said == "error 1064: You have an error near ? at line 1"
    assert _slow_mariadb._mariadb_error(Exception("lost")) == "lost"
    assert _slow_mariadb._mariadb_error(Exception()) == ""
