# GNU General Public License v3.0+ (see LICENSE)
"""The slow query log of a running MariaDB, and how the server would execute what is in it. Nothing is written.

Planning runs functions that a statement calls, and with SQL SECURITY INVOKER these would have root's rights: nothing is planned
where such code is.
"""

from __future__ import annotations

import contextlib
import glob
import importlib
import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from ._slow_common import SMALL_ROWS, Row, Unanswered, Wanted, moment, statements
from ._slow_log import Excerpt, Group, digested_groups, group, mariadb_entries, read_newest
from ._slow_sql import MARIADB, Dialect, mask_quoted, unexplained, writes

CONNECT_SECONDS = 5
DIGEST_SECONDS = 300
_VARIABLES = ("version", "slow_query_log", "slow_query_log_file", "long_query_time", "log_output", "datadir", "sql_mode")
# Functions and views by database, and whether one of them runs with the rights of whoever calls it.
_MARIADB_CODE = """
SELECT name, MAX(kind = 'INVOKER') AS is_invoker FROM (
  SELECT ROUTINE_SCHEMA AS name, SECURITY_TYPE AS kind FROM information_schema.ROUTINES
  WHERE ROUTINE_TYPE <> 'PROCEDURE' AND ROUTINE_SCHEMA <> 'sys'
  UNION ALL SELECT TABLE_SCHEMA, SECURITY_TYPE FROM information_schema.VIEWS
  WHERE SECURITY_TYPE = 'INVOKER' AND TABLE_SCHEMA <> 'sys'
) AS code GROUP BY name
"""


def ask(path: str, wanted: Wanted) -> dict[str, Any]:
    """The worst statements in the slow query log of the server behind a socket.

    :raises Unanswered: nobody can be asked.
    """
    library = _library("pymysql")
    try:
        connection = library.connect(
            unix_socket=path,
            user="root",
            charset="utf8mb4",
            connect_timeout=CONNECT_SECONDS,
            read_timeout=wanted.timeout + CONNECT_SECONDS,
            cursorclass=library.cursors.DictCursor,
        )
    except (library.MySQLError, OSError) as error:
        raise Unanswered(f"The server does not let root in over this socket: {_mariadb_error(error)}") from error
    with contextlib.closing(connection), connection.cursor() as cursor:
        try:
            return _mariadb(library, connection, cursor, wanted)
        except library.MySQLError as error:
            raise Unanswered(f"The server does not answer: {_mariadb_error(error)}") from error


def _mariadb_error(error: Exception) -> str:
    number, *said = error.args or ("",)
    return f"error {number}: {mask_quoted(str(said[0]))}" if said else mask_quoted(str(error))


def _mariadb(library: Any, connection: Any, cursor: Any, wanted: Wanted) -> dict[str, Any]:
    # What is asked here must not become part of the log.
    cursor.execute(
        "SET SESSION slow_query_log = OFF, sql_log_off = ON, max_statement_time = %s, lock_wait_timeout = %s",
        (wanted.timeout, wanted.timeout),
    )
    cursor.execute("SHOW GLOBAL VARIABLES WHERE Variable_name IN %s", (_VARIABLES,))
    given = {row["Variable_name"]: row["Value"] for row in cursor.fetchall()}
    dialect = Dialect(MARIADB, "NO_BACKSLASH_ESCAPES" not in given["sql_mode"])
    log = read_newest(glob.escape(os.path.join(given["datadir"], given["slow_query_log_file"])), wanted.most, wanted.since)
    notes = [*log.notes, *_mariadb_notes(given, log)]
    groups, digester, noted = _mariadb_groups(log, dialect, wanted)
    cursor.execute(_MARIADB_CODE)
    code = {row["name"]: bool(row["is_invoker"]) for row in cursor.fetchall()}

    def explain(one: Group) -> tuple[dict[str, Any] | None, list[str], str]:
        reason = unexplained(one.sample, MARIADB) or foreign_code(one, code)
        if reason:
            return None, [], reason
        try:
            if one.database:
                connection.select_db(one.database)
            # Within a read-only transaction MariaDB does not even explain what would write.
            cursor.execute(f"START TRANSACTION {'' if writes(one.sample) else 'READ ONLY'}")
            # Takes one statement only, whatever the text holds.
            cursor.execute("EXECUTE IMMEDIATE %s", (f"EXPLAIN {one.sample}",))
            rows = cursor.fetchall()
            columns = [column[0] for column in cursor.description or ()]
            cursor.execute("ROLLBACK")
        except (library.MySQLError, UnicodeError) as error:
            with contextlib.suppress(library.MySQLError):
                cursor.execute("ROLLBACK")
            return None, [], f"The server refuses to explain it, {_mariadb_error(error)}."
        return {"columns": columns, "rows": [[row[name] for name in columns] for row in rows]}, mariadb_remarks(rows), ""

    return {
        "version": given["version"],
        "source": f"slow query log, statements of {float(given['long_query_time']):g} s and more, grouped by {digester}",
        "files": log.files,
        "since": moment(wanted.since),
        "executions": sum(one.count for one in groups),
        "seconds": round(sum(one.seconds for one in groups), 6),
        "notes": [*notes, *noted],
        "statements": statements(groups, wanted, explain),
    }


