# GNU General Public License v3.0+ (see LICENSE)
"""Decisions about MariaDB: what is wrong with the inputs, and what differs between a server and what is wanted of it."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
Scopes = dict[str, frozenset[str]]

# What can be granted on a database since MariaDB 10.6. GRANT OPTION is left out: an application passes no rights on.
RIGHTS = (
    "ALL", "ALL PRIVILEGES", "ALTER", "ALTER ROUTINE", "CREATE", "CREATE ROUTINE", "CREATE TEMPORARY TABLES", "CREATE VIEW",
    "DELETE", "DELETE HISTORY", "DROP", "EVENT", "EXECUTE", "INDEX", "INSERT", "LOCK TABLES", "REFERENCES", "SELECT",
    "SHOW VIEW", "TRIGGER", "UPDATE",
)  # fmt: skip
EVERYTHING = frozenset({"ALL"})
GRANT_OPTION = "GRANT OPTION"
RESERVED_DATABASES = ("information_schema", "mysql", "performance_schema", "sys", "test")
RESERVED_USERS = ("mariadb.sys", "mysql", "public", "root")

# Set through inputs of their own, which the plan, the firewall rules and the checks read.
OWN_VARIABLES = frozenset(
    """
    bind_address port skip_name_resolve character_set_server collation_server innodb_buffer_pool_size innodb_log_file_size
    max_connections table_open_cache max_heap_table_size tmp_table_size sort_buffer_size join_buffer_size read_buffer_size
    read_rnd_buffer_size thread_stack binlog_cache_size performance_schema slow_query_log_file log_slow_query_file
    long_query_time log_slow_query_time socket datadir
    """.split()
)

# Bounds are the server's own; outside of them it would silently take another value, or would not start.
BOUNDS: dict[str, tuple[int, int]] = {
    "mariadb_port": (1, 65535),
    "mariadb_slow_query_time_seconds": (0, 31536000),
}
# 0 leaves these to the plan.
PLANNED_BOUNDS: dict[str, tuple[int, int]] = {
    "mariadb_innodb_buffer_pool_size_mb": (8, 8388608),
    "mariadb_max_connections": (10, 100000),
    "mariadb_innodb_log_file_size_mb": (4, 524288),
    "mariadb_max_heap_table_size_mb": (1, 4095),
    "mariadb_tmp_table_size_mb": (1, 4095),
    "mariadb_table_open_cache": (10, 1048576),
    "mariadb_sort_buffer_size_kb": (1, 4194303),
    "mariadb_join_buffer_size_kb": (1, 4194303),
    "mariadb_read_buffer_size_kb": (8, 2097148),
    "mariadb_read_rnd_buffer_size_kb": (1, 2097151),
    "mariadb_thread_stack_kb": (192, 65536),
    "mariadb_binlog_cache_size_kb": (4, 4194303),
}


def problems(inputs: Mapping[str, Any]) -> list[str]:
    """What is wrong with role mariadb's inputs, one sentence each; a password is never part of one.

    :param inputs: public inputs of the role by name; one that is absent is not judged.
    """
    databases = [str(name) for name in inputs.get("mariadb_databases") or []]
    users: Sequence[Mapping[str, Any]] = inputs.get("mariadb_users") or []
    found = [
        *_odd_databases(databases),
        *_odd_users(users),
        *_odd_rights(users, databases),
        *_unmatched_hosts(users, bool(inputs.get("mariadb_skip_name_resolve"))),
        *_odd_numbers(inputs),
        *_odd_settings(inputs.get("mariadb_extra_settings") or {}),
    ]
    collation = str(inputs.get("mariadb_collation", "utf8mb4_bin"))
    if not re.fullmatch(r"utf8mb4_[a-z0-9_]+", collation):
        found.append(
            f"mariadb_collation is {collation}, which cannot hold every character; use one whose name begins with utf8mb4_."
        )
    return found


def _quoted(names: Iterable[Any]) -> str:
    return ", ".join(json.dumps(name, ensure_ascii=False) for name in names)


def _repeated(names: Iterable[str]) -> list[str]:
    return sorted(name for name, times in Counter(names).items() if times > 1)


def _odd_databases(databases: Iterable[str]) -> list[str]:
    odd = [name for name in databases if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name) or name in RESERVED_DATABASES]
    if not odd:
        return []
    return [
        f"mariadb_databases contains {_quoted(odd)}; use 1 to 64 letters, digits, _ or -, and none of the server's own names "
        f"({', '.join(RESERVED_DATABASES)})."
    ]


def _odd_users(users: Sequence[Mapping[str, Any]]) -> list[str]:
    found = []
    names = [str(user["name"]) for user in users]
    odd = [name for name in names if not re.fullmatch(r"[A-Za-z0-9_.-]{1,80}", name) or name in RESERVED_USERS]
    odd += [host for host in map(host_of, users) if not re.fullmatch(r"[A-Za-z0-9_.:%/-]{1,255}", host)]
    if odd:
        found.append(
            f"mariadb_users contains the name or host {_quoted(odd)}; use letters, digits, _, . or - in names, also : / and % "
            f"in hosts, and none of the server's own accounts ({', '.join(RESERVED_USERS)})."
        )
    twice = _repeated(map(account_of, users))
    if twice:
        found.append(
            f"mariadb_users lists an account more than once ({', '.join(twice)}); merge the entries that share name and host."
        )
    bare = [str(user["name"]) for user in users if user.get("password") in (None, "")]
    if bare:
        found.append(f"mariadb_users: {', '.join(bare)} has no password; set it, best from a vault.")
    return found


def _odd_rights(users: Sequence[Mapping[str, Any]], databases: Sequence[str]) -> list[str]:
    found = []
    listed = [entry for user in users for entry in user.get("privileges") or []]
    unknown: list[Any] = [[] for entry in listed if not entry["grant"]]
    unknown += dict.fromkeys(
        str(right) for entry in listed for right in entry["grant"] or [] if str(right).upper() not in RIGHTS
    )
    if unknown:
        found.append(
            f"mariadb_users grants {_quoted(unknown)}, which is no right on a database; known are {', '.join(RIGHTS)}."
        )
    missing = list(dict.fromkeys(str(entry["database"]) for entry in listed if entry["database"] not in databases))
    if missing:
        found.append(
            f"mariadb_users grants rights on {', '.join(missing)}, but mariadb_databases lists only "
            f"{', '.join(databases) or 'nothing'}; add the database there or correct its name."
        )
    twice = [
        f"{account_of(user)}: {database}"
        for user in users
        for database in _repeated(str(entry["database"]) for entry in user.get("privileges") or [])
    ]
    if twice:
        found.append(
            "mariadb_users lists a database more than once in the privileges of one account "
            f"({', '.join(twice)}); merge the entries."
        )
    return found


def _unmatched_hosts(users: Iterable[Mapping[str, Any]], skip_name_resolve: bool) -> list[str]:
    named = [host for host in map(host_of, users) if not re.fullmatch(r"localhost|[0-9._/%]+|.*:.*", host)]
    if not (skip_name_resolve and named):
        return []
    return [
        f"mariadb_users lets in clients from {', '.join(named)}, but mariadb_skip_name_resolve is on, so that names match "
        "nobody; use addresses, or turn it off."
    ]


def _odd_numbers(inputs: Mapping[str, Any]) -> list[str]:
    found = []
    for name, (low, high) in {**BOUNDS, **PLANNED_BOUNDS}.items():
        if name not in inputs:
            continue
        planned = name in PLANNED_BOUNDS
        try:
            number = float(inputs[name])
        except (TypeError, ValueError):
            number = float("nan")
        if not (low <= number <= high or (planned and number == 0)):
            remedy = f"use a number from {low} to {high}" + (", or 0 to have it computed" if planned else "")
            found.append(f"{name} is {inputs[name]}; {remedy}.")
    return found


def _odd_settings(settings: Mapping[str, Any]) -> list[str]:
    odd = [
        str(name)
        for name, value in settings.items()
        if not re.fullmatch(r"[a-z][a-z0-9_-]*", str(name))
        or _variable(name) in OWN_VARIABLES
        or not isinstance(value, (str, int, float))
        or re.search(r'["\n\r]', str(value))
    ]
    if not odd:
        return []
    return [
        f"mariadb_extra_settings sets {', '.join(_variable(name) for name in odd)}; use the role's own input where there is "
        "one, lower-case names, and plain values without quotes or line breaks."
    ]


def _variable(name: Any) -> str:
    return str(name).replace("-", "_")


def host_of(user: Mapping[str, Any]) -> str:
    """Where an account of ``mariadb_users`` comes from, spelled as the server keeps it."""
    return str(user.get("host") or "localhost").lower()


def account_of(user: Mapping[str, Any]) -> str:
    return f"{user['name']}@{host_of(user)}"


def password_hash(password: str) -> str:
    """What ``mysql_native_password`` keeps of a password.

    Source: https://mariadb.com/docs/server/reference/sql-functions/secondary-functions/encryption-hashing-and-compression-functions/password
    """
    once = hashlib.sha1(str(password).encode(), usedforsecurity=False).digest()
    return "*" + hashlib.sha1(once, usedforsecurity=False).hexdigest().upper()


def pattern_of(database: str) -> str:
    r"""A database as ``GRANT`` takes it literally: ``_`` stands for any character there, ``\_`` for itself."""
    return str(database).replace("_", r"\_")


def right_of(column: str) -> str:
    """The right that a column of ``mysql.db`` holds: ``Lock_tables_priv`` is ``LOCK TABLES``."""
    name = column[: -len("_priv")].replace("_", " ").upper()
    return {"CREATE TMP TABLE": "CREATE TEMPORARY TABLES", "GRANT": GRANT_OPTION}.get(name, name)


def rights_of(row: Row) -> frozenset[str]:
    """What a row of ``mysql.db`` grants; everything that this server knows is ``ALL``, as in ``GRANT``."""
    rights = {right_of(column): value == "Y" for column, value in row.items() if column.endswith("_priv")}
    passes_on = frozenset({GRANT_OPTION}) if rights.pop(GRANT_OPTION, False) else frozenset()
    granted = frozenset(right for right, is_granted in rights.items() if is_granted)
    return (EVERYTHING if granted == rights.keys() else granted) | passes_on


def wanted_rights(user: Mapping[str, Any]) -> Scopes:
    """Rights of an account of ``mariadb_users`` by database pattern."""
    scopes = {}
    for entry in user.get("privileges") or []:
        rights = frozenset(str(right).upper() for right in entry["grant"])
        scopes[pattern_of(entry["database"])] = EVERYTHING if rights & {"ALL", "ALL PRIVILEGES"} else rights
    return scopes


# Statements that close what an older or foreign installation left open; no row on a host that is closed already.
# root keeps the socket only: packages add an invalid password beside it, and one that was really set would stay.
# A test database that holds tables is somebody's data and stays, without the rights that made it public.
_OPEN_DOORS = r"""
SELECT CONCAT('DROP USER ', QUOTE(User), '@', QUOTE(Host)) AS statement FROM mysql.global_priv
WHERE User = '' OR (User = 'root' AND Host <> 'localhost')
UNION ALL
SELECT 'ALTER USER root@localhost IDENTIFIED VIA unix_socket' FROM mysql.global_priv
WHERE User = 'root' AND Host = 'localhost'
AND (JSON_VALUE(Priv, '$.plugin') <> 'unix_socket' OR COALESCE(JSON_LENGTH(Priv, '$.auth_or'), 0) > 1)
UNION ALL
SELECT 'DROP DATABASE test' FROM information_schema.SCHEMATA
WHERE SCHEMA_NAME = 'test' AND NOT EXISTS (SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'test')
UNION ALL
SELECT CONCAT('DELETE FROM mysql.db WHERE Db = ', QUOTE(Db), ' AND User = ', QUOTE(User)) FROM mysql.db
WHERE User IN ('', 'PUBLIC') AND Db IN ('test', 'test\\_%')
"""
_DATABASES = "SELECT SCHEMA_NAME AS name FROM information_schema.SCHEMATA"
_ACCOUNTS = """
SELECT User, Host, JSON_VALUE(Priv, '$.plugin') AS plugin, JSON_VALUE(Priv, '$.authentication_string') AS authentication,
COALESCE(JSON_LENGTH(Priv, '$.auth_or'), 0) > 1 AS other_ways, COALESCE(JSON_VALUE(Priv, '$.access'), 0) <> 0 AS global_rights,
COALESCE(JSON_VALUE(Priv, '$.ssl_type'), 0) <> 0 AS tls
FROM mysql.global_priv WHERE User IN ({names})
"""
_SCOPES = "SELECT * FROM mysql.db WHERE User IN ({names})"
_PARTS = """
SELECT User, Host, CONCAT(Db, '.', Table_name) AS part FROM mysql.tables_priv WHERE User IN ({names})
UNION ALL
SELECT User, Host, CONCAT(Db, '.', Routine_name) FROM mysql.procs_priv WHERE User IN ({names})
"""
# What module mariadb_user does not look at: roles, and accounts that may be taken on.
_MEMBERSHIPS = """
SELECT User, Host, CONCAT('REVOKE ', QUOTE(Role), ' FROM ', QUOTE(User), '@', QUOTE(Host)) AS statement
FROM mysql.roles_mapping WHERE User IN ({names})
UNION ALL
SELECT User, Host,
CONCAT('REVOKE PROXY ON ', QUOTE(Proxied_user), '@', QUOTE(Proxied_host), ' FROM ', QUOTE(User), '@', QUOTE(Host))
FROM mysql.proxies_priv WHERE User IN ({names})
"""
_RUNNING = """
SELECT @@innodb_buffer_pool_size AS innodb_buffer_pool_size, @@max_connections AS max_connections,
@@bind_address AS bind_address
"""


def queries(users: Iterable[Mapping[str, Any]]) -> list[str]:
    """Statements that read all that :func:`due` and :func:`overridden` compare; none changes anything.

    :param users: ``mariadb_users``; their names have passed :func:`problems`.
    """
    names = ", ".join(sorted({f"'{user['name']}'" for user in users})) or "''"
    templates = (_OPEN_DOORS, _DATABASES, _ACCOUNTS, _SCOPES, _PARTS, _MEMBERSHIPS, _RUNNING)
    return [" ".join(template.split()).replace("{names}", names) for template in templates]


def due(results: Sequence[Sequence[Row]], databases: Iterable[str], users: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What has to be done on a server so that it is as wanted.

    :param results: rows that the statements of :func:`queries` gave for the same users.
    :param databases: ``mariadb_databases``.
    :param users: ``mariadb_users``.
    :returns: ``statements`` to execute first, ``databases`` that are missing, ``accounts`` as arguments of
        ``ansible.mariadb.mariadb_user`` (they hold passwords), and ``report``: all of it in words, without a secret.
    """
    doors, existing, accounts, scopes, parts, memberships, _running = results
    there = {row["name"] for row in existing}
    server = _Accounts(accounts, scopes, parts, memberships)
    found: dict[str, Any] = {
        "statements": [row["statement"] for row in doors],
        "databases": [name for name in databases if name not in there],
        "accounts": [],
    }
    found["report"] = [*found["statements"], *(f"CREATE DATABASE {name}" for name in found["databases"])]
    for user in users:
        statements, reasons = server.statements(user), server.differences(user)
        found["statements"] += statements
        found["accounts"] += [_arguments(user)] if reasons else []
        found["report"] += [*statements, *(f"{account_of(user)}: {reason}" for reason in reasons)]
    return found


