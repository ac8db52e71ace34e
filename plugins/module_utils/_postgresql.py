# GNU General Public License v3.0+ (see LICENSE)
"""Decisions about PostgreSQL: what is wrong with the inputs, which file a setting belongs to, who may come in from where."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ._inputs import number, out_of_bounds, quoted, repeated
from ._plan.units import format_size

Item = Mapping[str, Any]

# Source: https://www.postgresql.org/docs/current/ddl-priv.html, table 5.2. MAINTAIN (17) is left out: older servers lack it.
RIGHTS: dict[str, tuple[str, ...]] = {
    "tables": ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"),
    "sequences": ("USAGE", "SELECT", "UPDATE"),
    "functions": ("EXECUTE",),
}
RESERVED_USERS = ("none", "postgres", "public")
RESERVED_DATABASES = ("postgres", "template0", "template1")
LOOPBACK = ("127.0.0.1/32", "::1/128")
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
POOLER_PORT = 6432
NAME = r"[A-Za-z0-9_][A-Za-z0-9_-]{0,62}"

# The server's own settings that it takes only as it starts, of all versions up to 18. What libraries bring has a dot in its
# name and is taken for one of these: a restart too many does no harm, one too few leaves a value that never takes hold.
START_ONLY = frozenset(
    """
    archive_mode autovacuum_freeze_max_age autovacuum_max_workers autovacuum_multixact_freeze_max_age autovacuum_worker_slots
    bonjour bonjour_name cluster_name commit_timestamp_buffers data_sync_retry debug_io_direct
    dynamic_shared_memory_type event_source external_pid_file hot_standby huge_page_size huge_pages ignore_invalid_pages
    io_max_combine_limit io_max_concurrency io_method jit_provider listen_addresses logging_collector
    max_active_replication_origins max_connections
    max_files_per_process max_locks_per_transaction max_logical_replication_workers max_notify_queue_pages
    max_pred_locks_per_transaction max_prepared_transactions max_replication_slots max_wal_senders max_worker_processes
    min_dynamic_shared_memory multixact_member_buffers multixact_offset_buffers notify_buffers old_snapshot_threshold port
    recovery_target recovery_target_action recovery_target_inclusive recovery_target_lsn recovery_target_name
    recovery_target_time recovery_target_timeline recovery_target_xid reserved_connections serializable_buffers
    shared_buffers shared_memory_type shared_preload_libraries subtransaction_buffers superuser_reserved_connections
    trace_connection_negotiation track_activity_query_size track_commit_timestamp transaction_buffers
    unix_socket_directories unix_socket_group unix_socket_permissions wal_buffers wal_decode_buffer_size wal_level wal_log_hints
    """.split()
)
# Set through inputs of their own, which the plan, the firewall rules and the checks read.
OWN_SETTINGS = frozenset(
    """
    config_file data_directory effective_cache_size hba_file ident_file include include_dir include_if_exists listen_addresses
    log_min_duration_statement max_connections password_encryption port shared_buffers shared_preload_libraries ssl
    ssl_cert_file ssl_key_file unix_socket_directories work_mem
    """.split()
)

BOUNDS: dict[str, tuple[int, int]] = {
    "postgresql_port": (1, 65535),
    "postgresql_pooler_port": (1, 65535),
    # The server counts milliseconds in 31 bits.
    "postgresql_slow_query_time_seconds": (0, 2147483),
    "postgresql_tls_lifetime_days": (1, 3650),
}
# 0 leaves these to the plan.
PLANNED_BOUNDS: dict[str, tuple[int, int]] = {
    "postgresql_shared_buffers_mb": (1, 8388607),
    "postgresql_work_mem_kb": (64, 2147483647),
    "postgresql_max_connections": (12, 10000),
    "postgresql_pool_size": (1, 10000),
}
USER_SECONDS = ("statement_timeout_seconds", "lock_timeout_seconds", "idle_in_transaction_timeout_seconds")


def problems(inputs: Item) -> list[str]:
    """What is wrong with role postgresql's inputs, one sentence each; a password is never part of one.

    :param inputs: public inputs of the role by name; one that is absent is not judged.
    """
    databases: Sequence[Item] = inputs.get("postgresql_databases") or []
    users: Sequence[Item] = inputs.get("postgresql_users") or []
    return [
        *_odd_databases(databases, users),
        *_odd_users(users),
        *_odd_roles(users),
        *_odd_hosts(users),
        *_odd_references(users, databases),
        *_odd_rights(users),
        *_odd_numbers(inputs),
        *_odd_pools(inputs, databases),
        *_odd_tls(inputs),
        *_odd_settings(inputs.get("postgresql_extra_settings") or {}),
        *_odd_rules(inputs.get("postgresql_extra_hba_rules") or []),
    ]


def owner_of(database: Item) -> str:
    """Role that a database of ``postgresql_databases`` belongs to."""
    return str(database.get("owner") or "postgres")


def _odd_databases(databases: Sequence[Item], users: Sequence[Item]) -> list[str]:
    found = []
    names = [str(database["name"]) for database in databases]
    parts = [*names, *(str(schema) for database in databases for schema in database.get("schemas") or [])]
    parts += [str(extension) for database in databases for extension in database.get("extensions") or []]
    odd = [name for name in parts if not re.fullmatch(NAME, name)]
    odd += [name for name in names if name in RESERVED_DATABASES]
    odd += [
        str(schema)
        for database in databases
        for schema in database.get("schemas") or []
        if str(schema).startswith("pg_") or schema == "information_schema"
    ]
    if odd:
        found.append(
            f"postgresql_databases contains the name {quoted(odd)}; use 1 to 63 letters, digits, _ or - for databases, "
            f"schemas and extensions, and none of the server's own ({', '.join(RESERVED_DATABASES)}, pg_*)."
        )
    twice = repeated(names)
    if twice:
        found.append(f"postgresql_databases lists {', '.join(twice)} more than once; merge the entries.")
    known = {str(user["name"]) for user in users} | {"postgres"}
    strangers = list(dict.fromkeys(owner_of(database) for database in databases if owner_of(database) not in known))
    if strangers:
        found.append(
            f"postgresql_databases gives databases to {quoted(strangers)}, but postgresql_users does not list that name; "
            "add the user there or correct the owner."
        )
    return found


def _odd_users(users: Sequence[Item]) -> list[str]:
    found = []
    names = [str(user["name"]) for user in users]
    odd = [name for name in names if not re.fullmatch(NAME, name) or name in RESERVED_USERS or name.startswith("pg_")]
    if odd:
        found.append(
            f"postgresql_users contains the name {quoted(odd)}; use 1 to 63 letters, digits, _ or -, and none of the server's "
            f"own ({', '.join(RESERVED_USERS)}, pg_*)."
        )
    twice = repeated(names)
    if twice:
        found.append(
            f"postgresql_users lists {', '.join(twice)} more than once; PostgreSQL knows one role of a name, so merge the "
            "entries and list all their client_hosts."
        )
    bare = [str(user["name"]) for user in users if logs_in(user) and user.get("password") in (None, "")]
    if bare:
        found.append(
            f"postgresql_users: {', '.join(bare)} has no password; set it, best from a vault, or say login: false for a group."
        )
    broken = [str(user["name"]) for user in users if re.search(r"[\x00-\x1f\x7f]", str(user.get("password") or ""))]
    if broken:
        found.append(f"postgresql_users: the password of {', '.join(broken)} holds a control character; choose another.")
    return found


def _odd_roles(users: Sequence[Item]) -> list[str]:
    known = {str(user["name"]) for user in users}
    unknown = [
        str(role)
        for user in users
        for role in user.get("roles") or []
        if str(role) not in known and not re.fullmatch(r"pg_[a-z_]+", str(role))
    ]
    if not unknown:
        return []
    return [
        f"postgresql_users makes users members of {quoted(dict.fromkeys(unknown))}, which is neither one of the server's own "
        "roles (pg_*) nor listed; add it to postgresql_users with login: false or correct its name."
    ]


def _odd_hosts(users: Sequence[Item]) -> list[str]:
    odd = [str(host) for user in users for host in user.get("client_hosts") or [] if network_of(host) is None]
    if not odd:
        return []
    return [
        f"postgresql_users lets in clients from {quoted(dict.fromkeys(odd))}; use localhost, an address such as 10.0.0.7 or a "
        "network such as 10.0.0.0/24 with no bits set behind its prefix."
    ]


def _odd_references(users: Sequence[Item], databases: Sequence[Item]) -> list[str]:
    found = []
    known = [str(database["name"]) for database in databases]
    named = [str(name) for user in users for name in user.get("databases") or []]
    missing = [name for name in dict.fromkeys(named) if name not in known]
    if missing:
        found.append(
            f"postgresql_users lets users into {', '.join(missing)}, but postgresql_databases lists only "
            f"{', '.join(known) or 'nothing'}; add the database there or correct its name."
        )
    closed = [
        f"{user['name']}: {entry['database']}"
        for user in users
        for entry in user.get("privileges") or []
        if str(entry["database"]) not in databases_of(user, databases)
    ]
    if closed:
        found.append(
            f"postgresql_users gives privileges in a database that the user may not enter ({', '.join(closed)}); add it to the "
            "user's databases."
        )
    schemas = {str(database["name"]): {"public", *map(str, database.get("schemas") or [])} for database in databases}
    lost = [
        f"{user['name']}: {entry['database']}.{entry.get('schema') or 'public'}"
        for user in users
        for entry in user.get("privileges") or []
        if str(entry.get("schema") or "public") not in schemas.get(str(entry["database"]), {str(entry.get("schema"))})
    ]
    if lost:
        found.append(
            f"postgresql_users gives privileges in a schema that postgresql_databases does not list ({', '.join(lost)}); add "
            "it to the schemas of the database."
        )
    owners = [
        f"{user['name']}: {entry['database']}"
        for user in users
        for entry in user.get("privileges") or []
        if any(str(entry["database"]) == str(item["name"]) and owner_of(item) == user["name"] for item in databases)
    ]
    if owners:
        found.append(
            f"postgresql_users gives the owner of a database privileges in it ({', '.join(owners)}); an owner has them all, so "
            "leave them out."
        )
    twice = [
        f"{user['name']}: {place}"
        for user in users
        for place in repeated(
            f"{entry['database']}.{entry.get('schema') or 'public'}" for entry in user.get("privileges") or []
        )
    ]
    if twice:
        found.append(
            f"postgresql_users lists a schema more than once in the privileges of one user ({', '.join(twice)}); merge."
        )
    return found


def _odd_rights(users: Sequence[Item]) -> list[str]:
    found = []
    for kind, known in RIGHTS.items():
        unknown = [
            str(right)
            for user in users
            for entry in user.get("privileges") or []
            for right in entry.get(kind) or []
            if str(right).upper() not in (*known, "ALL")
        ]
        if unknown:
            found.append(
                f"postgresql_users grants {quoted(dict.fromkeys(unknown))}, which is no right on {kind}; known are "
                f"{', '.join(known)} and ALL."
            )
    return found


def _odd_numbers(inputs: Item) -> list[str]:
    found = []
    for name, (low, high) in {**BOUNDS, **PLANNED_BOUNDS}.items():
        if name not in inputs:
            continue
        problem = out_of_bounds(name, inputs[name], low, high, is_planned=name in PLANNED_BOUNDS)
        if problem:
            found.append(problem)
    for user in inputs.get("postgresql_users") or []:
        for key in USER_SECONDS:
            if user.get(key) is not None and not 0 <= number(user[key]) <= 2147483:
                found.append(
                    f"postgresql_users: {key} of {user['name']} is {user[key]}; use seconds from 1 to 2147483, or 0 for no "
                    "limit."
                )
        limits = [number(user[key]) for key in USER_SECONDS[:2] if user.get(key)]
        if len(limits) == 2 and limits[1] >= limits[0]:
            found.append(
                f"postgresql_users: lock_timeout_seconds of {user['name']} is {user['lock_timeout_seconds']}, so its "
                f"statement_timeout_seconds ({user['statement_timeout_seconds']}) always strikes first; lower the first."
            )
    return found


def _odd_pools(inputs: Item, databases: Sequence[Item]) -> list[str]:
    pooled = [str(database["name"]) for database in databases if database.get("pooled")]
    if not pooled:
        return []
    found = []
    if "pgbouncer" in pooled:
        found.append(
            'postgresql_databases has "pgbouncer" pooled, which is the name of the pooler\'s own; choose another name.'
        )
    port = inputs.get("postgresql_port")
    if port and number(port) in (POOLER_PORT, number(inputs.get("postgresql_pooler_port", POOLER_PORT))):
        found.append(
            f"postgresql_port is {port}, which the pooler takes, with which its package starts or as postgresql_pooler_port; "
            "choose another, or have no database pooled."
        )
    return found


def _odd_tls(inputs: Item) -> list[str]:
    certificate, key = (bool(inputs.get(f"postgresql_tls_{part}_pem")) for part in ("certificate", "key"))
    if certificate == key:
        return []
    return [
        f"postgresql_tls_{'certificate' if certificate else 'key'}_pem is set, but postgresql_tls_"
        f"{'key' if certificate else 'certificate'}_pem is not; set both, or none for a self-signed certificate."
    ]


def _odd_settings(settings: Item) -> list[str]:
    odd = [
        str(name)
        for name, value in settings.items()
        if not re.fullmatch(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?", str(name))
        or name in OWN_SETTINGS
        or not isinstance(value, (str, int, float))
        or re.search(r"[\x00-\x1f]", str(value))
    ]
    if not odd:
        return []
    return [
        f"postgresql_extra_settings sets {', '.join(odd)}; use the role's own input where there is one, lower-case names, and "
        "plain values on one line."
    ]


def _odd_rules(rules: Sequence[Any]) -> list[str]:
    odd = [str(rule) for rule in rules if not re.fullmatch(r"(local|host\w*)\s[^\x00-\x1f]+", str(rule))]
    if not odd:
        return []
    return [
        f"postgresql_extra_hba_rules contains {quoted(odd)}; write one line of pg_hba.conf, which begins with local, host, "
        "hostssl, hostnossl, hostgssenc or hostnogssenc."
    ]


def logs_in(user: Item) -> bool:
    return user.get("login") is not False


def databases_of(user: Item, databases: Sequence[Item]) -> list[str]:
    """Names of the databases that a user of ``postgresql_users`` may enter: those listed and those it owns."""
    owned = [str(database["name"]) for database in databases if owner_of(database) == str(user["name"])]
    return list(dict.fromkeys([*map(str, user.get("databases") or []), *owned]))


def network_of(host: Any) -> str | None:
    """A client host as ``pg_hba.conf`` takes it: empty for this host, a network with its prefix; None where it is neither."""
    if str(host) in LOOPBACK_NAMES:
        return ""
    try:
        return str(ipaddress.ip_network(str(host)))
    except ValueError:
        return None


def rules(users: Sequence[Item], databases: Sequence[Item], tls: bool) -> list[str]:
    """The lines of ``pg_hba.conf`` that let users in, in the order of the inventory.

    :param tls: whether the server has a certificate. Without one nobody comes in from beyond this host.
    """
    found = []
    for user in users:
        if not logs_in(user):
            continue
        networks = list(dict.fromkeys(network_of(host) or "" for host in user.get("client_hosts") or ["localhost"]))
        for database in databases_of(user, databases):
            who = f'"{database}" "{user["name"]}"'
            for network in networks:
                if network:
                    found += [f"hostssl {who} {network} scram-sha-256"] if tls else []
                else:
                    found.append(f"local {who} scram-sha-256")
                    found += [f"host {who} {address} scram-sha-256" for address in LOOPBACK]
    return found


def settings(planned: Item, explained: Item, extra: Item) -> dict[str, dict[str, str]]:
    """What the plan and the user set, as the server reads it, by what the server has to do to take it.

    :param planned: section ``postgresql`` of the plan; sizes in bytes.
    :param explained: ``explain`` of the plan, which says what is a size.
    :param extra: ``postgresql_extra_settings``, which stand above the plan's.
    :returns: ``start`` (the server has to be started anew) and ``reload``, each name to its quoted value.
    """
    found: dict[str, dict[str, str]] = {"start": {}, "reload": {}}
    values = {name: _planned(value, explained[f"postgresql.{name}"]["unit"]) for name, value in planned.items()}
    values.update((str(name), _quoted_setting(value)) for name, value in extra.items())
    for name, value in sorted(values.items()):
        found["start" if name in START_ONLY or "." in name else "reload"][name] = value
    return found


def _planned(value: Any, unit: str) -> str:
    return f"'{format_size(value, 'postgresql') if unit == 'bytes' else value}'"


def _quoted_setting(value: Any) -> str:
    text = ("on" if value else "off") if isinstance(value, bool) else str(value)
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"
