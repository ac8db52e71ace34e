# GNU General Public License v3.0+ (see LICENSE)
"""What is wrong with the inputs of role mariadb, and with the versions that are on the host."""

from __future__ import annotations

import ipaddress
import itertools
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from ._inputs import number, out_of_bounds, quoted, repeated

EVERYTHING = frozenset({"ALL"})
GRANT_OPTION = "GRANT OPTION"
# In place of a database: the whole server.
SERVER_WIDE = "*"
# Rights by bit of the field access in mysql.global_priv, named as SHOW GRANTS names them.
# Source: https://github.com/MariaDB/server/blob/11.8/sql/privilege.h
GLOBAL_BITS = (
    "SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "RELOAD", "SHUTDOWN", "PROCESS", "FILE", GRANT_OPTION,
    "REFERENCES", "INDEX", "ALTER", "SHOW DATABASES", "SUPER", "CREATE TEMPORARY TABLES", "LOCK TABLES", "EXECUTE",
    "REPLICATION SLAVE", "BINLOG MONITOR", "CREATE VIEW", "SHOW VIEW", "CREATE ROUTINE", "ALTER ROUTINE", "CREATE USER",
    "EVENT", "TRIGGER", "CREATE TABLESPACE", "DELETE HISTORY", "SET USER", "FEDERATED ADMIN", "CONNECTION ADMIN",
    "READ_ONLY ADMIN", "REPLICATION SLAVE ADMIN", "REPLICATION MASTER ADMIN", "BINLOG ADMIN", "BINLOG REPLAY",
    "SLAVE MONITOR", "SHOW CREATE ROUTINE",
)  # fmt: skip
# What can be granted on a database. GRANT OPTION is left out: an application passes no rights on.
RIGHTS = (
    "ALL", "ALL PRIVILEGES", "ALTER", "ALTER ROUTINE", "CREATE", "CREATE ROUTINE", "CREATE TEMPORARY TABLES", "CREATE VIEW",
    "DELETE", "DELETE HISTORY", "DROP", "EVENT", "EXECUTE", "INDEX", "INSERT", "LOCK TABLES", "REFERENCES", "SELECT",
    "SHOW CREATE ROUTINE", "SHOW VIEW", "TRIGGER", "UPDATE",
)  # fmt: skip
GLOBAL_RIGHTS = tuple(sorted({*RIGHTS, *GLOBAL_BITS, "REPLICATION CLIENT"} - {GRANT_OPTION}))
_CANONICAL = {"ALL PRIVILEGES": "ALL", "REPLICATION CLIENT": "BINLOG MONITOR"}
# Source: https://mariadb.com/docs/server/reference/sql-statements/account-management-sql-statements/grant
RIGHTS_SINCE = {"SHOW CREATE ROUTINE": (11, 3)}
# The oldest server whose names of variables and rights are known here.
OLDEST = (10, 5)
# Source: https://jira.mariadb.org/browse/MDEV-6536
SEVERAL_ADDRESSES_SINCE = (10, 11)
RESERVED_DATABASES = ("information_schema", "mysql", "performance_schema", "sys", "test")
RESERVED_USERS = ("mariadb.sys", "mysql", "public", "root")
PLUGINS = ("mysql_native_password", "ed25519", "unix_socket")

# Set through inputs of their own, which the plan, the firewall rules and the checks read.
OWN_VARIABLES = frozenset(
    """
    bind_address port skip_name_resolve event_scheduler log_bin server_id binlog_expire_logs_seconds
    max_binlog_total_size ssl_cert ssl_key ssl_ca require_secure_transport tls_version character_set_server
    collation_server innodb_buffer_pool_size innodb_log_file_size
    max_connections table_open_cache max_heap_table_size tmp_table_size sort_buffer_size join_buffer_size read_buffer_size
    read_rnd_buffer_size thread_stack binlog_cache_size performance_schema slow_query_log_file log_slow_query_file
    long_query_time log_slow_query_time socket datadir
    """.split()
)

# Bounds are the server's own; outside of them it would silently take another value, or would not start.
BOUNDS: dict[str, tuple[int, int]] = {
    "mariadb_port": (1, 65535),
    "mariadb_slow_query_time_seconds": (0, 31536000),
    # 99 days: binlog_expire_logs_seconds ends at 8553600.
    "mariadb_binlog_expire_days": (1, 99),
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
    "mariadb_binlog_cache_size_kb": (4, 4194300),
}
# The server rounds these down to whole blocks. Source: IO_SIZE in https://github.com/MariaDB/server/blob/11.8/sql/sys_vars.cc
STEPS = {"mariadb_read_buffer_size_kb": 4, "mariadb_binlog_cache_size_kb": 4}