def _arguments(user: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": str(user["name"]),
        "host": host_of(user),
        "password": str(user["password"]),
        "priv": {
            "*.*": "USAGE",
            **{f"{pattern}.*": ",".join(sorted(rights)) for pattern, rights in wanted_rights(user).items()},
        },
    }


class _Accounts:
    """Rows about accounts, found by user and host."""

    def __init__(self, accounts: Iterable[Row], scopes: Iterable[Row], parts: Iterable[Row], memberships: Iterable[Row]):
        self._accounts = {self._key(row): row for row in accounts}
        self._scopes, self._parts, self._memberships = map(self._grouped, (scopes, parts, memberships))

    @staticmethod
    def _key(row: Row) -> tuple[str, str]:
        return row["User"], row["Host"].lower()

    def _grouped(self, rows: Iterable[Row]) -> dict[tuple[str, str], list[Row]]:
        groups: dict[tuple[str, str], list[Row]] = {}
        for row in rows:
            groups.setdefault(self._key(row), []).append(row)
        return groups

    def statements(self, user: Mapping[str, Any]) -> list[str]:
        """What module mariadb_user would leave as it is."""
        key = (str(user["name"]), host_of(user))
        if key not in self._accounts:
            return []
        found = [row["statement"] for row in self._memberships.get(key, [])]
        if self._accounts[key]["other_ways"]:
            # The module compares the first way in only. With this password nobody gets in until it sets the right one.
            found.append(f"ALTER USER '{key[0]}'@'{key[1]}' IDENTIFIED VIA mysql_native_password USING 'invalid'")
        return found

    def differences(self, user: Mapping[str, Any]) -> list[str]:
        """Why an account is not as wanted, in words."""
        key = (str(user["name"]), host_of(user))
        account = self._accounts.get(key)
        if account is None:
            return ["is created"]
        found = []
        is_native = account["plugin"] in (None, "", "mysql_native_password", "mysql_old_password")
        if not is_native or account["other_ways"] or account["authentication"] != password_hash(user["password"]):
            found.append("gets its password")
        if account["tls"]:
            found.append("no longer has to use TLS")
        if account["global_rights"]:
            found.append("loses its rights on *.*")
        found += [f"loses its rights on {row['part']}" for row in self._parts.get(key, [])]
        current = {row["Db"]: rights_of(row) for row in self._scopes.get(key, [])}
        return found + _changes(current, wanted_rights(user))


