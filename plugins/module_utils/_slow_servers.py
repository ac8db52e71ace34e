# GNU General Public License v3.0+ (see LICENSE)
"""Running servers of databases: what they say of slow statements, and how they would execute them. Nothing is written.

What planning may execute of the statement's own database (functions of its owner) would run with the rights of this connection,
so where there is such code, nothing is planned.
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
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from ._slow_log import (
    Excerpt,
    Group,
    digested_groups,
    group,
    mariadb_entries,
    postgresql_entries,
    postgresql_pattern,
    read_newest,
)
from ._slow_sql import MARIADB, POSTGRESQL, Dialect, mask, mask_quoted, unexplained, writes

MARIADB_SOCKETS = ("/run/mysqld/mysqld.sock", "/var/lib/mysql/mysql.sock")
POSTGRESQL_SOCKETS = "/run/postgresql/.s.PGSQL."
CONNECT_SECONDS = 5
DIGEST_SECONDS = 300
# Reading all of a smaller table is nothing to repair.
SMALL_ROWS = 1000


@dataclass(frozen=True)
class Wanted:
    """What is asked for. ``since`` is in seconds since 1970, ``most`` in bytes of logs for each server."""

    limit: int
    since: float
    most: int
    timeout: int
    values: bool


class Unanswered(Exception):
    """A server, or the library to ask it, is not there; the message is a sentence."""


Row = Mapping[str, Any]
# A plan, remarks on it, and why there is none.
Explain = Callable[[Group], tuple[Any, list[str], str]]


def servers(wanted: Wanted) -> list[dict[str, Any]]:
    """Every server that listens on a Unix socket of this host; see the module's documentation of ``servers``."""
    found = [_asked(MARIADB, path, mariadb, wanted) for path in MARIADB_SOCKETS if os.path.exists(path)]
    for path in sorted(glob.glob(f"{glob.escape(POSTGRESQL_SOCKETS)}*")):
        if path[len(POSTGRESQL_SOCKETS) :].isdecimal():
            found.append(_asked(POSTGRESQL, path, postgresql, wanted))
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


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise Unanswered(f"Python's module {name} is not on the host; install it, as the engine's role does.") from error