def problems(inputs: Mapping[str, Any], versions: str = "") -> list[str]:
    """What is wrong with role mariadb's inputs, one sentence each; a password is never part of one.

    :param inputs: public inputs of the role by name; one that is absent is not judged.
    :param versions: lines that say what is on the host: ``Data: 10.11.6-MariaDB`` as the data directory says,
        ``mariadbd  Ver 11.8.3-MariaDB`` as the server says, ``Candidate: 1:11.8.3`` as the package manager says.
    """
    databases = [str(name) for name in inputs.get("mariadb_databases") or []]
    users: Sequence[Mapping[str, Any]] = inputs.get("mariadb_users") or []
    roles: Sequence[Mapping[str, Any]] = inputs.get("mariadb_roles") or []
    found = [
        *_odd_databases(databases),
        *_odd_users(users),
        *_odd_passwords(users),
        *_odd_roles(users, roles),
        *_odd_rights(users, databases, "mariadb_users", versions),
        *_odd_rights(roles, databases, "mariadb_roles", versions),
        *_unmatched_networks(users),
        *_unmatched_hosts(users, bool(inputs.get("mariadb_skip_name_resolve"))),
        *_odd_bind_address(str(inputs.get("mariadb_bind_address", "localhost")), versions),
        *_odd_tls(inputs, users),
        *_odd_imports(inputs.get("mariadb_imports") or [], databases),
        *_odd_numbers(inputs),
        *_odd_settings(inputs.get("mariadb_extra_settings") or {}),
        *_odd_versions(versions),
    ]
    collation = str(inputs.get("mariadb_collation", "utf8mb4_bin"))
    if not re.fullmatch(r"utf8mb4_[a-z0-9_]+", collation):
        found.append(
            f"mariadb_collation is {collation}, which cannot hold every character; use one whose name begins with utf8mb4_."
        )
    return found


def canonical_right(right: Any) -> str:
    """A right as SHOW GRANTS names it."""
    return _CANONICAL.get(str(right).upper(), str(right).upper())


def version_in(versions: str, label: str) -> tuple[int, int] | None:
    """Major and minor version behind a label of the lines that :func:`problems` takes."""
    match = re.search(rf"^\s*{label} *(?:\d+:)?(\d+)\.(\d+)", versions, re.M)
    return (int(match[1]), int(match[2])) if match else None


def upgrade(found: str, backup_dir: str) -> dict[str, Any]:
    """What an upgrade has to do on a host.

    :param found: the lines that :func:`problems` takes, with ``Installed: 1:10.11.6-1``, ``Data bytes: 123`` (what the data
        directory takes), ``Free bytes: 456`` (what is free where backups go) and ``Prepared: yes`` (XA transactions are).
    :param backup_dir: where backups go.
    :returns: ``due``, whether anything is; ``version`` of the packages to install, empty where those that are there stay;
        ``old``, the packages' version before; ``problems``, one sentence each.
    """
    installed, candidate = _package_version(found, "Installed"), _package_version(found, "Candidate")
    server, data = version_in(found, r"\S+ +Ver"), version_in(found, "Data:")
    offered = version_in(found, "Candidate:")
    version = candidate if candidate and candidate != installed and offered and server and offered >= server else ""
    numbers = {name: int(number) for name, number in re.findall(r"^(Data bytes|Free bytes): *(\d+)", found, re.M)}
    needed = numbers.get("Data bytes", 0) * 11 // 10
    target = offered if version else server
    sentences = _odd_versions(found)
    if not installed:
        sentences.append("There is no package mariadb-server on this host to upgrade; run the role first.")
    if data and data < OLDEST:
        sentences.append(
            f"The data directory was last used by MariaDB {_dotted(data)}, from which there is no tested way to "
            f"{_dotted(target) if target else 'this server'}; upgrade to {_dotted(OLDEST)} first, or import a dump."
        )
    if numbers.get("Free bytes", needed) < needed:
        sentences.append(
            f"The backup needs {needed // 2**20} MB in {backup_dir}, where {numbers['Free bytes'] // 2**20} MB are free; make "
            "room, or set mariadb_backup_dir."
        )
    if re.search("^Prepared: yes", found, re.M):
        sentences.append(
            "Prepared XA transactions are open, which no upgrade carries over; commit them or roll them back (XA RECOVER lists "
            "them)."
        )
    due = bool(version) or bool(data and server and data < server)
    return {"due": due, "version": version, "old": installed, "problems": sentences if due or not installed else []}


