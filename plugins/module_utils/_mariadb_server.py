# GNU General Public License v3.0+ (see LICENSE)
"""What differs between a MariaDB server and what is wanted of it, and the statements that change it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ._mariadb import EVERYTHING, GLOBAL_BITS, GRANT_OPTION, SERVER_WIDE, account_of, canonical_right, host_of
from ._mariadb_password import ed25519_key, native_hash

Row = Mapping[str, Any]
Rights = frozenset[str]
Key = tuple[str, str]

NATIVE, ED25519, SOCKET = "mysql_native_password", "ed25519", "unix_socket"
# What GRANT has for a scope and mysql.db for none.
SERVER_SCOPE = "*.*"


def quoted(text: Any) -> str:
    """A value or half an account's name as a statement takes it."""
    return "'" + str(text).replace("\\", "\\\\").replace("'", "''") + "'"


def identifier(name: Any) -> str:
    return "`" + str(name).replace("`", "``") + "`"


def pattern_of(database: str) -> str:
    r"""A database as ``GRANT`` takes it literally: ``_`` stands for any character there, ``\_`` for itself."""
    return str(database).replace("_", r"\_")


def right_of(column: str) -> str:
    """The right that a column of ``mysql.db`` holds: ``Lock_tables_priv`` is ``LOCK TABLES``."""
    name = column[: -len("_priv")].replace("_", " ").upper()
    return {"CREATE TMP TABLE": "CREATE TEMPORARY TABLES", "GRANT": GRANT_OPTION}.get(name, name)


def rights_of(row: Row) -> tuple[Rights, Rights]:
    """What a row of ``mysql.db`` grants, and all that one can grant."""
    rights = {right_of(column): value == "Y" for column, value in row.items() if column.endswith("_priv")}
    return frozenset(right for right, is_granted in rights.items() if is_granted), frozenset(rights) - {GRANT_OPTION}


def server_rights_of(access: int) -> Rights:
    """What the field ``access`` of ``mysql.global_priv`` grants; bits of newer servers have no name here."""
    return frozenset(right for bit, right in enumerate(GLOBAL_BITS) if access >> bit & 1)


def in_words(granted: Rights, grantable: Rights) -> Rights:
    """Everything that can be granted is ``ALL``, as in ``GRANT``."""
    return EVERYTHING | granted - grantable if grantable and granted >= grantable else granted


def wanted_rights(owner: Mapping[str, Any]) -> dict[str, Rights]:
    """Rights of an item of ``mariadb_users`` or ``mariadb_roles`` by scope, as in ``GRANT``."""
    scopes = {}
    for entry in owner.get("privileges") or []:
        rights = frozenset(map(canonical_right, entry["grant"]))
        scope = SERVER_SCOPE if entry["database"] == SERVER_WIDE else f"{identifier(pattern_of(entry['database']))}.*"
        scopes[scope] = EVERYTHING if rights & EVERYTHING else rights
    return scopes