def _changes(current: Scopes, wanted: Scopes) -> list[str]:
    none: frozenset[str] = frozenset()
    found = []
    for scope in sorted({*current, *wanted}):
        before, after = current.get(scope, none), wanted.get(scope, none)
        # Whoever gets everything loses nothing of it, but what ALL does not hold.
        lost = before & {GRANT_OPTION} if after == EVERYTHING else before - after
        for verb, rights in (("gets", after - before), ("loses", lost)):
            if rights:
                found.append(f"{verb} {', '.join(sorted(rights))} on {scope}.*")
    return found


def overridden(results: Sequence[Sequence[Row]], planned: Mapping[str, Any], bind_address: str) -> list[str]:
    """Which settings run with other values than the role's, in words.

    :param results: rows that the statements of :func:`queries` gave.
    :param planned: what the plan says about MariaDB, in bytes and numbers.
    :param bind_address: ``mariadb_bind_address``.
    """
    [running] = results[-1]
    wanted: dict[str, str | int] = {
        "innodb_buffer_pool_size": planned["innodb_buffer_pool_size"],
        "max_connections": planned["max_connections"],
        "bind_address": bind_address,
    }
    return [
        f"{name} is {running[name]} instead of {value}" for name, value in wanted.items() if str(running[name]) != str(value)
    ]