def _package_version(found: str, label: str) -> str:
    match = re.search(rf"^\s*{label}: *(\d\S*)", found, re.M)
    return match[1] if match else ""


def _server_version(versions: str) -> tuple[int, int] | None:
    """The server's that is there, or else the one that is going to be installed."""
    return version_in(versions, r"\S+ +Ver") or version_in(versions, "Candidate:")


def _odd_versions(versions: str) -> list[str]:
    server, data = _server_version(versions), version_in(versions, "Data:")
    if not server:
        if "Ver" in versions or data:
            return [
                "Which version of MariaDB is installed or would be cannot be told on this host; refresh its package lists, or "
                f"install MariaDB {_dotted(OLDEST)} or newer."
            ]
        return []
    if server < OLDEST:
        return [
            f"MariaDB {_dotted(server)} is what this host has or offers, but the role knows {_dotted(OLDEST)} and newer; use a "
            "newer release of the system or of MariaDB."
        ]
    if data and data > server:
        return [
            f"The data directory was last used by MariaDB {_dotted(data)}, which is newer than this host's "
            f"{_dotted(server)} and cannot be read by it; install MariaDB {_dotted(data)}, or import a dump."
        ]
    return []


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))


def _odd_databases(databases: Iterable[str]) -> list[str]:
    odd = [name for name in databases if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name) or name in RESERVED_DATABASES]
    if not odd:
        return []
    return [
        f"mariadb_databases contains {quoted(odd)}; use 1 to 64 letters, digits, _ or -, and none of the server's own names "
        f"({', '.join(RESERVED_DATABASES)})."
    ]


def _odd_users(users: Sequence[Mapping[str, Any]]) -> list[str]:
    found = []
    names = [str(user["name"]) for user in users]
    odd = [name for name in names if not re.fullmatch(r"[A-Za-z0-9_.-]{1,80}", name) or name in RESERVED_USERS]
    odd += [host for host in map(host_of, users) if not re.fullmatch(r"[A-Za-z0-9_.:%/-]{1,255}", host)]
    if odd:
        found.append(
            f"mariadb_users contains the name or host {quoted(odd)}; use letters, digits, _, . or - in names, also : / and % "
            f"in hosts, and none of the server's own accounts ({', '.join(RESERVED_USERS)})."
        )
    twice = repeated(map(account_of, users))
    if twice:
        found.append(
            f"mariadb_users lists an account more than once ({', '.join(twice)}); merge the entries that share name and host."
        )
    return found


def _odd_passwords(users: Sequence[Mapping[str, Any]]) -> list[str]:
    found = []
    by_socket = [user for user in users if user.get("plugin") == "unix_socket"]
    bare = [str(user["name"]) for user in users if user not in by_socket and user.get("password") in (None, "")]
    if bare:
        found.append(f"mariadb_users: {', '.join(bare)} has no password; set it, best from a vault.")
    odd = [
        account_of(user)
        for user in by_socket
        if host_of(user) != "localhost" or user.get("password") or user.get("previous_password")
    ]
    if odd:
        found.append(
            f"mariadb_users: {', '.join(odd)} comes in by unix_socket, which takes no password and works at localhost only; "
            "correct plugin, host or password."
        )
    unknown = sorted({str(user["plugin"]) for user in users if user.get("plugin")} - set(PLUGINS))
    if unknown:
        found.append(f"mariadb_users has plugin {', '.join(unknown)}; use one of {', '.join(PLUGINS)}.")
    torn = [
        f"{account_of(one)} and {account_of(other)}"
        for one, other in itertools.combinations(users, 2)
        if one["name"] == other["name"]
        and one.get("password")
        and other.get("password") not in (None, "", one["password"])
        and host_of(one) != host_of(other)
        and overlap(host_of(one), host_of(other))
    ]
    if torn:
        found.append(
            f"mariadb_users has different passwords for one name at places that overlap ({', '.join(torn)}); give them one "
            "password, or different names."
        )
    return found