def wanted_ways(user: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Ways in, each as a plugin and what the server keeps for it."""
    plugin = str(user.get("plugin") or NATIVE)
    if plugin == SOCKET:
        return [(plugin, "")]
    kept = {NATIVE: native_hash, ED25519: ed25519_key}[plugin]
    passwords = [user["password"], user.get("previous_password")]
    return [(plugin, kept(str(password))) for password in passwords if password not in (None, "")]


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
_ACCOUNTS = "SELECT User, Host, Priv FROM mysql.global_priv WHERE User IN ({names})"
_SCOPES = "SELECT * FROM mysql.db WHERE User IN ({names})"
_PARTS = """
SELECT User, Host, '' AS kind, Db, Table_name AS name, Table_priv AS rights, Column_priv AS columns FROM mysql.tables_priv
WHERE User IN ({names})
UNION ALL
SELECT User, Host, Routine_type, Db, Routine_name, Proc_priv, '' FROM mysql.procs_priv WHERE User IN ({names})
"""
_MEMBERSHIPS = "SELECT User, Host, Role, Admin_option FROM mysql.roles_mapping WHERE User IN ({names})"
_PROXIES = "SELECT User, Host, Proxied_host, Proxied_user FROM mysql.proxies_priv WHERE User IN ({names})"
_PLUGINS = "SELECT PLUGIN_NAME AS name FROM information_schema.PLUGINS WHERE PLUGIN_TYPE = 'AUTHENTICATION'"
_FILLED = """
SELECT TABLE_SCHEMA AS name FROM information_schema.TABLES WHERE TABLE_SCHEMA IN ({imports})
UNION
SELECT ROUTINE_SCHEMA FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA IN ({imports})
"""
_VALUES = """
SELECT LOWER(VARIABLE_NAME) AS name, VARIABLE_VALUE AS value FROM information_schema.GLOBAL_VARIABLES
WHERE VARIABLE_NAME IN ({variables})
UNION ALL
SELECT 'time_zones', COUNT(*) FROM mysql.time_zone_name
"""


def queries(
    users: Iterable[Mapping[str, Any]],
    roles: Iterable[Mapping[str, Any]] = (),
    imports: Iterable[Mapping[str, Any]] = (),
    variables: Iterable[str] = (),
) -> list[str]:
    """Statements that read all that :func:`due` and :func:`overridden` compare; none changes anything.

    :param users: ``mariadb_users``; names of all items have passed ``_mariadb.problems``.
    :param roles: ``mariadb_roles``.
    :param imports: ``mariadb_imports``.
    :param variables: server variables whose running values are to be read.
    """
    lists = {
        "{names}": {str(owner["name"]) for owner in [*users, *roles]},
        "{imports}": {str(entry["database"]) for entry in imports},
        "{variables}": {"version", *map(str, variables)},
    }
    templates = (
        _OPEN_DOORS, _DATABASES, _ACCOUNTS, _SCOPES, _PARTS, _MEMBERSHIPS, _PROXIES, _PLUGINS, _FILLED, _VALUES,
    )  # fmt: skip
    statements = []
    for template in templates:
        statement = " ".join(template.split())
        for place, names in lists.items():
            statement = statement.replace(place, ", ".join(map(quoted, sorted(names))) or "''")
        statements.append(statement)
    return statements


def due(
    results: Sequence[Sequence[Row]],
    databases: Iterable[str],
    users: Iterable[Mapping[str, Any]],
    roles: Iterable[Mapping[str, Any]] = (),
    collation: str = "utf8mb4_unicode_520_ci",
) -> dict[str, list[str]]:
    """What has to be done on a server so that it is as wanted.

    :param results: rows that the statements of :func:`queries` gave for the same users and roles.
    :param databases: ``mariadb_databases``.
    :param users: ``mariadb_users``.
    :param roles: ``mariadb_roles``.
    :param collation: ``mariadb_collation``.
    :returns: statements in the order in which to execute them, ``statements``, ``secrets`` (they hold hashes of passwords) and
        ``rights`` (whatever is given to anybody comes before whatever is taken from anybody), and ``report``: all of it in
        words, without a secret.
    """
    doors, existing, *about_accounts, plugins, _filled, _values = results
    there = {row["name"] for row in existing}
    server = _Accounts(*about_accounts)
    users, roles = list(users), list(roles)
    missing = [name for name in databases if name not in there]
    statements = [row["statement"] for row in doors]
    if any(user.get("plugin") == ED25519 for user in users) and ED25519 not in {row["name"] for row in plugins}:
        statements.append("INSTALL SONAME 'auth_ed25519'")
    report = [*statements, *(f"CREATE DATABASE {name}" for name in missing)]
    statements += [
        f"CREATE DATABASE {identifier(name)} CHARACTER SET utf8mb4 COLLATE {identifier(collation)}" for name in missing
    ]
    secrets: list[str] = []
    given: list[str] = []
    taken: list[str] = []
    for role in roles:
        change = server.change((str(role["name"]), ""), role)
        if change.is_new:
            statements.append(f"CREATE ROLE {quoted(role['name'])}")
        given += change.given
        taken += change.taken
        report += [f"role {role['name']}: {reason}" for reason in change.reasons]
    for user in users:
        change = server.change((str(user["name"]), host_of(user)), user)
        secrets += change.secrets
        given += change.given
        taken += change.taken
        report += [f"{account_of(user)}: {reason}" for reason in change.reasons]
    # A right may move to another scope, or from an account to its role.
    return {"statements": statements, "secrets": secrets, "rights": given + taken, "report": report}


class _Change:
    """What has to be done about one account or role; ``reasons`` say it in words."""

    def __init__(self) -> None:
        self.is_new = False
        self.secrets: list[str] = []
        self.given: list[str] = []
        self.taken: list[str] = []
        self.reasons: list[str] = []

    def give(self, reason: str, statement: str) -> None:
        self.reasons.append(reason)
        self.given.append(statement)

    def take(self, reason: str, *statements: str) -> None:
        self.reasons.append(reason)
        self.taken += statements


class _Accounts:
    """Rows about accounts and roles, found by user and host; a role has no host."""

    def __init__(
        self,
        accounts: Iterable[Row],
        scopes: Iterable[Row],
        parts: Iterable[Row],
        memberships: Iterable[Row],
        proxies: Iterable[Row],
    ):
        self._accounts = {self._key(row): json.loads(row["Priv"]) for row in accounts}
        self._scopes, self._parts, self._memberships, self._proxies = map(self._grouped, (scopes, parts, memberships, proxies))

    @staticmethod
    def _key(row: Row) -> Key:
        return row["User"], row["Host"].lower()

    def _grouped(self, rows: Iterable[Row]) -> dict[Key, list[Row]]:
        groups: dict[Key, list[Row]] = {}
        for row in rows:
            groups.setdefault(self._key(row), []).append(row)
        return groups

    def change(self, key: Key, wanted: Mapping[str, Any]) -> _Change:
        """How to make the account or role as wanted. It is never without a right that it has and keeps."""
        account = quoted(key[0]) if not key[1] else f"{quoted(key[0])}@{quoted(key[1])}"
        change = _Change()
        there = self._accounts.get(key)
        if there is None:
            change.is_new = True
            change.reasons.append("is created")
        if key[1]:
            self._compare_login(change, account, there, wanted)
        told = len(change.reasons)
        access = 0 if there is None else int(there.get("access") or 0)
        self._compare_rights(change, key, account, access, wanted)
        self._compare_roles(change, key, account, there or {}, wanted)
        if there is None:
            # Whoever is new gets all of it.
            del change.reasons[told:]
        return change

    @staticmethod
    def _compare_login(change: _Change, account: str, there: Row | None, wanted: Mapping[str, Any]) -> None:
        ways, tls = wanted_ways(wanted), bool(wanted.get("require_tls"))
        seconds = float(wanted.get("max_statement_time_seconds") or 0)
        if there is not None:
            if _ways_of(there) != ways:
                change.reasons.append("gets its password" if ways[0][1] else f"comes in by {ways[0][0]} only")
            # 1 is REQUIRE SSL; what was required beyond that is not wanted either.
            if int(tls) != int(there.get("ssl_type") or 0):
                change.reasons.append("has to use TLS" if tls else "no longer has to use TLS")
            if seconds != float(there.get("max_statement_time") or 0):
                change.reasons.append(
                    f"may run a statement for {seconds:g} s" if seconds else "may run a statement as long as it takes"
                )
        if change.reasons:
            identified = " OR ".join(f"{plugin} USING {quoted(kept)}" if kept else plugin for plugin, kept in ways)
            change.secrets.append(
                f"{'ALTER' if there else 'CREATE'} USER {account} IDENTIFIED VIA {identified} REQUIRE "
                f"{'SSL' if tls else 'NONE'} WITH MAX_STATEMENT_TIME {seconds:g}"
            )

    def _compare_rights(self, change: _Change, key: Key, account: str, access: int, wanted: Mapping[str, Any]) -> None:
        for row in self._parts.get(key, []):
            part = f"{row['kind']} {identifier(row['Db'])}.{identifier(row['name'])}".strip()
            change.take(f"loses its rights on {row['Db']}.{row['name']}", *_without_part(row, part, account))
        current = {f"{identifier(row['Db'])}.*": rights_of(row) for row in self._scopes.get(key, [])}
        current[SERVER_SCOPE] = server_rights_of(access), frozenset(GLOBAL_BITS[:_KNOWN_TO_ALL]) - {GRANT_OPTION}
        scopes = wanted_rights(wanted)
        for scope in sorted({*current, *scopes}):
            granted, grantable = current.get(scope, (frozenset(), frozenset()))
            after = scopes.get(scope, frozenset())
            gained = after - (in_words(granted, grantable) if after == EVERYTHING else granted)
            # Whoever gets everything loses nothing of it, but what ALL does not hold.
            lost = granted & {GRANT_OPTION} if after == EVERYTHING else granted - after
            shown = scope.replace("`", "")
            if gained:
                names = ", ".join(sorted(gained))
                change.give(f"gets {names} on {shown}", f"GRANT {names} ON {scope} TO {account}")
            if lost:
                told = lost if after else in_words(lost, grantable)
                change.take(
                    f"loses {', '.join(sorted(told))} on {shown}",
                    f"REVOKE {', '.join(sorted(lost))} ON {scope} FROM {account}",
                )

    def _compare_roles(
        self, change: _Change, key: Key, account: str, there: Mapping[str, Any], wanted: Mapping[str, Any]
    ) -> None:
        roles = [str(role) for role in wanted.get("roles") or []]
        member = {row["Role"]: row["Admin_option"] for row in self._memberships.get(key, [])}
        for role in roles:
            if role not in member:
                change.give(f"gets role {role}", f"GRANT {quoted(role)} TO {account}")
            elif member[role] == "Y":
                change.take(f"may no longer pass on role {role}", f"REVOKE ADMIN OPTION FOR {quoted(role)} FROM {account}")
        for role in sorted(set(member) - set(roles)):
            change.take(f"loses role {role}", f"REVOKE {quoted(role)} FROM {account}")
        for row in self._proxies.get(key, []):
            other = f"{quoted(row['Proxied_user'])}@{quoted(row['Proxied_host'])}"
            change.take(
                f"may no longer act as {row['Proxied_user']}@{row['Proxied_host']}", f"REVOKE PROXY ON {other} FROM {account}"
            )
        default = str(wanted.get("default_role") or "")
        if key[1] and default != str(there.get("default_role") or ""):
            name = quoted(default) if default else "NONE"
            change.give(f"has default role {default or 'NONE'}", f"SET DEFAULT ROLE {name} FOR {account}")


# The bits that every supported server knows; whoever has them all has ALL.
_KNOWN_TO_ALL = GLOBAL_BITS.index("SLAVE MONITOR") + 1


def _ways_of(privileges: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Ways into an account of ``mysql.global_priv``, each as a plugin and what is kept for it.

    An empty item of ``auth_or`` stands for the way that is written beside it.
    Source: https://github.com/MariaDB/server/commit/5b15cc613e
    """
    alternatives = privileges.get("auth_or") or [{}]
    return [
        (str(way.get("plugin") or NATIVE), str(way.get("authentication_string") or ""))
        for way in (way or privileges for way in alternatives)
    ]


def _without_part(row: Row, part: str, account: str) -> list[str]:
    """Statements that take rights on a table, its columns or a routine away; one that finds nothing to take would fail."""
    rights = {right for right in str(row["rights"] or "").split(",") if right}
    found = []
    if "Grant" in rights:
        found.append(f"REVOKE GRANT OPTION ON {part} FROM {account}")
    if rights - {"Grant"} or row["columns"]:
        found.append(f"REVOKE ALL PRIVILEGES ON {part} FROM {account}")
    return found


def overridden(results: Sequence[Sequence[Row]], wanted: Mapping[str, Any]) -> list[str]:
    """Which settings run with other values than the role's, in words.

    :param results: rows that the statements of :func:`queries` gave.
    :param wanted: value by variable, sizes in bytes.
    """
    running = {row["name"]: row["value"] for row in results[-1]}
    return [
        f"{name} is {running[name]} instead of {_written(value)}"
        for name, value in wanted.items()
        if name in running and _comparable(running[name]) != _comparable(value)
    ]


def _written(value: Any) -> str:
    return ("ON" if value else "OFF") if isinstance(value, bool) else str(value)


def _comparable(value: Any) -> Any:
    text = {"ON": "1", "OFF": "0"}.get(_written(value).upper(), _written(value))
    try:
        return float(text)
    except ValueError:
        return text


def empty_databases(results: Sequence[Sequence[Row]], imports: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Items of ``mariadb_imports`` whose database holds neither tables nor routines."""
    filled = {row["name"] for row in results[-2]}
    return [entry for entry in imports if entry["database"] not in filled]
