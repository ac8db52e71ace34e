# GNU General Public License v3.0+ (see LICENSE)
"""What differs between a PostgreSQL server and what is wanted of it: one script of psql reads it, another brings it about."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ._plan.timeouts import request_timeouts
from ._postgresql import RIGHTS, databases_of, logs_in, owner_of
from ._postgresql_scram import fits, verifier

Item = Mapping[str, Any]
Found = dict[str, Any]

STATISTICS = "pg_stat_statements"
SYSTEM_DATABASE = "postgres"
SUPERUSER = "postgres"
ENTER = frozenset({"CONNECT", "TEMPORARY"})
ATTRIBUTES = {
    "super": "SUPERUSER",
    "createdb": "CREATEDB",
    "createrole": "CREATEROLE",
    "replication": "REPLICATION",
    "bypassrls": "BYPASSRLS",
}
# Kinds of objects as GRANT ... ON ALL ... and ALTER DEFAULT PRIVILEGES name them; those without rights of ours lose all.
OBJECTS = {"tables": "TABLES", "sequences": "SEQUENCES", "functions": "ROUTINES", "types": "TYPES", "schemas": "SCHEMAS"}
GRANTABLE = "*"
# What the superuser has in a database, such as all that a dump brought that was restored as it, and how it is given away.
# Members of extensions are not among it, nor what follows another object (sequences of columns, constructors of ranges), nor
# functions with SECURITY DEFINER, which are there to do what their caller may not.
STRAYS = """
SELECT n.nspname AS schema, CASE c.relkind WHEN 'S' THEN 'sequences' WHEN 'c' THEN 'types' ELSE 'tables' END AS kind,
format('ALTER %s %I.%I', CASE c.relkind WHEN 'c' THEN 'TYPE' ELSE 'TABLE' END, n.nspname, c.relname) AS change
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relowner = 'postgres'::regrole AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c')
AND NOT EXISTS (SELECT FROM pg_depend
WHERE classid = 'pg_class'::regclass AND objid = c.oid AND (deptype = 'e' OR c.relkind = 'S' AND refobjsubid > 0))
UNION ALL SELECT n.nspname, 'functions', format('ALTER ROUTINE %s', p.oid::regprocedure)
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE p.proowner = 'postgres'::regrole AND NOT p.prosecdef AND NOT EXISTS (SELECT FROM pg_depend
WHERE classid = 'pg_proc'::regclass AND objid = p.oid AND deptype IN ('e', 'i'))
UNION ALL SELECT n.nspname, 'types', format('ALTER TYPE %I.%I', n.nspname, t.typname)
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE t.typowner = 'postgres'::regrole AND t.typtype IN ('d', 'e', 'r') AND NOT EXISTS (SELECT FROM pg_depend
WHERE classid = 'pg_type'::regclass AND objid = t.oid AND deptype = 'e')
"""

_CLUSTER = """
SELECT json_build_object(
'version', current_setting('server_version_num')::int,
'settings', (SELECT json_object_agg(name, json_build_array(setting, unit)) FROM pg_settings WHERE name IN ({settings})),
'problems', (SELECT json_agg(text) FROM (
SELECT format('line %s of pg_hba.conf: %s', line_number, error) AS text FROM pg_hba_file_rules WHERE error IS NOT NULL
UNION ALL SELECT format('%s in line %s of %s: %s', name, sourceline, sourcefile, error) FROM pg_file_settings
WHERE error IS NOT NULL AND error <> 'setting could not be applied') AS wrong),
'pending', (SELECT json_agg(name ORDER BY name) FROM pg_settings WHERE pending_restart),
'roles', (SELECT json_agg(json_build_object('name', rolname, 'password', rolpassword, 'login', rolcanlogin,
'super', rolsuper, 'createdb', rolcreatedb, 'createrole', rolcreaterole, 'replication', rolreplication,
'bypassrls', rolbypassrls, 'limit', rolconnlimit, 'expires', rolvaliduntil < 'infinity',
'settings', (SELECT setconfig FROM pg_db_role_setting WHERE setrole = a.oid AND setdatabase = 0),
'roles', (SELECT json_agg(r.rolname) FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid WHERE m.member = a.oid)))
FROM pg_authid a WHERE rolname IN ({users})),
'databases', (SELECT json_agg(json_build_object('name', datname, 'owner', pg_get_userbyid(datdba),
'rights', (SELECT json_agg(json_build_array(CASE grantee WHEN 0 THEN '' ELSE pg_get_userbyid(grantee) END, privilege_type))
FROM aclexplode(COALESCE(datacl, acldefault('d', datdba))) WHERE grantee <> datdba)))
FROM pg_database WHERE datname IN ({databases})))
"""
_DATABASE = """
WITH users AS (SELECT oid, rolname FROM pg_roles WHERE rolname IN ({users})),
spaces AS (SELECT * FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'),
objects AS (SELECT n.nspname AS schema, CASE c.relkind WHEN 'S' THEN 'sequences' ELSE 'tables' END AS kind, c.relowner AS owner,
c.relacl AS acl FROM pg_class c JOIN spaces n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
UNION ALL SELECT n.nspname, 'functions', p.proowner, p.proacl FROM pg_proc p JOIN spaces n ON n.oid = p.pronamespace)
SELECT json_build_object('database', current_database(),
'extensions', (SELECT json_agg(extname) FROM pg_extension),
'schemas', (SELECT json_agg(json_build_object('name', nspname, 'owner', pg_get_userbyid(nspowner),
'rights', (SELECT json_agg(json_build_array(COALESCE(u.rolname, ''), privilege_type))
FROM aclexplode(COALESCE(nspacl, acldefault('n', nspowner))) LEFT JOIN users u ON u.oid = grantee
WHERE grantee <> nspowner AND (grantee = 0 OR u.oid IS NOT NULL)))) FROM spaces),
'objects', (SELECT json_agg(json_build_array(schema, kind, owner, number)) FROM
(SELECT schema, kind, pg_get_userbyid(owner) AS owner, count(*) AS number FROM objects GROUP BY 1, 2, 3) AS counted),
'strays', (SELECT json_agg(json_build_array(schema, kind, number)) FROM
(SELECT schema, kind, count(*) AS number FROM ({strays}) AS a
WHERE schema !~ '^pg_' AND schema <> 'information_schema' GROUP BY 1, 2 ORDER BY 1, 2) AS counted),
'grants', (SELECT json_agg(json_build_array(schema, kind, rolname, privilege, number)) FROM
(SELECT schema, kind, rolname, privilege_type || CASE WHEN is_grantable THEN '*' ELSE '' END AS privilege, count(*) AS number
FROM objects, aclexplode(acl) JOIN users ON users.oid = grantee WHERE grantee <> owner GROUP BY 1, 2, 3, 4
UNION ALL SELECT n.nspname, 'columns', rolname, privilege_type, count(*) FROM pg_attribute
JOIN pg_class c ON c.oid = attrelid JOIN spaces n ON n.oid = c.relnamespace,
aclexplode(attacl) JOIN users ON users.oid = grantee
WHERE grantee <> c.relowner GROUP BY 1, 2, 3, 4) AS granted),
'defaults', (SELECT json_agg(json_build_array(pg_get_userbyid(defaclrole), COALESCE(n.nspname, ''),
CASE defaclobjtype WHEN 'r' THEN 'tables' WHEN 'S' THEN 'sequences' WHEN 'f' THEN 'functions' WHEN 'T' THEN 'types'
ELSE 'schemas' END, rolname, privilege_type || CASE WHEN is_grantable THEN '*' ELSE '' END))
FROM pg_default_acl LEFT JOIN pg_namespace n ON n.oid = defaclnamespace, aclexplode(defaclacl) JOIN users ON users.oid = grantee
WHERE grantee <> defaclrole))
"""


def survey(users: Sequence[Item], databases: Sequence[Item], planned: Iterable[str] = (), statistics: bool = True) -> str:
    """A script of psql that reads all that :func:`due` and :func:`deviations` compare, one JSON document a line.

    :param users: ``postgresql_users``; their names have passed the checks of the inputs.
    :param databases: ``postgresql_databases``, likewise.
    :param planned: names of the settings to look at.
    :param statistics: whether the server's own database is to have ``pg_stat_statements``.
    """
    names = _listed(str(user["name"]) for user in users)
    cluster = _CLUSTER.replace("{settings}", _listed(["data_checksums", "listen_addresses", "port", "ssl", *planned]))
    cluster = cluster.replace("{users}", names).replace("{databases}", _listed(str(entry["name"]) for entry in databases))
    lines = [f"{_one_line(cluster)};"]
    inside = _one_line(_DATABASE.replace("{strays}", STRAYS)).replace("{users}", names)
    for name in [*([SYSTEM_DATABASE] if statistics else []), *(str(entry["name"]) for entry in databases)]:
        lines += [
            f"SELECT count(*) > 0 AS there FROM pg_database WHERE datname = {_literal(name)} AND datallowconn \\gset",
            "\\if :there",
            f"\\connect {_identifier(name)}",
            f"{inside};",
            "\\endif",
        ]
    return "\n".join(lines) + "\n"


def due(
    surveyed: str,
    databases: Sequence[Item],
    users: Sequence[Item],
    pools: Item,
    locale: str = "C.UTF-8",
    statistics: bool = True,
) -> dict[str, Any]:
    """What has to be done on a server so that it is as wanted.

    :param surveyed: what the script of :func:`survey` printed for the same users and databases.
    :param pools: ``timeouts.pools`` of the plan, the time limits of each pool in seconds.
    :param locale: of new databases that have none of their own.
    :returns: ``script`` for psql (it holds what the server keeps of passwords) and ``report``: the same in words and without
        a secret.
    """
    cluster, inside = _documents(surveyed)
    work = _Work()
    roles = {role["name"]: role for role in cluster["roles"] or []}
    for user in users:
        _role(work, user, roles.get(str(user["name"])), pools)
    for user in users:
        _memberships(work, user, roles.get(str(user["name"]), {}))
    work.end_transaction()
    existing = {entry["name"]: entry for entry in cluster["databases"] or []}
    for database in databases:
        _database(work, database, existing.get(str(database["name"])), users, databases, locale)
    for database in databases:
        name = str(database["name"])
        work.enter(name)
        _Inside(work, database, inside.get(name) or _fresh(cluster["version"]), users).compare()
        work.end_transaction()
    if statistics and STATISTICS not in (inside.get(SYSTEM_DATABASE) or {}).get("extensions", [STATISTICS]):
        work.enter(SYSTEM_DATABASE)
        work.do(f"{SYSTEM_DATABASE}: CREATE EXTENSION {STATISTICS}", f"CREATE EXTENSION {STATISTICS}")
        work.end_transaction()
    return {"script": "".join(f"{line}\n" for line in work.lines), "report": work.report}


def deviations(surveyed: str, planned: Item, explained: Item, wanted: Item) -> list[str]:
    """What the server runs with otherwise than the role wrote, in words.

    :param surveyed: what the script of :func:`survey` printed.
    :param planned: section ``postgresql`` of the plan; sizes in bytes.
    :param explained: ``explain`` of the plan, which says what is a size.
    :param wanted: further settings by name, as ``pg_settings`` shows them.
    """
    cluster, _inside = _documents(surveyed)
    found = [str(problem) for problem in cluster["problems"] or []]
    found += [f"{name} waits for a restart" for name in cluster["pending"] or []]
    running = cluster["settings"] or {}
    for name, value in {**planned, **wanted}.items():
        if name not in running:
            continue
        setting, unit = running[name]
        is_size = explained.get(f"postgresql.{name}", {}).get("unit") == "bytes"
        if not _equal(setting, unit, value, is_size):
            shown = f"{setting} {unit}" if unit else setting
            found.append(f"{name} is {shown} instead of {value}{' bytes' if is_size else ''}")
    return found


UNITS = {"B": 1, "kB": 1024, "8kB": 8192, "16kB": 16384, "32kB": 32768, "MB": 1048576}


def _equal(setting: str, unit: str | None, value: Any, is_size: bool) -> bool:
    if is_size and unit in UNITS:
        return int(setting) == (value // UNITS[unit] if int(value) >= 0 else int(value))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(setting) == float(value)
    return str(setting) == str(value)


def timeouts(user: Item, pools: Item) -> dict[str, str]:
    """A user's time limits, which strike before PHP's own: those of the pool of the same name, else of an ordinary request.

    :param user: item of ``postgresql_users``, whose own ``..._seconds`` stand above; 0 is no limit.
    """
    limits = pools.get(str(user["name"])) or request_timeouts({"name": user["name"]})
    statement = _seconds(user, "statement_timeout_seconds", limits["statement"])
    lock = _seconds(
        user, "lock_timeout_seconds", max(1, min(limits["lock_wait"], statement - 1)) if statement else limits["lock_wait"]
    )
    idle = _seconds(user, "idle_in_transaction_timeout_seconds", limits["request_terminate_timeout"])
    named = {"statement_timeout": statement, "lock_timeout": lock, "idle_in_transaction_session_timeout": idle}
    return {name: f"{value}s" if value else "0" for name, value in named.items()}


def _seconds(user: Item, key: str, computed: int) -> int:
    return computed if user.get(key) is None else int(user[key])


class _Work:
    """Statements and their words, in the order in which they are to be done."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.report: list[str] = []
        self._open = False
        self._enter = ""

    def enter(self, database: str) -> None:
        """Connect to a database before the next statement, if one comes."""
        self._enter = database

    def do(self, words: str, *statements: str) -> None:
        if self._enter:
            self.lines.append(f"\\connect {_identifier(self._enter)}")
            self._enter = ""
        if not self._open:
            self.lines.append("BEGIN;")
            self._open = True
        self.lines += [f"{statement};" for statement in statements]
        self.report.append(words)

    def do_alone(self, words: str, statement: str) -> None:
        """A statement that no transaction can hold."""
        self.end_transaction()
        self.lines.append(f"{statement};")
        self.report.append(words)

    def end_transaction(self) -> None:
        if self._open:
            self.lines.append("COMMIT;")
        self._open = False
        self._enter = ""


def _role(work: _Work, user: Item, role: Item | None, pools: Item) -> None:
    name = str(user["name"])
    quoted = _identifier(name)
    limit = int(user.get("connection_limit") or -1)
    if role is None:
        work.do(f"{name}: is created", f"CREATE ROLE {quoted}")
    known = role or {"roles": [], "settings": [], "limit": -1, "login": False}
    if bool(known["login"]) != logs_in(user):
        work.do(
            f"{name}: {'may' if logs_in(user) else 'may no longer'} log in",
            f"ALTER ROLE {quoted} {'' if logs_in(user) else 'NO'}LOGIN",
        )
    for key, word in ATTRIBUTES.items():
        if known.get(key):
            work.do(f"{name}: loses {word}", f"ALTER ROLE {quoted} NO{word}")
    if known["limit"] != limit:
        work.do(
            f"{name}: has {limit if limit > 0 else 'any number of'} connections",
            f"ALTER ROLE {quoted} CONNECTION LIMIT {limit}",
        )
    if known.get("expires"):
        work.do(f"{name}: no longer expires", f"ALTER ROLE {quoted} VALID UNTIL 'infinity'")
    if not logs_in(user):
        return
    if not fits(str(user["password"]), known.get("password")):
        work.do(f"{name}: gets its password", f"ALTER ROLE {quoted} PASSWORD {_literal(verifier(str(user['password'])))}")
    current = dict(setting.split("=", 1) for setting in known["settings"] or [])
    for setting, value in timeouts(user, pools).items():
        if current.get(setting) != value:
            work.do(f"{name}: {setting} is {value}", f"ALTER ROLE {quoted} SET {setting} = {_literal(value)}")


def _memberships(work: _Work, user: Item, role: Item) -> None:
    name = str(user["name"])
    current, wanted = set(role.get("roles") or []), {str(entry) for entry in user.get("roles") or []}
    for other in sorted(wanted - current):
        work.do(f"{name}: becomes a member of {other}", f"GRANT {_identifier(other)} TO {_identifier(name)}")
    for other in sorted(current - wanted):
        work.do(f"{name}: is no longer a member of {other}", f"REVOKE {_identifier(other)} FROM {_identifier(name)}")


def _database(
    work: _Work, database: Item, existing: Item | None, users: Sequence[Item], databases: Sequence[Item], locale: str
) -> None:
    name, owner = str(database["name"]), owner_of(database)
    quoted = _identifier(name)
    if existing is None:
        work.do_alone(
            f"CREATE DATABASE {name}",
            f"CREATE DATABASE {quoted} OWNER {_identifier(owner)} TEMPLATE template0 ENCODING 'UTF8' "
            f"LOCALE {_literal(str(database.get('locale') or locale))}",
        )
        existing = {"owner": owner, "rights": [["", "CONNECT"], ["", "TEMPORARY"]]}
    if existing["owner"] != owner:
        work.do(f"{name}: belongs to {owner}", f"ALTER DATABASE {quoted} OWNER TO {_identifier(owner)}")
    rights: dict[str, set[str]] = {}
    for grantee, right in existing["rights"] or []:
        rights.setdefault(grantee, set()).add(right)
    if rights.get(""):
        work.do(f"{name}: is closed to everybody else", f"REVOKE ALL ON DATABASE {quoted} FROM PUBLIC")
    for user in users:
        grantee = str(user["name"])
        if grantee == owner:
            continue
        wanted = ENTER if name in databases_of(user, databases) else frozenset()
        current = rights.get(grantee, set())
        target = f"DATABASE {quoted}"
        _grant(work, f"{name}: {grantee}", target, grantee, wanted - current)
        _revoke(work, f"{name}: {grantee}", target, grantee, current - wanted)
    work.end_transaction()


def _grant(work: _Work, who: str, target: str, grantee: str, rights: Iterable[str]) -> None:
    listed = ", ".join(sorted(rights))
    if listed:
        work.do(f"{who} gets {listed} on {_plain(target)}", f"GRANT {listed} ON {target} TO {_identifier(grantee)}")


def _revoke(work: _Work, who: str, target: str, grantee: str, rights: Iterable[str]) -> None:
    listed = ", ".join(sorted(rights))
    if listed:
        work.do(f"{who} loses {listed} on {_plain(target)}", f"REVOKE {listed} ON {target} FROM {_identifier(grantee)} CASCADE")


def _plain(target: str) -> str:
    return target.replace('"', "").lower()


def _fresh(version: int) -> Found:
    """A database that has just been made from template0."""
    is_closed = version >= 150000
    return {
        "extensions": [],
        "schemas": [
            {
                "name": "public",
                "owner": "pg_database_owner" if is_closed else "postgres",
                "rights": [["", "USAGE"], *([] if is_closed else [["", "CREATE"]])],
            }
        ],
    }


class _Inside:
    """One database: its extensions, its schemas, and what declared users may do with what is in them."""

    def __init__(self, work: _Work, database: Item, found: Item, users: Sequence[Item]) -> None:
        self.work = work
        self.name = str(database["name"])
        self.owner = owner_of(database)
        self.database = database
        self.found = found
        self.users = [user for user in users if str(user["name"]) != self.owner]
        self.schemas = {schema["name"]: schema for schema in found.get("schemas") or []}
        # An extension brings objects that nobody has counted.
        self.grows = any(name not in (found.get("extensions") or []) for name in database.get("extensions") or [])

    def compare(self) -> None:
        for extension in self.database.get("extensions") or []:
            if extension not in (self.found.get("extensions") or []):
                self._do(f"CREATE EXTENSION {extension}", f"CREATE EXTENSION {_identifier(extension)}")
        for schema in self.database.get("schemas") or []:
            self._schema(str(schema))
        self._public()
        self._strays()
        for user in self.users:
            self._user(user)

    def _do(self, words: str, *statements: str) -> None:
        self.work.do(f"{self.name}: {words}", *statements)

    def _schema(self, name: str) -> None:
        quoted, schema = _identifier(name), self.schemas.get(name)
        if schema is None:
            self._do(f"CREATE SCHEMA {name}", f"CREATE SCHEMA {quoted} AUTHORIZATION {_identifier(self.owner)}")
            self.schemas[name] = {"name": name, "owner": self.owner, "rights": []}
            return
        if schema["owner"] != self.owner:
            self._do(f"schema {name} belongs to {self.owner}", f"ALTER SCHEMA {quoted} OWNER TO {_identifier(self.owner)}")
        if any(grantee == "" for grantee, _right in schema["rights"] or []):
            self._do(f"schema {name} is closed to everybody else", f"REVOKE ALL ON SCHEMA {quoted} FROM PUBLIC")

    def _public(self) -> None:
        """Up to 14 everybody may make tables in schema public, and the owner of the database owns none of it."""
        schema = self.schemas.get("public")
        if schema is None or "public" in (self.database.get("schemas") or []):
            return
        if schema["owner"] not in (self.owner, "pg_database_owner"):
            self._do(f"schema public belongs to {self.owner}", f"ALTER SCHEMA public OWNER TO {_identifier(self.owner)}")
        if ["", "CREATE"] in (schema["rights"] or []):
            self._do("nobody else makes objects in schema public", "REVOKE CREATE ON SCHEMA public FROM PUBLIC")

    def _strays(self) -> None:
        """The owner of a database may do nothing with a table of the superuser, and no right of ours would change that."""
        if self.owner == SUPERUSER:
            return
        for schema, kind, number in self.found.get("strays") or []:
            if schema not in {"public", *map(str, self.database.get("schemas") or [])}:
                continue
            self._do(
                f"{kind} of {SUPERUSER} in schema {schema} belong to {self.owner} ({number})",
                f"DO $do$ DECLARE wanted text; BEGIN FOR wanted IN SELECT change FROM ({_one_line(STRAYS)}) AS a "
                f"WHERE schema = {_literal(schema)} AND kind = {_literal(kind)} "
                f"LOOP EXECUTE wanted || {_literal(f' OWNER TO {_identifier(self.owner)}')}; END LOOP; END $do$",
            )

    def _user(self, user: Item) -> None:
        name = str(user["name"])
        entries = {
            str(entry.get("schema") or "public"): entry
            for entry in user.get("privileges") or []
            if str(entry["database"]) == self.name
        }
        for schema in self.schemas.values():
            if schema["owner"] == name:
                continue
            wanted = {"USAGE"} if schema["name"] in entries else set()
            current = {right for grantee, right in schema["rights"] or [] if grantee == name}
            target = f"SCHEMA {_identifier(schema['name'])}"
            _grant(self.work, f"{self.name}: {name}", target, name, wanted - current)
            _revoke(self.work, f"{self.name}: {name}", target, name, current - wanted)
            for kind in RIGHTS:
                self._objects(name, str(schema["name"]), kind, wanted_rights(entries.get(schema["name"]), kind))
        self._defaults(name, entries)

    def _objects(self, user: str, schema: str, kind: str, wanted: set[str]) -> None:
        others = sum(
            number
            for place, of_kind, owner, number in self.found.get("objects") or []
            if (place, of_kind) == (schema, kind) and owner != user
        )
        counts: dict[str, int] = {}
        passed_on, in_columns = set(), set()
        for place, of_kind, grantee, right, number in self.found.get("grants") or []:
            if (place, grantee) != (schema, user):
                continue
            if of_kind == "columns" and kind == "tables":
                in_columns.add(right)
            elif of_kind == kind:
                counts[right.rstrip(GRANTABLE)] = counts.get(right.rstrip(GRANTABLE), 0) + number
                passed_on |= {right.rstrip(GRANTABLE)} if right.endswith(GRANTABLE) else set()
        who, target = f"{self.name}: {user}", f"ALL {OBJECTS[kind]} IN SCHEMA {_identifier(schema)}"
        _grant(self.work, who, target, user, {right for right in wanted if self.grows or counts.get(right, 0) < others})
        _revoke(self.work, who, target, user, (set(counts) | in_columns) - wanted)
        kept = ", ".join(sorted(passed_on & wanted))
        if kept:
            self._do(
                f"{user} no longer passes on {kept} on {kind} of {schema}",
                f"REVOKE GRANT OPTION FOR {kept} ON {target} FROM {_identifier(user)} CASCADE",
            )

    def _defaults(self, user: str, entries: Mapping[str, Item]) -> None:
        wanted = {
            (self.owner, schema, kind, right)
            for schema, entry in entries.items()
            for kind in RIGHTS
            for right in wanted_rights(entry, kind)
        }
        current = {
            (creator, schema, kind, right)
            for creator, schema, kind, grantee, right in self.found.get("defaults") or []
            if grantee == user
        }
        for verb, preposition, changes in (("REVOKE", "FROM", current - wanted), ("GRANT", "TO", wanted - current)):
            places: dict[tuple[str, str, str], list[str]] = {}
            for creator, schema, kind, right in sorted(changes):
                places.setdefault((creator, schema, kind), []).append(right.rstrip(GRANTABLE))
            for (creator, schema, kind), rights in places.items():
                listed = ", ".join(dict.fromkeys(rights))
                inside = f" IN SCHEMA {_identifier(schema)}" if schema else ""
                self._do(
                    f"{user} {'gets' if verb == 'GRANT' else 'loses'} {listed} on future {kind} of {creator} in "
                    f"{schema or 'all schemas'}",
                    f"ALTER DEFAULT PRIVILEGES FOR ROLE {_identifier(creator)}{inside} {verb} {listed} ON {OBJECTS[kind]} "
                    f"{preposition} {_identifier(user)}",
                )


def wanted_rights(entry: Item | None, kind: str) -> set[str]:
    """Rights that an entry of ``privileges`` gives on a kind of objects; ``ALL`` are those that every server knows."""
    rights = {str(right).upper() for right in (entry or {}).get(kind) or []}
    return set(RIGHTS[kind]) if "ALL" in rights else rights


def _documents(surveyed: str) -> tuple[Found, dict[str, Found]]:
    """The cluster, and its databases by name.

    :raises ValueError: that is no output of the survey.
    """
    lines = [line for line in str(surveyed).splitlines() if line.startswith("{")]
    if not lines:
        raise ValueError("psql printed nothing that tells the state of the server; run the survey before this")
    cluster, *rest = map(json.loads, lines)
    return cluster, {document["database"]: document for document in rest}


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(map(_literal, set(names)))) or "''"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _identifier(name: Any) -> str:
    return '"' + str(name).replace('"', '""') + '"'