def moment(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return datetime.fromtimestamp(seconds, tz=timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")


def statements(groups: Sequence[Group], wanted: Wanted, explain: Explain) -> list[dict[str, Any]]:
    """The worst groups with their plans."""
    whole = sum(one.seconds for one in groups)
    found = []
    for one in groups[: wanted.limit]:
        plan, remarks, reason = explain(one)
        found.append(
            {
                "id": one.masked.identity,
                "statement": one.masked.text,
                "sample": one.sample if wanted.values else "",
                "database": one.database,
                "user": one.user,
                "count": one.count,
                "seconds": round(one.seconds, 6),
                "slowest_seconds": round(one.slowest, 6),
                "share": round(one.seconds / whole, 4) if whole else 0.0,
                "rows_examined": one.rows_examined,
                "rows_sent": one.rows_sent,
                "last": moment(one.last),
                "plan": plan,
                "remarks": remarks,
                "unexplained": reason,
            }
        )
    return found


# MariaDB

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


def mariadb(path: str, wanted: Wanted) -> dict[str, Any]:
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
        "SET SESSION slow_query_log = OFF, SESSION max_statement_time = %s, SESSION lock_wait_timeout = %s",
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
        [
            program,
            "--no-version-check",
            "--type",
            "slowlog",
            "--output",
            "json",
            "--limit",
            "100%",
            "--group-by",
            "fingerprint",
        ],
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


# PostgreSQL

# This connection has its own log_min_duration_statement; the files say what others have.
_SETTINGS = """
SELECT s.name, coalesce(f.setting, CASE WHEN s.name = 'log_min_duration_statement' THEN s.boot_val ELSE s.setting END)
FROM pg_catalog.pg_settings AS s
LEFT JOIN pg_catalog.pg_file_settings AS f ON f.name = s.name AND f.applied AND s.name = 'log_min_duration_statement'
WHERE s.name IN ('server_version', 'server_version_num', 'data_directory', 'logging_collector', 'log_directory', 'log_filename',
  'log_line_prefix', 'log_destination', 'log_min_duration_statement', 'lc_messages', 'standard_conforming_strings')
"""
_STATISTICS = """
SELECT s.query, s.calls, s.total_exec_time / 1000 AS seconds, s.max_exec_time / 1000 AS slowest, s.rows,
  coalesce(r.rolname, '') AS user_name, coalesce(d.datname, '') AS database_name
FROM {schema}.pg_stat_statements AS s
LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = s.userid LEFT JOIN pg_catalog.pg_database AS d ON d.oid = s.dbid
WHERE s.query IS NOT NULL ORDER BY s.total_exec_time DESC
"""
# Code that somebody else than a superuser may have written, and that a statement can call.
_POSTGRESQL_CODE = """
SELECT count(*) FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_roles AS r ON r.oid = p.proowner
WHERE NOT r.rolsuper AND p.prokind <> 'p'
  AND p.prorettype NOT IN ('pg_catalog.trigger'::pg_catalog.regtype, 'pg_catalog.event_trigger'::pg_catalog.regtype)
"""
_SEARCH_PATH = """
SELECT pg_catalog.substr(entry, 13) FROM (
  SELECT setrole, setdatabase, pg_catalog.unnest(setconfig) AS entry FROM pg_catalog.pg_db_role_setting
  WHERE setrole IN (0, (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = %s))
    AND setdatabase IN (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()))
) AS settings
WHERE entry LIKE 'search\\_path=%%' ORDER BY setrole <> 0 DESC, setdatabase <> 0 DESC LIMIT 1
"""
_PARAMETER = re.compile(r"\$(\d{1,5})")
_SCAN = re.compile(r"Seq Scan on (\S+)")


def postgresql(path: str, wanted: Wanted) -> dict[str, Any]:
    """The worst statements of the cluster behind a socket: of pg_stat_statements where that is loaded, else of its log.

    :raises Unanswered: nobody can be asked.
    """
    library = _library("psycopg2")
    try:
        cluster = _Cluster(library, path, wanted)
        with contextlib.closing(cluster):
            return cluster.report()
    except (library.Error, KeyError) as error:
        raise Unanswered(f"The server does not let user postgres in, or does not answer: {_postgresql_error(error)}") from error


def _postgresql_error(error: Exception) -> str:
    said = getattr(getattr(error, "diag", None), "message_primary", None) or str(error).strip().partition("\n")[0]
    return mask_quoted(said)


@contextlib.contextmanager
def acting_as(name: str) -> Iterator[None]:
    """Be another user towards servers that ask the kernel who connects."""
    account = pwd.getpwnam(name)
    before = os.geteuid(), os.getegid()
    os.setegid(account.pw_gid)
    try:
        os.seteuid(account.pw_uid)
        yield
    finally:
        os.seteuid(before[0])
        os.setegid(before[1])


class _Cluster:
    """Connections to the databases of one cluster, one for each that is asked."""

    def __init__(self, library: Any, path: str, wanted: Wanted) -> None:
        self._library, self._path, self._wanted = library, path, wanted
        self._connections: dict[str, Any] = {}
        self._code: dict[str, int] = {}
        self.settings = {row[0]: row[1] for row in self._ask("postgres", _SETTINGS)}
        self._is_generic = int(self.settings["server_version_num"]) >= 160000

    def close(self) -> None:
        for connection in self._connections.values():
            connection.close()

    def _connection(self, database: str) -> Any:
        if database not in self._connections:
            milliseconds = self._wanted.timeout * 1000
            # What is asked here must neither be counted nor logged.
            options = {
                "default_transaction_read_only": "on",
                "statement_timeout": milliseconds,
                "lock_timeout": milliseconds,
                "search_path": "pg_catalog",
                "log_statement": "none",
                "log_min_duration_statement": -1,
                "log_min_error_statement": "panic",
                "log_min_messages": "panic",
                "pg_stat_statements.track": "none",
                "jit": "off",
            }
            with acting_as("postgres"):
                self._connections[database] = self._library.connect(
                    host=os.path.dirname(self._path),
                    port=int(self._path.rpartition(".")[2]),
                    user="postgres",
                    dbname=database,
                    connect_timeout=CONNECT_SECONDS,
                    application_name="explain_slow",
                    options=" ".join(f"-c {name}={value}" for name, value in options.items()),
                )
        return self._connections[database]

    def _ask(self, database: str, question: str, values: Sequence[Any] | None = None) -> list[Sequence[Any]]:
        connection = self._connection(database)
        try:
            with connection.cursor() as cursor:
                cursor.execute(question, values)
                return list(cursor.fetchall())
        finally:
            connection.rollback()

    def report(self) -> dict[str, Any]:
        groups, about = self._groups()
        return {
            "version": self.settings["server_version"],
            "executions": sum(one.count for one in groups),
            "seconds": round(sum(one.seconds for one in groups), 6),
            **about,
            "statements": statements(groups, self._wanted, self._explain),
        }

    def _groups(self) -> tuple[list[Group], dict[str, Any]]:
        dialect = Dialect(POSTGRESQL, self.settings["standard_conforming_strings"] != "on")
        for database in self._databases():
            schema = self._ask(
                database,
                "SELECT pg_catalog.quote_ident(n.nspname) FROM pg_catalog.pg_extension AS e"
                " JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace WHERE e.extname = 'pg_stat_statements'",
            )
            if schema:
                try:
                    return self._counted(database, schema[0][0], dialect)
                except self._library.Error:
                    continue  # The library that fills the view is not loaded.
        return self._logged(dialect)

    def _databases(self) -> list[str]:
        rows = self._ask(
            "postgres",
            "SELECT datname FROM pg_catalog.pg_database WHERE datallowconn AND NOT datistemplate"
            " ORDER BY datname <> 'postgres', datname",
        )
        return [row[0] for row in rows]

    def _counted(self, database: str, schema: str, dialect: Dialect) -> tuple[list[Group], dict[str, Any]]:
        groups: dict[tuple[str, str, str], Group] = {}
        for query, calls, seconds, slowest, rows, user, where in self._ask(database, _STATISTICS.format(schema=schema)):
            masked = mask(query, dialect)
            # The same statement has several rows where its tables were made anew.
            one = groups.setdefault((where, user, masked.identity), Group(masked, query, user, where, rows_sent=0))
            one.count += calls
            one.seconds += seconds
            one.slowest = max(one.slowest, slowest)
            one.rows_sent = (one.rows_sent or 0) + rows
        try:
            since = self._ask(database, f"SELECT extract(epoch FROM stats_reset) FROM {schema}.pg_stat_statements_info")
            reset = float(since[0][0]) if since and since[0][0] is not None else None
        except self._library.Error:
            reset = None  # before PostgreSQL 14
        about = {
            "source": "pg_stat_statements, which counts since it was reset",
            "since": moment(reset),
            "notes": [],
        }
        return sorted(groups.values(), key=lambda one: (-one.seconds, one.masked.identity)), about

    def _logged(self, dialect: Dialect) -> tuple[list[Group], dict[str, Any]]:
        least = self.settings["log_min_duration_statement"]
        unit = " ms" if least.isdecimal() else ""
        notes = ["pg_stat_statements is not loaded in any database; the log tells less."]
        pattern = self._log()
        log = read_newest(pattern, self._wanted.most, self._wanted.since) if pattern else Excerpt()
        finder = postgresql_pattern(self.settings["log_line_prefix"])
        groups = group(
            (
                entry
                for text in log.texts
                for entry in postgresql_entries(text, finder)
                if entry.at is None or entry.at >= self._wanted.since
            ),
            dialect,
        )
        if least == "-1":
            notes.append("log_min_duration_statement is -1, so slow statements leave no trace in the log either.")
        elif not pattern or "stderr" not in self.settings["log_destination"]:
            notes.append(f"log_destination is {self.settings['log_destination']}, but only files of stderr are read here.")
        if not re.match(r"C\b|POSIX|en", self.settings["lc_messages"] or "C"):
            notes.append(f"lc_messages is {self.settings['lc_messages']}, but the log is read in English only.")
        about = {
            "source": "log of slow statements" + ("" if least == "-1" else f", those of {least}{unit} and more"),
            "files": log.files,
            "since": moment(self._wanted.since),
            "notes": [*notes, *log.notes],
        }
        return groups, about

    def _log(self) -> str:
        """Shell pattern of the log: what the collector writes, or the file that the server's standard error is."""
        settings = self.settings
        if settings["logging_collector"] == "on":
            name = re.sub(r"%.", "*", glob.escape(settings["log_filename"]))
            return os.path.join(glob.escape(os.path.join(settings["data_directory"], settings["log_directory"])), name)
        try:
            with open(os.path.join(settings["data_directory"], "postmaster.pid"), encoding="ascii") as stream:
                process = int(stream.readline())
            path = os.readlink(f"/proc/{process}/fd/2")
        except (OSError, ValueError):
            return ""
        return glob.escape(path) if os.path.isfile(path) else ""

    def _explain(self, one: Group) -> tuple[dict[str, Any] | None, list[str], str]:
        text = one.masked.sendable
        reason = unexplained(text, POSTGRESQL) or self._unsafe(one)
        if reason:
            return None, [], reason
        connection = self._connection(one.database)
        try:
            path = self._ask(one.database, _SEARCH_PATH, (one.user,))
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_catalog.set_config('search_path', %s, true), pg_catalog.set_config('role', %s, true)",
                    (path[0][0] if path else '"$user", public', one.user),
                )
                for question in self._questions(text):
                    cursor.execute(question)
                lines = [row[0] for row in cursor.fetchall()]
        except (self._library.Error, UnicodeError) as error:
            return None, [], f"The server refuses to explain it: {_postgresql_error(error)}."
        finally:
            connection.rollback()
        return {"columns": ["plan"], "rows": [[line] for line in lines]}, self._remarks(one.database, lines), ""

    def _questions(self, text: str) -> list[str]:
        if self._is_generic:
            return [f"EXPLAIN (GENERIC_PLAN) {text}"]
        # The same before PostgreSQL 16.
        count = max((int(number) for number in _PARAMETER.findall(text)), default=0)
        values = f"({', '.join(['NULL'] * count)})" if count else ""
        return [
            "DEALLOCATE ALL",
            "SET LOCAL plan_cache_mode = force_generic_plan",
            f"PREPARE explain_slow AS {text}",
            f"EXPLAIN EXECUTE explain_slow{values}",
        ]

    def _unsafe(self, one: Group) -> str:
        if not one.database:
            return "Its database is not known; log_line_prefix tells it with %d."
        if not one.user:
            return "Its user is not known (log_line_prefix tells it with %u) or no longer there."
        if one.database not in self._code:
            try:
                self._code[one.database] = self._ask(one.database, _POSTGRESQL_CODE)[0][0]
            except self._library.Error as error:
                return f"Its database cannot be asked: {_postgresql_error(error)}."
        if self._code[one.database]:
            return (
                "Its database has functions of its owner, which planning could run with a superuser's rights; "
                "run EXPLAIN as the site's own user."
            )
        return ""

    def _remarks(self, database: str, lines: Sequence[str]) -> list[str]:
        found = []
        for name in dict.fromkeys(match[1] for line in lines for match in _SCAN.finditer(line)):
            rows = self._ask(
                database,
                "SELECT max(reltuples)::bigint FROM pg_catalog.pg_class WHERE relname = %s AND relkind IN ('r', 'm')",
                (name.rpartition(".")[2].strip('"'),),
            )
            count = int(rows[0][0] or 0) if rows else 0
            if count >= SMALL_ROWS:
                found.append(f"Full scan: reads all of {name}, about {count:,} rows, without an index.")
        return found


def since_hours(hours: float) -> float:
    """The moment so many hours ago, in seconds since 1970; 0 hours is the beginning of all logs."""
    return time.time() - hours * 3600 if hours else 0.0
