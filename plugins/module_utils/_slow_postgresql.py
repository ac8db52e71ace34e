# GNU General Public License v3.0+ (see LICENSE)
"""What a running PostgreSQL knows of slow statements, and how it would execute them. Nothing is written.

Planning runs functions of a statement, and a superuser's connection would lend them its rights, whatever role it takes on:
nothing is planned where a site has written such code.
"""

from __future__ import annotations

import glob
import json
import os
import pwd
import re
import secrets
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from ._slow_common import SMALL_ROWS, Unanswered, Wanted, moment, statements
from ._slow_log import Excerpt, Group, group, postgresql_entries, postgresql_pattern, read_newest
from ._slow_sql import POSTGRESQL, Dialect, mask, unexplained

USER = "postgres"
CONNECT_SECONDS = 5
# What is asked here must neither be counted nor logged.
_OPTIONS = {
    "default_transaction_read_only": "on",
    "search_path": "pg_catalog",
    "log_statement": "none",
    "log_min_duration_statement": -1,
    "log_min_error_statement": "panic",
    "log_min_messages": "panic",
    "pg_stat_statements.track": "none",
    "jit": "off",
}
# This connection has its own log_min_duration_statement; the files say what others have.
_SETTINGS = """
SELECT s.name,
  coalesce(f.setting, CASE WHEN s.name = 'log_min_duration_statement' THEN s.boot_val ELSE s.setting END) AS setting
FROM pg_settings AS s
LEFT JOIN pg_file_settings AS f ON f.name = s.name AND f.applied AND s.name = 'log_min_duration_statement'
WHERE s.name IN ('server_version', 'server_version_num', 'data_directory', 'logging_collector', 'log_directory', 'log_filename',
  'log_line_prefix', 'log_destination', 'log_min_duration_statement', 'lc_messages', 'standard_conforming_strings')
"""
_DATABASES = """
SELECT datname AS name FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY datname <> 'postgres', datname
"""
_EXTENSION = """
SELECT quote_ident(n.nspname) AS schema FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace
WHERE e.extname = 'pg_stat_statements'
"""
_STATISTICS = """
SELECT s.query, s.calls, s.total_exec_time / 1000 AS seconds, s.max_exec_time / 1000 AS slowest, s.rows,
  coalesce(r.rolname, '') AS role, coalesce(d.datname, '') AS database
FROM {schema}.pg_stat_statements AS s
LEFT JOIN pg_roles AS r ON r.oid = s.userid LEFT JOIN pg_database AS d ON d.oid = s.dbid
WHERE s.query IS NOT NULL
"""
_RESET = "SELECT extract(epoch FROM stats_reset) AS moment FROM {schema}.pg_stat_statements_info"
# Code that somebody else than a superuser may have written, and that a statement can call.
_CODE = """
SELECT count(*) AS functions FROM pg_proc AS p JOIN pg_roles AS r ON r.oid = p.proowner
WHERE NOT r.rolsuper AND p.prokind <> 'p' AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
"""
_SEARCH_PATH = """
SELECT substr(entry, 13) AS path FROM (
  SELECT setrole, setdatabase, unnest(setconfig) AS entry FROM pg_db_role_setting
  WHERE setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = {role}))
    AND setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
) AS settings
WHERE entry LIKE 'search\\_path=%' ORDER BY setrole <> 0 DESC, setdatabase <> 0 DESC LIMIT 1
"""
_ROWS = "SELECT max(reltuples)::bigint AS rows FROM pg_class WHERE relname = {table} AND relkind IN ('r', 'm')"
_PARAMETER = re.compile(r"\$(\d{1,5})")
_SCAN = re.compile(r"Seq Scan on (\S+)")


class Refused(Exception):
    """The server, or psql, says no; the message is what it says."""


def ask(path: str, wanted: Wanted) -> dict[str, Any]:
    """The worst statements of the cluster behind a socket: of pg_stat_statements where that is loaded, else of its log.

    :raises Unanswered: nobody can be asked.
    """
    try:
        return Cluster(path, wanted).report()
    except Refused as error:
        raise Unanswered(f"The server does not let user {USER} in, or does not answer: {error}") from error


def literal(text: str) -> str:
    """A text as PostgreSQL's literal, however the server reads backslashes."""
    return "E'" + text.replace("\\", "\\\\").replace("'", "''").replace("\0", "") + "'"


def name(text: str) -> str:
    return '"' + text.replace('"', '""').replace("\0", "") + '"'


