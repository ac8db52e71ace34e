"""PostgreSQL: what differs between a server and what is wanted of it, in statements and in words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.lemp.stack.plugins.module_utils._postgresql_catalog import (
    deviations,
    due,
    survey,
    timeouts,
    wanted_rights,
)
from ansible_collections.lemp.stack.plugins.module_utils._postgresql_scram import verifier

DATABASES = [{"name": "shop", "owner": "shop", "extensions": ["pg_trgm"], "schemas": ["app"]}]
SHOP = {"name": "shop", "password": "secret"}
READER: dict[str, Any] = {
    "name": "reader",
    "password": "secret",
    "databases": ["shop"],
    "privileges": [{"database": "shop", "schema": "app", "tables": ["SELECT"]}],
}
LIMITS = ["statement_timeout=60s", "lock_timeout=50s", "idle_in_transaction_session_timeout=70s"]


def role(name: str, **changes: Any) -> dict[str, Any]:
    plain = dict.fromkeys(("super", "createdb", "createrole", "replication", "bypassrls", "expires"), False)
    kept = {
        "name": name,
        "login": True,
        "limit": -1,
        "settings": LIMITS,
        "roles": None,
        "password": verifier("secret", b"1" * 16),
    }
    return {**plain, **kept, **changes}


def server(roles: list[dict[str, Any]] | None = None, inside: dict[str, Any] | None = None, **changes: Any) -> str:
    """A server on which all is as wanted of SHOP, READER and DATABASES, but for what is given."""
    cluster = {
        "version": 170000,
        "settings": {},
        "problems": None,
        "pending": None,
        "roles": [role("shop"), role("reader")] if roles is None else roles,
        "databases": [{"name": "shop", "owner": "shop", "rights": [["reader", "CONNECT"], ["reader", "TEMPORARY"]]}],
        **changes,
    }
    shop = {
        "database": "shop",
        "extensions": ["plpgsql", "pg_trgm"],
        "schemas": [
            {"name": "public", "owner": "pg_database_owner", "rights": [["", "USAGE"]]},
            {"name": "app", "owner": "shop", "rights": [["reader", "USAGE"]]},
        ],
        "objects": [["app", "tables", "shop", 2]],
        "grants": [["app", "tables", "reader", "SELECT", 2]],
        "defaults": [["shop", "app", "tables", "reader", "SELECT"]],
        **(inside or {}),
    }
    system = {"database": "postgres", "extensions": ["pg_stat_statements"]}
    return "\n".join(map(json.dumps, (cluster, system, shop))) + "\n"


def compared(surveyed: str, users: list[dict[str, Any]] | None = None, pools: dict[str, Any] | None = None) -> dict[str, Any]:
    return due(surveyed, DATABASES, [SHOP, READER] if users is None else users, pools or {})


def test_nothing_is_due_where_all_is_as_wanted() -> None:
    assert compared(server()) == {"script": "", "report": []}


def test_a_bare_server_gets_everything_and_no_line_holds_a_password() -> None:
    bare = json.dumps(dict.fromkeys(("settings", "problems", "pending", "roles", "databases")) | {"version": 130000})
    found = compared(bare)
    script = found["script"].splitlines()
    assert "secret" not in found["script"]
    assert "SCRAM" not in str(found["report"])
    assert script.count("BEGIN;") == script.count("COMMIT;") == 3
    create = next(line for line in script if line.startswith("CREATE DATABASE"))
    assert create == "CREATE DATABASE \"shop\" OWNER \"shop\" TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8';"
    before = script[: script.index(create)]
    assert before.count("BEGIN;") == before.count("COMMIT;"), "no transaction can hold it"
    # Up to 14 schema public is everybody's.
    assert 'ALTER SCHEMA public OWNER TO "shop";' in script
    assert "REVOKE CREATE ON SCHEMA public FROM PUBLIC;" in script


@pytest.mark.parametrize(
    ("changes", "words", "statement"),
    [
        ({"password": verifier("other")}, "gets its password", 'ALTER ROLE "reader" PASSWORD \'SCRAM-SHA-256$4096:'),
        ({"password": "md5x"}, "gets its password", 'ALTER ROLE "reader" PASSWORD \'SCRAM'),
        ({"super": True}, "loses SUPERUSER", 'ALTER ROLE "reader" NOSUPERUSER;'),
        ({"bypassrls": True}, "loses BYPASSRLS", 'ALTER ROLE "reader" NOBYPASSRLS;'),
        ({"login": False}, "may log in", 'ALTER ROLE "reader" LOGIN;'),
        ({"limit": 3}, "has any number of connections", 'ALTER ROLE "reader" CONNECTION LIMIT -1;'),
        ({"expires": True}, "no longer expires", "VALID UNTIL 'infinity';"),
        ({"roles": ["shop"]}, "is no longer a member of shop", 'REVOKE "shop" FROM "reader";'),
        ({"settings": LIMITS[1:]}, "statement_timeout is 60s", "ALTER ROLE \"reader\" SET statement_timeout = '60s';"),
    ],
)
def test_what_a_role_has_otherwise_is_put_right(changes: dict[str, Any], words: str, statement: str) -> None:
    found = compared(server([role("shop"), role("reader", **changes)]))
    assert found["report"] == [f"reader: {words}"]
    assert statement in found["script"]


@pytest.mark.parametrize(
    ("inside", "report", "statement"),
    [
        ({"extensions": []}, "CREATE EXTENSION pg_trgm", 'CREATE EXTENSION "pg_trgm";'),
        (
            {"grants": [["app", "tables", "reader", "SELECT", 1]]},
            "reader gets SELECT on",
            'GRANT SELECT ON ALL TABLES IN SCHEMA "app"',
        ),
        (
            {"grants": [["app", "tables", "reader", "SELECT", 2], ["app", "tables", "reader", "DELETE", 1]]},
            "reader loses DELETE on all tables in schema app",
            'REVOKE DELETE ON ALL TABLES IN SCHEMA "app" FROM "reader" CASCADE;',
        ),
        (
            {"grants": [["app", "tables", "reader", "SELECT", 1], ["app", "tables", "reader", "SELECT*", 1]]},
            "reader no longer passes on SELECT on tables of app",
            'REVOKE GRANT OPTION FOR SELECT ON ALL TABLES IN SCHEMA "app" FROM "reader" CASCADE;',
        ),
        (
            {"grants": [["app", "tables", "reader", "SELECT", 2], ["app", "columns", "reader", "UPDATE", 1]]},
            "reader loses UPDATE on all tables in schema app",
            "REVOKE UPDATE ON ALL TABLES",
        ),
        (
            {"defaults": []},
            "reader gets SELECT on future tables of shop in app",
            'FOR ROLE "shop" IN SCHEMA "app" GRANT SELECT ON TABLES',
        ),
        (
            {"defaults": [["shop", "app", "tables", "reader", "SELECT"], ["postgres", "", "types", "reader", "USAGE"]]},
            "reader loses USAGE on future types of postgres in all schemas",
            'ALTER DEFAULT PRIVILEGES FOR ROLE "postgres" REVOKE USAGE ON TYPES FROM "reader";',
        ),
        (
            {"schemas": [{"name": "app", "owner": "postgres", "rights": [["reader", "USAGE"], ["", "USAGE"]]}]},
            "schema app is closed to everybody else",
            'ALTER SCHEMA "app" OWNER TO "shop";',
        ),
    ],
)
def test_what_is_otherwise_in_a_database_is_put_right(inside: dict[str, Any], report: str, statement: str) -> None:
    found = compared(server(inside=inside))
    assert any(line.startswith(f"shop: {report}") for line in found["report"]), found["report"]
    assert statement in found["script"]
    assert found["script"].startswith('\\connect "shop"\nBEGIN;\n')


def test_what_the_superuser_has_in_schemas_that_are_listed_becomes_the_owners() -> None:
    strays = [["app", "tables", 2], ["by_hand", "tables", 7], ["public", "functions", 1]]
    found = compared(server(inside={"strays": strays}))
    assert found["report"] == [
        "shop: tables of postgres in schema app belong to shop (2)",
        "shop: functions of postgres in schema public belong to shop (1)",
    ]
    assert "schema = 'app' AND kind = 'tables' LOOP EXECUTE wanted || ' OWNER TO \"shop\"'" in found["script"]
    assert "by_hand" not in found["script"]


def test_a_database_of_the_superuser_keeps_what_is_its() -> None:
    databases = [{"name": "shop", "owner": "postgres", "rights": None}]
    surveyed = server(databases=databases, inside={"strays": [["public", "tables", 1]]})
    assert "belong" not in str(due(surveyed, [{"name": "shop"}], [], {})["report"])


def test_a_new_extension_brings_objects_that_rights_hold_for_too() -> None:
    """Without that the second run would find them without the right."""
    assert "reader gets SELECT on all tables in schema app" in str(compared(server(inside={"extensions": []}))["report"])


def test_a_database_is_closed_to_everybody_and_to_users_that_are_not_listed_for_it() -> None:
    rights = [["", "CONNECT"], ["reader", "CONNECT"], ["stranger", "CONNECT"], ["reader", "TEMPORARY"]]
    users = [SHOP, {**READER, "databases": [], "privileges": []}]
    databases = [{"name": "shop", "owner": "postgres", "rights": rights}]
    script = compared(server(databases=databases), users)["script"]
    assert 'ALTER DATABASE "shop" OWNER TO "shop";' in script
    assert 'REVOKE ALL ON DATABASE "shop" FROM PUBLIC;' in script
    assert 'REVOKE CONNECT, TEMPORARY ON DATABASE "shop" FROM "reader" CASCADE;' in script
    assert "stranger" not in script, "who is not declared is left alone"


def test_time_limits_are_those_of_the_pool_of_the_same_name_and_stay_in_order() -> None:
    pools = {"shop": {"statement": 300, "lock_wait": 50, "request_terminate_timeout": 310}}
    names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")

    def of(user: dict[str, Any]) -> list[str]:
        return [timeouts(user, pools)[name] for name in names]

    assert of({"name": "shop"}) == ["300s", "50s", "310s"]
    assert of({"name": "other"}) == ["60s", "50s", "70s"]
    assert of({"name": "other", "statement_timeout_seconds": 5}) == ["5s", "4s", "70s"]
    assert of({"name": "other", "statement_timeout_seconds": 0, "idle_in_transaction_timeout_seconds": 9}) == ["0", "50s", "9s"]


def test_all_rights_are_those_that_every_server_knows() -> None:
    assert "MAINTAIN" not in wanted_rights({"tables": ["all"]}, "tables")
    assert wanted_rights({"tables": ["select"]}, "tables") == {"SELECT"}
    assert wanted_rights(None, "tables") == set()


def test_the_script_of_the_survey_asks_only_databases_that_are_there() -> None:
    script = survey([SHOP], DATABASES, ["jit"])
    assert script.count("\\gset") == script.count("\\if :there") == script.count("\\endif") == 2
    assert script.index('\\connect "postgres"') < script.index('\\connect "shop"')
    assert '\\connect "postgres"' not in survey([SHOP], DATABASES, ["jit"], False)


@pytest.mark.parametrize(
    ("setting", "unit", "value", "clause"),
    [
        ("16384", "8kB", 134217728, ""),
        ("4096", "MB", 4 * 2**30, ""),
        ("8192", "kB", 134217728, "x is 8192 kB instead of 134217728 bytes"),
    ],
)
def test_sizes_are_compared_in_bytes(setting: str, unit: str, value: int, clause: str) -> None:
    found = deviations(server(settings={"x": [setting, unit]}), {"x": value}, {"postgresql.x": {"unit": "bytes"}}, {})
    assert found == ([clause] if clause else [])


def test_numbers_and_words_are_compared_as_such_and_mistakes_in_the_files_are_named() -> None:
    running = server(
        settings={"cost": ["1.10", None], "jit": ["on", None]}, problems=["line 3 of pg_hba.conf: bad"], pending=["port"]
    )
    assert deviations(running, {"cost": 1.1, "unknown": 1}, {}, {"jit": "off"}) == [
        "line 3 of pg_hba.conf: bad",
        "port waits for a restart",
        "jit is on instead of off",
    ]


def test_what_is_no_output_of_the_survey_is_refused() -> None:
    with pytest.raises(ValueError, match="psql printed nothing"):
        compared("")
