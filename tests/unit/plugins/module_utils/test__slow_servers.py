"""Every server of a host is asked, and one that is silent keeps nobody from the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lemp.stack.plugins.module_utils import _slow_servers
from ansible_collections.lemp.stack.plugins.module_utils._slow_common import Unanswered, Wanted

WANTED = Wanted(limit=2, since=0.0, most=2**20, timeout=5, values=False)


def test_a_server_that_cannot_be_asked_says_so_and_the_others_are_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("mysqld.sock", ".s.PGSQL.5432", ".s.PGSQL.5432.lock", ".s.PGSQL.5433"):
        (tmp_path / name).touch()

    def silent(_path: str, _wanted: Wanted) -> dict[str, Any]:
        raise Unanswered("nobody there.")

    monkeypatch.setattr(_slow_servers, "MARIADB_SOCKETS", (f"{tmp_path}/mysqld.sock", f"{tmp_path}/none.sock"))
    monkeypatch.setattr(_slow_servers, "POSTGRESQL_SOCKETS", f"{tmp_path}/.s.PGSQL.")
    monkeypatch.setattr(_slow_servers._slow_mariadb, "ask", silent)
    monkeypatch.setattr(_slow_servers._slow_postgresql, "ask", lambda path, wanted: {"version": path[-4:], "notes": []})
    found = _slow_servers.servers(WANTED)
    assert [(one["engine"], one["version"], one["notes"]) for one in found] == [
        ("mariadb", "", ["nobody there."]),
        ("postgresql", "5432", []),
        ("postgresql", "5433", []),
    ]
    assert all({"socket", "source", "files", "since", "executions", "seconds", "statements"} <= set(one) for one in found)