class Cluster:
    """One cluster, asked by psql, which is wherever a server is."""

    def __init__(self, path: str, wanted: Wanted) -> None:
        self._path, self._wanted = path, wanted
        self._code: dict[str, int] = {}
        self.settings = {row["name"]: row["setting"] for row in self._rows(USER, _SETTINGS)}

    def _psql(self, database: str, commands: Sequence[str]) -> str:
        """What psql prints. A command on its command line is for the server alone: psql finds no commands of its own in it.

        :raises Refused: one of the commands failed; those behind it were not given.
        """
        limit = self._wanted.timeout * 1000
        options = {**_OPTIONS, "statement_timeout": limit, "lock_timeout": limit}
        directory, _, port = self._path.rpartition("/.s.PGSQL.")
        arguments = ["--no-psqlrc", "--no-align", "--tuples-only", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1"]
        try:
            account = pwd.getpwnam(USER)
            done = subprocess.run(
                ["psql", *arguments, *(f"--command={command}".encode(errors="replace") for command in commands)],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                encoding="utf-8",
                errors="replace",
                timeout=CONNECT_SECONDS + len(commands) * self._wanted.timeout,
                check=False,
                cwd="/",
                env={
                    "PATH": "/usr/local/bin:/usr/bin:/bin",
                    "HOME": "/nonexistent",
                    "LC_ALL": "C.UTF-8",
                    "PGHOST": directory,
                    "PGPORT": port,
                    "PGUSER": USER,
                    "PGDATABASE": database,
                    "PGCLIENTENCODING": "UTF8",
                    "PGCONNECT_TIMEOUT": str(CONNECT_SECONDS),
                    "PGAPPNAME": "explain_slow",
                    "PGOPTIONS": " ".join(f"-c {option}={value}" for option, value in options.items()),
                },
                user=account.pw_uid,
                group=account.pw_gid,
                extra_groups=[],
            )
        except KeyError as error:
            raise Refused(f"the host has no user {USER}") from error
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Refused(str(error.strerror) if isinstance(error, OSError) else "psql does not end") from error
        if done.returncode:
            raise Refused(re.sub(r"^(?:psql: )?(?:[A-Za-z]+:\s+)?", "", done.stderr.strip().partition("\n")[0]))
        return done.stdout

    def _rows(self, database: str, question: str) -> list[dict[str, Any]]:
        answer = self._psql(database, [f"SELECT coalesce(json_agg(found), '[]') FROM ({question}) AS found"])
        rows: list[dict[str, Any]] = json.loads(answer)
        return rows

    def report(self) -> dict[str, Any]:
        """See the module's documentation of ``servers``."""
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
        for row in self._rows(USER, _DATABASES):
            try:
                found = self._rows(row["name"], _EXTENSION)
                if found:
                    return self._counted(row["name"], found[0]["schema"], dialect)
            except Refused:
                continue  # The database lets nobody in, or the library that fills the view is not loaded.
        return self._logged(dialect)

    def _counted(self, database: str, schema: str, dialect: Dialect) -> tuple[list[Group], dict[str, Any]]:
        groups: dict[tuple[str, str, str], Group] = {}
        for row in self._rows(database, _STATISTICS.format(schema=schema)):
            masked = mask(row["query"], dialect)
            # The same statement has several rows where its tables were made anew.
            key = (row["database"], row["role"], masked.identity)
            one = groups.setdefault(key, Group(masked, row["query"], row["role"], row["database"], rows_sent=0))
            one.count += row["calls"]
            one.seconds += row["seconds"]
            one.slowest = max(one.slowest, row["slowest"])
            one.rows_sent = (one.rows_sent or 0) + row["rows"]
        try:
            [reset] = self._rows(database, _RESET.format(schema=schema))
        except Refused:
            reset = {"moment": None}  # before PostgreSQL 14
        about = {
            "source": "pg_stat_statements, which counts since it was reset",
            "since": moment(reset["moment"]),
            "notes": [],
        }
        return sorted(groups.values(), key=lambda one: (-one.seconds, one.masked.identity)), about

    def _logged(self, dialect: Dialect) -> tuple[list[Group], dict[str, Any]]:
        settings = self.settings
        least, destination, language = (
            settings[key] for key in ("log_min_duration_statement", "log_destination", "lc_messages")
        )
        notes = ["pg_stat_statements is not loaded in any database; the log tells less."]
        pattern = log_pattern(settings)
        log = read_newest(pattern, self._wanted.most, self._wanted.since) if pattern else Excerpt()
        finder = postgresql_pattern(settings["log_line_prefix"])
        entries = (entry for text in log.texts for entry in postgresql_entries(text, finder))
        groups = group((entry for entry in entries if entry.at is None or entry.at >= self._wanted.since), dialect)
        if least == "-1":
            notes.append("log_min_duration_statement is -1, so slow statements leave no trace in the log either.")
        elif not pattern or "stderr" not in destination:
            notes.append(f"log_destination is {destination}, but only files of stderr are read here.")
        if not re.match(r"C\b|POSIX|en", language or "C"):
            notes.append(f"lc_messages is {language}, but the log is read in English only.")
        unit = " ms" if least.isdecimal() else ""
        about = {
            "source": "log of slow statements" + ("" if least == "-1" else f", those of {least}{unit} and more"),
            "files": log.files,
            "since": moment(self._wanted.since),
            "notes": [*notes, *log.notes],
        }
        return groups, about

    def _explain(self, one: Group) -> tuple[dict[str, Any] | None, list[str], str]:
        reason = unexplained(one.masked.sendable, POSTGRESQL) or self._unsafe(one)
        if reason:
            return None, [], reason
        mark = secrets.token_hex(16)
        try:
            found = self._rows(one.database, _SEARCH_PATH.format(role=literal(one.user)))
            path = found[0]["path"] if found else '"$user", public'
            answer = self._psql(
                one.database,
                [
                    "BEGIN READ ONLY",
                    # A role's own setting can be any text, so it is no part of a command.
                    f"SELECT set_config('search_path', {literal(path)}, true)",
                    f"SET LOCAL ROLE {name(one.user)}",
                    f"SELECT '{mark}'",
                    *questions(one.masked.sendable, int(self.settings["server_version_num"])),
                    "ROLLBACK",
                ],
            )
        except Refused as error:
            return None, [], f"The server refuses to explain it: {error}."
        lines = answer.partition(f"{mark}\n")[2].splitlines()
        return {"columns": ["plan"], "rows": [[line] for line in lines]}, self._remarks(one.database, lines), ""

    def _unsafe(self, one: Group) -> str:
        if not one.database:
            return "Its database is not known; log_line_prefix tells it with %d."
        if not one.user:
            return "Its user is not known (log_line_prefix tells it with %u) or no longer there."
        if one.database not in self._code:
            try:
                self._code[one.database] = self._rows(one.database, _CODE)[0]["functions"]
            except Refused as error:
                return f"Its database cannot be asked: {error}."
        if self._code[one.database]:
            return (
                "Its database has functions of its owner, which planning could run with a superuser's rights; "
                "run EXPLAIN as the site's own user."
            )
        return ""

    def _remarks(self, database: str, lines: Sequence[str]) -> list[str]:
        found = []
        for table in dict.fromkeys(match[1] for line in lines for match in _SCAN.finditer(line)):
            [row] = self._rows(database, _ROWS.format(table=literal(table.rpartition(".")[2].strip('"'))))
            if (row["rows"] or 0) >= SMALL_ROWS:
                found.append(f"Full scan: reads all of {table}, about {row['rows']:,} rows, without an index.")
        return found


def questions(text: str, version: int) -> list[str]:
    """What makes a server plan a statement for any values.

    :param version: ``server_version_num``.
    """
    if version >= 160000:
        return [f"EXPLAIN (GENERIC_PLAN) {text}"]
    count = max((int(number) for number in _PARAMETER.findall(text)), default=0)
    values = f"({', '.join(['NULL'] * count)})" if count else ""
    return [
        "SET LOCAL plan_cache_mode = force_generic_plan",
        f"PREPARE explain_slow AS {text}",
        f"EXPLAIN EXECUTE explain_slow{values}",
    ]


def log_pattern(settings: Mapping[str, str]) -> str:
    """Shell pattern of the log: what the collector writes, or the file that is the server's standard error; else empty."""
    if settings["logging_collector"] == "on":
        named = re.sub(r"%.", "*", glob.escape(settings["log_filename"]))
        return os.path.join(glob.escape(os.path.join(settings["data_directory"], settings["log_directory"])), named)
    try:
        with open(os.path.join(settings["data_directory"], "postmaster.pid"), encoding="ascii") as stream:
            process = int(stream.readline())
        path = os.readlink(f"/proc/{process}/fd/2")
    except (OSError, ValueError):
        return ""
    return glob.escape(path) if os.path.isfile(path) else ""
