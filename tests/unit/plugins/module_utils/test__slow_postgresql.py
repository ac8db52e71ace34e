"""Asking PostgreSQL through psql: what it is told, what it is never told, and what happens without it.

A real one answers in tests/integration/explain_slow.sh.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.lemp.stack.plugins.module_utils import _slow_postgresql
from ansible_collections.lemp.stack.plugins.module_utils._slow_common import Unanswered, Wanted
from ansible_collections.lemp.stack.plugins.module_utils._slow_postgresql import (
    ask,
    literal,
    log_pattern,
    name,
    questions,
)

SOCKET = "/run/postgresql/.s.PGSQL.5433"
WANTED = Wanted(limit=2, since=0.0, most=2**20, timeout=5, values=False)
SETTINGS = {
    "server_version": "17.12",
    "server_version_num": "170012",
    "data_directory": "/nowhere",
    "logging_collector": "off",
    "log_directory": "log",
    "log_filename": "postgresql-%a.log",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "log_destination": "stderr",
    "log_min_duration_statement": "2000",
    "lc_messages": "C.UTF-8",
    "standard_conforming_strings": "on",
}
COUNTED = {
    "query": "SELECT a FROM t WHERE b = $1",
    "calls": 2,
    "seconds": 4.0,
    "slowest": 3.0,
    "rows": 5,
    "role": "shop",
    "database": "shop",
}


class Server:
    """psql and what is behind it: answers by a piece of the question."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **answers: Any) -> None:
        self.calls: list[tuple[list[str], dict[str, Any]]] = []
        self.answers: dict[str, Any] = {
            "FROM pg_settings": [{"name": key, "setting": value} for key, value in SETTINGS.items()],
            "NOT datistemplate": [{"name": "postgres"}, {"name": "shop"}],
            "FROM pg_extension": [],
            "FROM pg_proc": [{"functions": 0}],
            "pg_db_role_setting": [],
            "FROM pg_class": [{"rows": 50000}],
            **answers,
        }
        monkeypatch.setattr(_slow_postgresql.subprocess, "run", self.run)
        monkeypatch.setattr(_slow_postgresql.pwd, "getpwnam", lambda _name: SimpleNamespace(pw_uid=26, pw_gid=27))
        monkeypatch.setattr(_slow_postgresql.secrets, "token_hex", lambda _size: "mark")

    def run(self, command: list[Any], **how: Any) -> Any:
        commands = [part.decode().partition("=")[2] for part in command if isinstance(part, bytes)]
        self.calls.append((commands, how))
        for piece, answer in self.answers.items():
            if any(piece in one for one in commands):
                if isinstance(answer, Exception):
                    raise answer
                if isinstance(answer, str):
                    return SimpleNamespace(returncode=3, stdout="", stderr=answer)
                if isinstance(answer, bytes):
                    return SimpleNamespace(returncode=0, stdout=answer.decode(), stderr="")
                return SimpleNamespace(returncode=0, stdout=json.dumps(answer), stderr="")
        raise AssertionError(commands)


PLAN = b"public\nmark\nSeq Scan on orders  (cost=0.00..944.00 rows=50 width=20)\n  Filter: (b = $1)\n"


def test_what_is_counted_is_told_with_its_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(
        monkeypatch,
        **{
            "FROM pg_extension": [{"schema": '"St"'}],
            "pg_stat_statements_info": [{"moment": 60.0}],
            '"St".pg_stat_statements AS': [COUNTED, {**COUNTED, "seconds": 1.0, "rows": 1}],
            "EXPLAIN": PLAN,
        },
    )
    found = ask(SOCKET, WANTED)
    assert (found["version"], found["executions"], found["seconds"], found["since"]) == (
        "17.12",
        4,
        5.0,
        "1970-01-01 00:01:00 UTC",
    )
    [one] = found["statements"]
    assert (one["count"], one["rows_sent"], one["slowest_seconds"], one["unexplained"]) == (4, 6, 3.0, "")
    assert one["plan"]["rows"] == [["Seq Scan on orders  (cost=0.00..944.00 rows=50 width=20)"], ["  Filter: (b = $1)"]]
    assert one["remarks"] == ["Full scan: reads all of orders, about 50,000 rows, without an index."]
    [explained] = [commands for commands, _ in server.calls if any("EXPLAIN" in one for one in commands)]
    assert explained == [
        "BEGIN READ ONLY",
        "SELECT set_config('search_path', E'\"$user\", public', true)",
        'SET LOCAL ROLE "shop"',
        "SELECT 'mark'",
        "EXPLAIN (GENERIC_PLAN) SELECT a FROM t WHERE b = $1",
        "ROLLBACK",
    ]