def overlap(one: str, other: str) -> bool:
    """Whether some client fits both hosts of accounts: names, addresses, patterns or networks with a mask."""
    if {one, other} <= {"localhost", "127.0.0.1", "::1"}:
        return True
    first, second = _network(one), _network(other)
    if first and second:
        return first.overlaps(second)
    return _patterns_meet(_pattern(one), _pattern(other))


def _network(host: str) -> ipaddress.IPv4Network | None:
    try:
        return ipaddress.IPv4Network(host, strict=False)
    except ValueError:
        return None


def _pattern(host: str) -> str:
    """The octets that the mask of a network fixes, and anything behind them."""
    network = _network(host)
    if not network or network.prefixlen == 32:
        return host
    octets = str(network.network_address).split(".")[: network.prefixlen // 8]
    return ".".join([*octets, "%"])


@lru_cache(maxsize=4096)
def _patterns_meet(one: str, other: str) -> bool:
    """Whether some text fits both patterns, in which % stands for any text and _ for any character."""
    if not one or not other:
        return not (one + other).strip("%")
    if one[0] == "%":
        return _patterns_meet(one[1:], other) or _patterns_meet(one, other[1:])
    if other[0] == "%":
        return _patterns_meet(other, one)
    return (one[0] == other[0] or "_" in (one[0], other[0])) and _patterns_meet(one[1:], other[1:])


def _odd_roles(users: Sequence[Mapping[str, Any]], roles: Sequence[Mapping[str, Any]]) -> list[str]:
    found = []
    names = [str(role["name"]) for role in roles]
    odd = [name for name in names if not re.fullmatch(r"[A-Za-z0-9_.-]{1,80}", name) or name in (*RESERVED_USERS, "none")]
    if odd:
        found.append(f"mariadb_roles contains the name {quoted(odd)}; use letters, digits, _, . or -, and no reserved name.")
    twice = repeated(names)
    if twice:
        found.append(f"mariadb_roles lists {', '.join(twice)} more than once; merge the entries.")
    unknown = sorted({str(role) for user in users for role in user.get("roles") or []} - set(names))
    if unknown:
        found.append(
            f"mariadb_users gives the role {', '.join(unknown)}, but mariadb_roles lists only {', '.join(names) or 'nothing'}; "
            "add it there or correct its name."
        )
    foreign = [
        account_of(user) for user in users if user.get("default_role") and user["default_role"] not in (user.get("roles") or [])
    ]
    if foreign:
        found.append(f"mariadb_users: the default_role of {', '.join(foreign)} is none of its roles; add it to them.")
    return found


def _odd_rights(owners: Sequence[Mapping[str, Any]], databases: Sequence[str], variable: str, versions: str) -> list[str]:
    found = []
    listed = [entry for owner in owners for entry in owner.get("privileges") or []]
    unknown: list[Any] = [[] for entry in listed if not entry["grant"]]
    unknown += dict.fromkeys(
        str(right)
        for entry in listed
        for right in entry["grant"] or []
        if str(right).upper() not in (GLOBAL_RIGHTS if entry["database"] == SERVER_WIDE else RIGHTS)
    )
    if unknown:
        of_server = any(str(right).upper() in GLOBAL_RIGHTS for right in unknown if right)
        known = f"{', '.join(RIGHTS)}" + (f"; rights on the whole server need database {SERVER_WIDE}" if of_server else "")
        found.append(f"{variable} grants {quoted(unknown)}, which is no right on a database; known are {known}.")
    server = _server_version(versions)
    later = sorted(
        {
            str(right).upper()
            for entry in listed
            for right in entry["grant"] or []
            if server and server < RIGHTS_SINCE.get(str(right).upper(), (0, 0))
        }
    )
    if server and later:
        found.append(
            f"{variable} grants {quoted(later)}, which MariaDB {_dotted(server)} does not know; leave it out, or use a newer "
            "version."
        )
    missing = list(
        dict.fromkeys(str(entry["database"]) for entry in listed if entry["database"] not in (*databases, SERVER_WIDE))
    )
    if missing:
        found.append(
            f"{variable} grants rights on {', '.join(missing)}, but mariadb_databases lists only "
            f"{', '.join(databases) or 'nothing'}; add the database there or correct its name."
        )
    twice = [
        f"{account_of(owner) if variable == 'mariadb_users' else owner['name']}: {database}"
        for owner in owners
        for database in repeated(str(entry["database"]) for entry in owner.get("privileges") or [])
    ]
    if twice:
        kind = "account" if variable == "mariadb_users" else "role"
        found.append(
            f"{variable} lists a database more than once in the privileges of one {kind} "
            f"({', '.join(twice)}); merge the entries."
        )
    return found


def _odd_tls(inputs: Mapping[str, Any], users: Sequence[Mapping[str, Any]]) -> list[str]:
    found = []
    files = inputs.get("mariadb_tls") or {}
    halves = [name for name in ("certificate", "key") if not files.get(name)]
    if files and halves:
        found.append(f"mariadb_tls has no {' and no '.join(halves)}; name certificate and key, or leave it empty.")
    needy = [account_of(user) for user in users if user.get("require_tls")]
    if "tls_offered" in inputs and not inputs["tls_offered"]:
        if needy:
            found.append(
                f"mariadb_users: {', '.join(needy)} has to use TLS, which the server does not offer on loopback; set "
                "mariadb_tls, or drop require_tls."
            )
        if inputs.get("mariadb_require_secure_transport"):
            found.append(
                "mariadb_require_secure_transport is on, but the server offers no TLS on loopback; set mariadb_tls, or turn it "
                "off."
            )
    return found


def _odd_imports(imports: Sequence[Mapping[str, Any]], databases: Sequence[str]) -> list[str]:
    found = []
    missing = [str(entry["database"]) for entry in imports if entry["database"] not in databases]
    if missing:
        found.append(
            f"mariadb_imports fills {', '.join(missing)}, but mariadb_databases lists only "
            f"{', '.join(databases) or 'nothing'}; add the database there or correct its name."
        )
    twice = repeated(str(entry["database"]) for entry in imports)
    if twice:
        found.append(f"mariadb_imports fills {', '.join(twice)} more than once; name one dump per database.")
    return found


def _unmatched_hosts(users: Iterable[Mapping[str, Any]], skip_name_resolve: bool) -> list[str]:
    named = [host for host in map(host_of, users) if not re.fullmatch(r"localhost|[0-9._/%]+|.*:.*", host)]
    if not (skip_name_resolve and named):
        return []
    return [
        f"mariadb_users lets in clients from {', '.join(named)}, but mariadb_skip_name_resolve is on, so that names match "
        "nobody; use addresses, or turn it off."
    ]


def matches_nobody(host: str) -> bool:
    """Whether a host of an account is a network that MariaDB takes for text: it knows a.b.c.d/255.255.255.0 only.

    Source: https://mariadb.com/docs/server/reference/sql-statements/account-management-sql-statements/create-user
    """
    mask = host.partition("/")[2]
    try:
        return "/" in host and str(ipaddress.IPv4Network(host).netmask) != mask
    except ValueError:
        return True


def _unmatched_networks(users: Iterable[Mapping[str, Any]]) -> list[str]:
    odd = [host for host in map(host_of, users) if matches_nobody(host)]
    if not odd:
        return []
    return [
        f"mariadb_users lets in clients from {', '.join(odd)}, which MariaDB matches with nobody; write a network as 10.0.0.% "
        "or 10.0.0.0/255.255.255.0."
    ]


def _odd_bind_address(given: str, versions: str) -> list[str]:
    addresses = given.split(",")
    if not all(map(_is_address_or_name, addresses)):
        return [
            f"mariadb_bind_address is {json.dumps(given)}; use an address or a name of this host, or several with commas and "
            "no blanks between them."
        ]
    server = _server_version(versions)
    if len(addresses) > 1 and server and server < SEVERAL_ADDRESSES_SINCE:
        return [
            f"mariadb_bind_address is {given}, but MariaDB {_dotted(server)} takes one address only; use that, or 0.0.0.0 and "
            "mariadb_firewall_sources."
        ]
    return []


def _is_address_or_name(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return text == "*" or re.fullmatch(r"(?![0-9.]+$)[A-Za-z0-9][A-Za-z0-9._-]*", text) is not None
    return True


def _odd_numbers(inputs: Mapping[str, Any]) -> list[str]:
    found = []
    for name, (low, high) in {**BOUNDS, **PLANNED_BOUNDS}.items():
        if name not in inputs:
            continue
        problem = out_of_bounds(name, inputs[name], low, high, is_planned=name in PLANNED_BOUNDS)
        if problem:
            found.append(problem)
        elif name in STEPS and number(inputs[name]) % STEPS[name]:
            found.append(f"{name} is {inputs[name]}, which the server would round; use a multiple of {STEPS[name]}.")
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
