# GNU General Public License v3.0+ (see LICENSE)
"""Every server of databases on this host, asked for its slowest statements."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable
from typing import Any

from . import _slow_mariadb, _slow_postgresql
from ._slow_common import Unanswered, Wanted
from ._slow_sql import MARIADB, POSTGRESQL

MARIADB_SOCKETS = ("/run/mysqld/mysqld.sock", "/var/lib/mysql/mysql.sock")
POSTGRESQL_SOCKETS = "/run/postgresql/.s.PGSQL."


def servers(wanted: Wanted) -> list[dict[str, Any]]:
    """Every server that listens on a Unix socket of this host; see the module's documentation of ``servers``."""
    found = [_asked(MARIADB, path, _slow_mariadb.ask, wanted) for path in MARIADB_SOCKETS if os.path.exists(path)]
    for path in sorted(glob.glob(f"{glob.escape(POSTGRESQL_SOCKETS)}*")):
        if path[len(POSTGRESQL_SOCKETS) :].isdecimal():
            found.append(_asked(POSTGRESQL, path, _slow_postgresql.ask, wanted))
    return found


def _asked(engine: str, path: str, ask: Callable[[str, Wanted], dict[str, Any]], wanted: Wanted) -> dict[str, Any]:
    empty = {
        "version": "",
        "source": "",
        "files": [],
        "since": "",
        "executions": 0,
        "seconds": 0.0,
        "notes": [],
        "statements": [],
    }
    try:
        return {"engine": engine, "socket": path, **empty, **ask(path, wanted)}
    except Unanswered as error:
        return {"engine": engine, "socket": path, **empty, "notes": [str(error)]}