def test_psql_is_another_user_who_only_reads_and_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(monkeypatch)
    ask(SOCKET, WANTED)
    for _, how in server.calls:
        assert (how["user"], how["group"], how["extra_groups"], how["stdin"]) == (26, 27, [], subprocess.DEVNULL)
        assert (how["env"]["PGHOST"], how["env"]["PGPORT"], how["env"]["PGUSER"]) == ("/run/postgresql", "5433", "postgres")
        for option in ("default_transaction_read_only=on", "pg_stat_statements.track=none", "statement_timeout=5000"):
            assert f"-c {option}" in how["env"]["PGOPTIONS"]


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ({"FROM pg_proc": [{"functions": 1}]}, "functions of its owner"),
        ({"FROM pg_proc": "FATAL:  no entry"}, "Its database cannot be asked: no entry."),
        (
            {"EXPLAIN": 'ERROR:  relation "t" does not exist\nLINE 1: EXPLAIN'},
            'refuses to explain it: relation "t" does not exist.',
        ),
        ({"EXPLAIN": subprocess.TimeoutExpired("psql", 5)}, "refuses to explain it: psql does not end."),
    ],
)
def test_why_there_is_no_plan(monkeypatch: pytest.MonkeyPatch, answers: dict[str, Any], reason: str) -> None:
    counted = {
        "FROM pg_extension": [{"schema": "public"}],
        "pg_stat_statements_info": "ERROR:  no",
        "pg_stat_statements AS": [COUNTED],
    }
    Server(monkeypatch, **{**counted, **answers})
    found = ask(SOCKET, WANTED)
    assert reason in found["statements"][0]["unexplained"]
    assert found["since"] == ""


@pytest.mark.parametrize(("database", "role", "reason"), [("", "shop", "%d"), ("shop", "", "%u")])
def test_a_statement_of_nobody_or_nowhere_is_not_planned(
    monkeypatch: pytest.MonkeyPatch, database: str, role: str, reason: str
) -> None:
    counted = {**COUNTED, "database": database, "role": role}
    Server(
        monkeypatch,
        **{"FROM pg_extension": [{"schema": "x"}], "_info": [{"moment": None}], "pg_stat_statements AS": [counted]},
    )
    assert reason in ask(SOCKET, WANTED)["statements"][0]["unexplained"]


def test_without_the_library_behind_the_view_the_log_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    line = (
        "2026-11-24 19:37:26.621 UTC [3496] shop@shop LOG:  duration: 7.142 ms  statement: SELECT a FROM t WHERE b = 'secret'\n"
    )
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "postgresql-Tue.log").write_text(line)
    settings = {**SETTINGS, "data_directory": str(tmp_path), "logging_collector": "on", "lc_messages": "de_DE.UTF-8"}
    Server(
        monkeypatch,
        **{
            "FROM pg_settings": [{"name": key, "setting": value} for key, value in settings.items()],
            "FROM pg_extension": [{"schema": "public"}],
            "pg_stat_statements AS": "ERROR:  pg_stat_statements must be loaded",
            "EXPLAIN": PLAN,
        },
    )
    found = ask(SOCKET, WANTED)
    assert found["source"] == "log of slow statements, those of 2000 ms and more"
    assert [(one["statement"], one["count"], one["user"]) for one in found["statements"]] == [
        ("SELECT a FROM t WHERE b = $1", 1, "shop")
    ]
    assert found["files"] == [str(tmp_path / "log" / "postgresql-Tue.log")]
    assert [note.partition(" ")[0] for note in found["notes"]] == ["pg_stat_statements", "lc_messages"]
    assert "secret" not in json.dumps(found)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"log_min_duration_statement": "-1"}, "log_min_duration_statement is -1"),
        ({"log_destination": "jsonlog"}, "log_destination is jsonlog, but only files of stderr are read here."),
        ({}, "log_destination is stderr, but only files of stderr are read here."),
    ],
)
def test_why_a_log_says_nothing_is_told(monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], said: str) -> None:
    settings = [{"name": key, "setting": value} for key, value in {**SETTINGS, **changes}.items()]
    Server(monkeypatch, **{"FROM pg_settings": settings})
    assert said in ask(SOCKET, WANTED)["notes"][1]


@pytest.mark.parametrize("answer", ["psql: error: connection refused", FileNotFoundError(2, "No such file or directory: psql")])
def test_a_server_that_does_not_answer_is_one_sentence(monkeypatch: pytest.MonkeyPatch, answer: Any) -> None:
    Server(monkeypatch, **{"FROM pg_settings": answer})
    with pytest.raises(Unanswered, match=r"^The server does not let user postgres in, or does not answer: (conn|No such)"):
        ask(SOCKET, WANTED)


def test_before_version_16_a_prepared_statement_says_the_same() -> None:
    assert questions("SELECT $1, $3", 150020) == [
        "SET LOCAL plan_cache_mode = force_generic_plan",
        "PREPARE explain_slow AS SELECT $1, $3",
        "EXPLAIN EXECUTE explain_slow(NULL, NULL, NULL)",
    ]
    assert questions("SELECT 1", 150020)[-1] == "EXPLAIN EXECUTE explain_slow"
    assert questions("SELECT $1", 160000) == ["EXPLAIN (GENERIC_PLAN) SELECT $1"]


@given(text=st.text())
def test_no_text_leaves_its_quotes(text: str) -> None:
    inside = literal(text)[2:-1].replace("\\\\", "").replace("''", "")
    assert "'" not in inside
    assert "\\" not in inside
    assert '"' not in name(text)[1:-1].replace('""', "")


def test_where_the_log_is(tmp_path: Path) -> None:
    settings = {**SETTINGS, "logging_collector": "on", "data_directory": "/var/lib/pgsql/data"}
    assert log_pattern(settings) == "/var/lib/pgsql/data/log/postgresql-*.log"
    assert log_pattern({**settings, "log_directory": "/var/log/pg[1]"}) == "/var/log/pg[[]1]/postgresql-*.log"
    assert log_pattern(SETTINGS) == ""
    (tmp_path / "postmaster.pid").write_text("no number\n")
    assert log_pattern({**SETTINGS, "data_directory": str(tmp_path)}) == ""
