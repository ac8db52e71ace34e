"""Asking servers: what is refused before they are asked, what of their plans is told, and what happens without them.

Real servers answer in tests/integration/explain_slow.sh.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lemp.stack.plugins.module_utils import _slow_servers
from ansible_collections.lemp.stack.plugins.module_utils._slow_log import Excerpt, Group
from ansible_collections.lemp.stack.plugins.module_utils._slow_servers import (
    Unanswered,
    Wanted,
    foreign_code,
    mariadb_remarks,
    servers,
    since_hours,
    statements,
)
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
    assert said in _slow_servers._mariadb_notes(variables, Excerpt())[0]
    assert _slow_servers._mariadb_notes({"slow_query_log": "ON", "log_output": "FILE,TABLE"}, Excerpt(files=["x"])) == []


def test_a_server_that_cannot_be_asked_says_so_and_the_others_are_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("mysqld.sock", ".s.PGSQL.5432", ".s.PGSQL.5432.lock", ".s.PGSQL.5433"):
        (tmp_path / name).touch()

    def silent(_path: str, _wanted: Wanted) -> dict[str, Any]:
        raise Unanswered("nobody there.")

    monkeypatch.setattr(_slow_servers, "MARIADB_SOCKETS", (f"{tmp_path}/mysqld.sock", f"{tmp_path}/none.sock"))
    monkeypatch.setattr(_slow_servers, "POSTGRESQL_SOCKETS", f"{tmp_path}/.s.PGSQL.")
    monkeypatch.setattr(_slow_servers, "mariadb", silent)
    monkeypatch.setattr(_slow_servers, "postgresql", lambda path, wanted: {"version": path[-4:], "notes": []})
    found = servers(WANTED)
    assert [(one["engine"], one["version"], one["notes"]) for one in found] == [
        ("mariadb", "", ["nobody there."]),
        ("postgresql", "5432", []),
        ("postgresql", "5433", []),
    ]
    assert all({"socket", "source", "files", "since", "executions", "seconds", "statements"} <= set(one) for one in found)


def test_a_library_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(Unanswered, match=r"^Python's module no_such_library is not on the host; install it"):
        _slow_servers._library("no_such_library")


def test_pt_query_digest_that_fails_is_told_and_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    log = "# User@Host: a[a] @ localhost []\n# Query_time: 1.5  Rows_sent: 1\nSET timestamp=5;\nSELECT 1;\n"
    monkeypatch.setattr(_slow_servers.shutil, "which", lambda _name: "/usr/bin/pt-query-digest")

    def fail(_program: str, text: str) -> str:
        assert text == log
        raise OSError("no such file")

    monkeypatch.setattr(_slow_servers, "_digest", fail)
    groups, digester, notes = _slow_servers._mariadb_groups(Excerpt(texts=[log]), MARIADB, WANTED)
    assert (len(groups), digester, notes) == (1, "this collection", ["pt-query-digest did not work: no such file"])
    late = Wanted(limit=1, since=6.0, most=1, timeout=1, values=False)
    monkeypatch.setattr(_slow_servers.shutil, "which", lambda _name: None)
    assert _slow_servers._mariadb_groups(Excerpt(texts=[log]), MARIADB, late)[0] == []


def test_errors_of_servers_keep_statements_to_themselves() -> None:
    said = _slow_servers._mariadb_error(Exception(1064, "You have an error near 'secret' at line 1"))
    assert said == "error 1064: You have an error near ? at line 1"
    assert _slow_servers._mariadb_error(Exception("lost")) == "lost"
    assert _slow_servers._mariadb_error(Exception()) == ""
    assert _slow_servers._postgresql_error(Exception("bad value \"secret\"\nLINE 1: 'secret'")) == "bad value ?"


def test_acting_as_another_user_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    now = os.geteuid(), os.getegid()
    done: list[tuple[str, int]] = []
    monkeypatch.setattr(os, "seteuid", lambda uid: done.append(("uid", uid)))
    monkeypatch.setattr(os, "setegid", lambda gid: done.append(("gid", gid)))
    with pytest.raises(RuntimeError), _slow_servers.acting_as("nobody"):
        raise RuntimeError
    assert [name for name, _ in done] == ["gid", "uid", "uid", "gid"]
    assert (done[2][1], done[3][1]) == now


def test_how_far_back() -> None:
    assert since_hours(0) == 0.0
    assert since_hours(2) == pytest.approx(time.time() - 7200, abs=5)
    assert _slow_servers.moment(0) == "1970-01-01 00:00:00 UTC"
    assert _slow_servers.moment(None) == ""