def _mariadb_notes(given: Mapping[str, str], log: Excerpt) -> list[str]:
    if given["slow_query_log"] != "ON":
        return ["slow_query_log is OFF, so slow statements leave no trace; role lemp.stack.mariadb switches it on."]
    if "FILE" not in given["log_output"]:
        return [f"log_output is {given['log_output']}, but only files are read here; add FILE."]
    return [] if log.files else ["The slow query log is empty or was not written to in this time."]


def _mariadb_groups(log: Excerpt, dialect: Dialect, wanted: Wanted) -> tuple[list[Group], str, list[str]]:
    """Groups, who made them, and what is to be said of that.

    ``mariadb-dumpslow`` is not asked: it tells neither the database nor a statement that could be explained.
    """
    recent = (entry for text in log.texts for entry in mariadb_entries(text) if entry.at is None or entry.at >= wanted.since)
    program = shutil.which("pt-query-digest")
    if program is None:
        return group(recent, dialect), "this collection", []
    entries = list(recent)
    try:
        return digested_groups(_digest(program, "".join(entry.raw for entry in entries)), dialect), "pt-query-digest", []
    except (OSError, ValueError, subprocess.SubprocessError, KeyError) as error:
        return group(entries, dialect), "this collection", [f"pt-query-digest did not work: {error}"]


def _digest(program: str, text: str) -> str:
    """What pt-query-digest makes of a log. It reads what visitors of sites wrote, so it gets no rights."""
    done = subprocess.run(
        [program, "--no-version-check", "--type=slowlog", "--output=json", "--limit=100%"],
        input=text,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=DIGEST_SECONDS,
        check=True,
        cwd="/",
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "LC_ALL": "C.UTF-8"},
        user="nobody",
        group=pwd.getpwnam("nobody").pw_gid,
        extra_groups=[],
    )
    return done.stdout


def foreign_code(one: Group, databases: Mapping[str, bool]) -> str:
    """Why a statement is better not planned by root; empty where nothing speaks against it.

    :param databases: databases with functions, and whether these run with the rights of whoever calls them.
    """
    for name, is_invoker in databases.items():
        quoted = re.escape(name.replace("`", "``"))
        if name != one.database and not re.search(rf"(?<![\w$]){quoted}(?![\w$])", one.sample, re.I):
            continue
        if is_invoker or writes(one.sample):
            rights = " with root's rights" if is_invoker else ""
            return f"Database {name} has functions, which planning could run{rights}; run EXPLAIN as the site's own user."
    return ""


def mariadb_remarks(rows: Sequence[Row]) -> list[str]:
    """What of a plan is worth repairing, in words."""
    found = []
    for row in rows:
        table, key, count = row.get("table"), row.get("key"), str(row.get("rows") or "")
        if not count.isdecimal() or int(count) < SMALL_ROWS or str(table).startswith("<"):
            continue
        about, extra = f"about {int(count):,}", str(row.get("Extra") or "")
        if row.get("type") == "ALL":
            found.append(f"Full scan: reads all of {table}, {about} rows, without an index.")
        elif row.get("type") == "index" and key == "PRIMARY":
            found.append(f"Full scan: reads all of {table}, {about} rows, in the order of its primary key.")
        elif row.get("type") == "index":
            found.append(f"Full index scan: reads all of index {key} of {table}, {about} entries.")
        if "Using filesort" in extra:
            found.append(f"Sorts {about} rows of {table} without an index.")
        if "Using temporary" in extra:
            found.append(f"Makes a temporary table for {about} rows of {table}.")
    return found


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise Unanswered(f"Python's module {name} is not on the host; install it, as the engine's role does.") from error
