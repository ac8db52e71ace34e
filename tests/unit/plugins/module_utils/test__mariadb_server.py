"""What a MariaDB server needs so that it is as wanted."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.lemp.stack.plugins.module_utils._mariadb import GLOBAL_BITS, RIGHTS, RIGHTS_SINCE
from ansible_collections.lemp.stack.plugins.module_utils._mariadb_password import ed25519_key, native_hash
from ansible_collections.lemp.stack.plugins.module_utils._mariadb_server import (
    due,
    empty_databases,
    identifier,
    in_words,
    overridden,
    pattern_of,
    queries,
    quoted,
    right_of,
    rights_of,
    server_rights_of,
    wanted_rights,
    wanted_ways,
)

PASSWORD = 'it\'s "quoted" \\ 🔑'
NATIVE = {"plugin": "mysql_native_password", "authentication_string": native_hash(PASSWORD)}
USER: dict[str, Any] = {
    "name": "shop_a",
    "host": "localhost",
    "password": PASSWORD,
    "privileges": [{"database": "shop_a", "grant": ["SELECT", "lock tables"]}],
}
ROLE: dict[str, Any] = {"name": "readers", "privileges": [{"database": "shop_a", "grant": ["SELECT"]}]}
COLUMNS = (
    "Select_priv Insert_priv Update_priv Delete_priv Create_priv Drop_priv Grant_priv References_priv Index_priv Alter_priv "
    "Create_tmp_table_priv Lock_tables_priv Create_view_priv Show_view_priv Create_routine_priv Alter_routine_priv "
    "Execute_priv Event_priv Trigger_priv Delete_history_priv"
).split()
EVERYTHING = [column for column in COLUMNS if column != "Grant_priv"]
THERE = {"User": "shop_a", "Host": "localhost"}


def user(**changes: Any) -> dict[str, Any]:
    return {key: value for key, value in {**USER, **changes}.items() if value is not None}


def account(there: dict[str, Any] = THERE, **changes: Any) -> dict[str, Any]:
    """A row about the account as it is wanted."""
    return {**there, "Priv": json.dumps({"access": 0, **NATIVE, **changes})}


def scope(database: str = r"shop\_a", *columns: str, there: dict[str, Any] = THERE) -> dict[str, Any]:
    granted = columns or ("Select_priv", "Lock_tables_priv")
    return {**there, "Db": database, **{name: "NY"[name in granted] for name in COLUMNS}}


def part(rights: str = "", columns: str = "", kind: str = "", **changes: Any) -> dict[str, Any]:
    return {**THERE, "Db": "blog", "name": "posts", "kind": kind, "rights": rights, "columns": columns, **changes}


def rows(**changes: Any) -> list[list[dict[str, Any]]]:
    """What the queries give on a server on which all is as wanted, with some of the lists replaced."""
    given_rows: dict[str, list[dict[str, Any]]] = {
        "doors": [],
        "databases": [{"name": "shop_a"}, {"name": "mysql"}],
        "accounts": [account()],
        "scopes": [scope()],
        "parts": [],
        "memberships": [],
        "proxies": [],
        "plugins": [{"name": "mysql_native_password"}],
        "filled": [],
        "values": [{"name": "max_connections", "value": "30"}, {"name": "bind_address", "value": "127.0.0.1"}],
    }
    assert changes.keys() <= given_rows.keys()
    return list({**given_rows, **changes}.values())


def change(wanted: dict[str, Any] = USER, **changes: Any) -> dict[str, list[str]]:
    return due(rows(**changes), ["shop_a"], [wanted])


def report(wanted: dict[str, Any] = USER, **changes: Any) -> list[str]:
    return change(wanted, **changes)["report"]


# Names and rights


@pytest.mark.parametrize(("database", "pattern"), [("shop_a", r"shop\_a"), ("no-table_s_", r"no-table\_s\_"), ("shop", "shop")])
def test_underscores_are_meant_literally(database: str, pattern: str) -> None:
    assert pattern_of(database) == pattern


def test_names_cannot_end_their_quotes() -> None:
    assert quoted("o'x\\y") == "'o''x\\\\y'"
    assert identifier("a`b") == "`a``b`"


@pytest.mark.parametrize(
    ("column", "right"),
    [
        ("Select_priv", "SELECT"),
        ("Create_tmp_table_priv", "CREATE TEMPORARY TABLES"),
        ("Show_create_routine_priv", "SHOW CREATE ROUTINE"),
        ("Grant_priv", "GRANT OPTION"),
    ],
)
def test_columns_are_named_as_in_grant(column: str, right: str) -> None:
    assert right_of(column) == right


def test_every_known_right_is_a_column_and_every_column_a_known_right() -> None:
    of_columns = {right_of(column) for column in COLUMNS} - {"GRANT OPTION"}
    assert of_columns == set(RIGHTS) - {"ALL", "ALL PRIVILEGES"} - set(RIGHTS_SINCE)


def test_a_row_grants_what_it_says_and_all_of_it_is_all() -> None:
    assert rights_of(scope("x", "Select_priv", "Create_tmp_table_priv"))[0] == {"SELECT", "CREATE TEMPORARY TABLES"}
    assert in_words(*rights_of(scope("x", *EVERYTHING))) == {"ALL"}
    assert in_words(*rights_of(scope("x", *COLUMNS))) == {"ALL", "GRANT OPTION"}
    # A newer server knows more, of which a row that lacks it does not grant all.
    assert "ALL" not in in_words(*rights_of({**scope("x", *EVERYTHING), "Show_create_routine_priv": "N"}))


def test_rights_on_the_server_are_bits() -> None:
    assert server_rights_of(0) == frozenset()
    assert server_rights_of(1 << 8 | 1 << 20) == {"PROCESS", "BINLOG MONITOR"}
    assert len(server_rights_of(2**64 - 1)) == len(GLOBAL_BITS) == len(set(GLOBAL_BITS))


@pytest.mark.parametrize("grant", [["ALL"], ["all privileges"], ["ALL", "SELECT"]])
def test_all_is_all_however_it_is_written(grant: list[str]) -> None:
    assert wanted_rights(user(privileges=[{"database": "a_b", "grant": grant}])) == {r"`a\_b`.*": {"ALL"}}


def test_scopes_are_written_as_in_grant() -> None:
    assert wanted_rights(USER) == {r"`shop\_a`.*": {"SELECT", "LOCK TABLES"}}
    assert wanted_rights(user(privileges=[{"database": "*", "grant": ["replication client"]}])) == {"*.*": {"BINLOG MONITOR"}}
    assert wanted_rights(user(privileges=None)) == {}


def test_ways_in_follow_plugin_and_passwords() -> None:
    assert wanted_ways(user()) == [("mysql_native_password", native_hash(PASSWORD))]
    assert wanted_ways(user(plugin="ed25519")) == [("ed25519", ed25519_key(PASSWORD))]
    assert wanted_ways(user(plugin="unix_socket", password=None)) == [("unix_socket", "")]
    assert [kept for _, kept in wanted_ways(user(previous_password="old"))] == [native_hash(PASSWORD), native_hash("old")]


# Queries


def test_queries_only_read_and_only_about_what_is_wanted() -> None:
    statements = queries(
        [USER, user(name="blog"), user(host="10.0.0.7")], [ROLE], [{"database": "shop_a", "path": "x"}], {"port": 1}
    )
    assert len(statements) == len(rows())
    assert [statement for statement in statements if not statement.startswith("SELECT ")] == []
    assert sum("IN ('blog', 'readers', 'shop_a')" in statement for statement in statements) == 5
    assert "TABLE_SCHEMA IN ('shop_a')" in statements[-2]
    assert "IN ('port', 'version')" in statements[-1]
    assert not [statement for statement in statements if "{" in statement or PASSWORD in statement]


def test_queries_for_nobody_are_valid() -> None:
    assert not [statement for statement in queries([]) if "IN ()" in statement]


# What is due


def test_nothing_is_due_on_a_server_as_wanted() -> None:
    assert change() == {"statements": [], "secrets": [], "rights": [], "report": []}


def test_what_is_open_is_closed_and_what_is_missing_is_made() -> None:
    found = due(
        rows(doors=[{"statement": "DROP USER ''@'localhost'"}], databases=[]), ["shop_a", "blog"], [], [], "utf8mb4_bin"
    )
    assert found["statements"] == [
        "DROP USER ''@'localhost'",
        "CREATE DATABASE `shop_a` CHARACTER SET utf8mb4 COLLATE `utf8mb4_bin`",
        "CREATE DATABASE `blog` CHARACTER SET utf8mb4 COLLATE `utf8mb4_bin`",
    ]
    assert found["report"] == ["DROP USER ''@'localhost'", "CREATE DATABASE shop_a", "CREATE DATABASE blog"]


def test_a_missing_account_is_created_with_its_rights_and_no_others() -> None:
    found = change(user(require_tls=True, max_statement_time_seconds=2.5), accounts=[], scopes=[])
    assert found["report"] == ["shop_a@localhost: is created"]
    assert found["secrets"] == [
        f"CREATE USER 'shop_a'@'localhost' IDENTIFIED VIA mysql_native_password USING '{native_hash(PASSWORD)}' "
        "REQUIRE SSL WITH MAX_STATEMENT_TIME 2.5"
    ]
    assert found["rights"] == [r"GRANT LOCK TABLES, SELECT ON `shop\_a`.* TO 'shop_a'@'localhost'"]


def test_a_plugin_is_loaded_where_an_account_needs_it_and_it_is_not_there() -> None:
    wanted = user(plugin="ed25519")
    assert change(wanted)["statements"] == ["INSTALL SONAME 'auth_ed25519'"]
    assert f"VIA ed25519 USING '{ed25519_key(PASSWORD)}'" in change(wanted)["secrets"][0]
    assert change(wanted, plugins=[{"name": "ed25519"}])["statements"] == []


@pytest.mark.parametrize(
    "changes",
    [
        {"authentication_string": native_hash("another")},
        {"authentication_string": ""},
        {"authentication_string": None},
        {"plugin": "ed25519"},
        {"plugin": "unix_socket"},
        {"auth_or": [{}, {"plugin": "unix_socket"}]},
        {"auth_or": [{"plugin": "ed25519", "authentication_string": "x"}, {}]},
    ],
)
def test_another_way_in_is_replaced_by_the_password(changes: dict[str, Any]) -> None:
    found = change(accounts=[account(**changes)])
    assert found["report"] == ["shop_a@localhost: gets its password"]
    assert found["secrets"] == [
        f"ALTER USER 'shop_a'@'localhost' IDENTIFIED VIA mysql_native_password USING '{native_hash(PASSWORD)}' "
        "REQUIRE NONE WITH MAX_STATEMENT_TIME 0"
    ]
    assert found["rights"] == []


def test_two_passwords_are_kept_as_long_as_both_are_wanted() -> None:
    wanted = user(previous_password="old")
    ways = [{}, {"plugin": "mysql_native_password", "authentication_string": native_hash("old")}]
    assert report(wanted, accounts=[account(auth_or=ways)]) == []
    [statement] = change(wanted)["secrets"]
    assert f"USING '{native_hash(PASSWORD)}' OR mysql_native_password USING '{native_hash('old')}' REQUIRE" in statement
    assert report(accounts=[account(auth_or=ways)]) == ["shop_a@localhost: gets its password"]


def test_an_account_of_the_oldest_kind_is_compared_too() -> None:
    assert report(accounts=[account(plugin="")]) == report(accounts=[account(plugin=None)]) == []


def test_the_socket_is_compared_without_a_password() -> None:
    wanted = user(plugin="unix_socket", password=None)
    assert report(wanted) == ["shop_a@localhost: comes in by unix_socket only"]
    assert report(wanted, accounts=[account(plugin="unix_socket", authentication_string="")]) == []
    assert change(wanted)["secrets"] == [
        "ALTER USER 'shop_a'@'localhost' IDENTIFIED VIA unix_socket REQUIRE NONE WITH MAX_STATEMENT_TIME 0"
    ]


@pytest.mark.parametrize(
    ("wanted", "changes", "sentence"),
    [
        ({}, {"ssl_type": 1}, "no longer has to use TLS"),
        ({}, {"ssl_type": 2}, "no longer has to use TLS"),
        ({"require_tls": True}, {}, "has to use TLS"),
        ({"require_tls": True}, {"ssl_type": 3}, "has to use TLS"),
        ({"max_statement_time_seconds": 5}, {}, "may run a statement for 5 s"),
        ({}, {"max_statement_time": 5.0}, "may run a statement as long as it takes"),
    ],
)
def test_conditions_are_compared_both_ways(wanted: dict[str, Any], changes: dict[str, Any], sentence: str) -> None:
    found = change(user(**wanted), accounts=[account(**changes)])
    assert found["report"] == [f"shop_a@localhost: {sentence}"]
    assert found["secrets"][0].startswith("ALTER USER ")
    for kept in ({"require_tls": True, "max_statement_time_seconds": 5},):
        assert report(user(**kept), accounts=[account(ssl_type=1, max_statement_time=5.0)]) == []


@pytest.mark.parametrize(
    ("changes", "sentence", "statement"),
    [
        ({"accounts": [account(access=1 << 8)]}, "loses PROCESS on *.*", "REVOKE PROCESS ON *.* FROM"),
        ({"scopes": []}, r"gets LOCK TABLES, SELECT on shop\_a.*", r"GRANT LOCK TABLES, SELECT ON `shop\_a`.* TO"),
        ({"scopes": [scope(), scope("mysql", "Select_priv")]}, "loses SELECT on mysql.*", "REVOKE SELECT ON `mysql`.* FROM"),
        # A pattern that stands for more databases than the one that is meant.
        ({"scopes": [scope(), scope("shop_a", "Select_priv")]}, "loses SELECT on shop_a.*", "REVOKE SELECT ON `shop_a`.* FROM"),
        ({"scopes": [scope(), scope("x", *EVERYTHING)]}, "loses ALL on x.*", "REVOKE ALTER, ALTER ROUTINE, CREATE, "),
        (
            {"scopes": [scope(r"shop\_a", "Select_priv", "Lock_tables_priv", "Grant_priv")]},
            r"loses GRANT OPTION on shop\_a.*",
            r"REVOKE GRANT OPTION ON `shop\_a`.* FROM",
        ),
        ({"scopes": [scope(r"shop\_a", "Lock_tables_priv")]}, r"gets SELECT on shop\_a.*", "GRANT SELECT ON"),
        ({"parts": [part("Select,Update")]}, "loses its rights on blog.posts", "REVOKE ALL PRIVILEGES ON `blog`.`posts` FROM"),
        ({"parts": [part(columns="Select")]}, "loses its rights on blog.posts", "REVOKE ALL PRIVILEGES ON `blog`.`posts` FROM"),
        ({"parts": [part("Grant")]}, "loses its rights on blog.posts", "REVOKE GRANT OPTION ON `blog`.`posts` FROM"),
        (
            {"parts": [part("Execute", kind="PROCEDURE")]},
            "loses its rights on blog.posts",
            "REVOKE ALL PRIVILEGES ON PROCEDURE `blog`.`posts` FROM",
        ),
        ({"memberships": [{**THERE, "Role": "boss", "Admin_option": "N"}]}, "loses role boss", "REVOKE 'boss' FROM"),
        (
            {"proxies": [{**THERE, "Proxied_user": "root", "Proxied_host": "localhost"}]},
            "may no longer act as root@localhost",
            "REVOKE PROXY ON 'root'@'localhost' FROM",
        ),
        ({"accounts": [account(default_role="boss")]}, "has default role NONE", "SET DEFAULT ROLE NONE FOR"),
    ],
)
def test_rights_are_compared_both_ways(changes: dict[str, Any], sentence: str, statement: str) -> None:
    found = change(**changes)
    assert found["report"] == [f"shop_a@localhost: {sentence}"]
    assert found["rights"][0].startswith(statement)
    assert found["rights"][0].endswith(" 'shop_a'@'localhost'")
    assert (len(found["rights"]), found["secrets"]) == (1, [])


def test_all_is_compared_both_ways() -> None:
    of_all = user(privileges=[{"database": "shop_a", "grant": ["ALL"]}])
    assert report(of_all, scopes=[scope(r"shop\_a", *EVERYTHING)]) == []
    assert report(of_all) == [r"shop_a@localhost: gets ALL on shop\_a.*"]
    assert report(of_all, scopes=[scope(r"shop\_a", *COLUMNS)]) == [r"shop_a@localhost: loses GRANT OPTION on shop\_a.*"]
    # What is kept is never taken, not for a moment.
    [statement] = change(scopes=[scope(r"shop\_a", *EVERYTHING)])["rights"]
    assert statement.startswith("REVOKE ")
    assert "SELECT" not in statement
    assert "LOCK TABLES" not in statement


def test_rights_on_the_server_are_given_and_all_of_them_are_all() -> None:
    monitor = user(privileges=[{"database": "*", "grant": ["PROCESS", "replication client"]}])
    assert change(monitor, scopes=[])["rights"] == ["GRANT BINLOG MONITOR, PROCESS ON *.* TO 'shop_a'@'localhost'"]
    assert report(monitor, scopes=[], accounts=[account(access=1 << 8 | 1 << 20)]) == []
    admin = user(privileges=[{"database": "*", "grant": ["ALL"]}])
    assert change(admin, scopes=[])["rights"] == ["GRANT ALL ON *.* TO 'shop_a'@'localhost'"]
    # With the bits of 10.6, of 11.8, and those of a server that knows more.
    for bits in (39, 40, 45):
        assert report(admin, scopes=[], accounts=[account(access=2**bits - 1 - (1 << 10))]) == []
    found = report(admin, scopes=[], accounts=[account(access=2**40 - 1)])
    assert found == ["shop_a@localhost: loses GRANT OPTION on *.*"]


def test_a_right_that_moves_is_given_before_it_is_taken() -> None:
    """From the whole server to one database, and from a scope of the account to its role."""
    narrowed = change(scopes=[], accounts=[account(access=1 | 1 << 17)])
    assert narrowed["rights"] == [
        r"GRANT LOCK TABLES, SELECT ON `shop\_a`.* TO 'shop_a'@'localhost'",
        "REVOKE LOCK TABLES, SELECT ON *.* FROM 'shop_a'@'localhost'",
    ]
    users = [user(privileges=None, roles=["readers"]), user(name="blog", privileges=[])]
    blog = {"User": "blog", "Host": "localhost"}
    there = rows(
        accounts=[account(), account(blog, access=1)],
        memberships=[{**THERE, "Role": "boss", "Admin_option": "N"}],
    )
    moved = due(there, ["shop_a"], users, [ROLE])["rights"]
    assert [statement.split()[0] for statement in moved] == ["GRANT", "GRANT", "REVOKE", "REVOKE", "REVOKE"]
    assert moved[1] == "GRANT 'readers' TO 'shop_a'@'localhost'"
    # The first account's losses wait for what the role gets, the last account's for what everybody gets.
    swapped = due(there, ["shop_a"], [users[1], users[0]], [ROLE])["rights"]
    assert sorted(swapped) == sorted(moved)
    assert [statement.split()[0] for statement in swapped] == ["GRANT", "GRANT", "REVOKE", "REVOKE", "REVOKE"]


def test_roles_are_made_given_and_taken() -> None:
    role = {"User": "readers", "Host": ""}
    found = due(rows(), ["shop_a"], [user(roles=["readers"], default_role="readers")], [ROLE])
    assert found["statements"] == ["CREATE ROLE 'readers'"]
    assert found["rights"] == [
        r"GRANT SELECT ON `shop\_a`.* TO 'readers'",
        "GRANT 'readers' TO 'shop_a'@'localhost'",
        "SET DEFAULT ROLE 'readers' FOR 'shop_a'@'localhost'",
    ]
    assert found["report"] == [
        "role readers: is created",
        "shop_a@localhost: gets role readers",
        "shop_a@localhost: has default role readers",
    ]
    as_wanted = rows(
        accounts=[account(default_role="readers"), account(role, is_role=True)],
        scopes=[scope(), scope(r"shop\_a", "Select_priv", there=role)],
        memberships=[{**THERE, "Role": "readers", "Admin_option": "N"}],
    )
    assert due(as_wanted, ["shop_a"], [user(roles=["readers"], default_role="readers")], [ROLE])["report"] == []
    passes_on = rows(memberships=[{**THERE, "Role": "readers", "Admin_option": "Y"}])
    assert due(passes_on, ["shop_a"], [user(roles=["readers"])])["rights"] == [
        "REVOKE ADMIN OPTION FOR 'readers' FROM 'shop_a'@'localhost'"
    ]
    more = rows(accounts=[account(), account(role, is_role=True)], scopes=[scope(), scope("x", "Drop_priv", there=role)])
    assert due(more, ["shop_a"], [USER], [{"name": "readers"}])["rights"] == ["REVOKE DROP ON `x`.* FROM 'readers'"]


def test_accounts_of_the_same_name_from_elsewhere_are_left_alone() -> None:
    elsewhere = {"User": "shop_a", "Host": "10.0.0.7"}
    found = due(
        rows(
            accounts=[account(), account(elsewhere, access=1, ssl_type=1)],
            scopes=[scope(), scope("mysql", "Select_priv", there=elsewhere)],
            parts=[part("Select", **elsewhere)],
            memberships=[{**elsewhere, "Role": "boss", "Admin_option": "N"}],
        ),
        ["shop_a"],
        [USER],
    )
    assert found["report"] == []


def test_hosts_are_compared_as_the_server_keeps_them() -> None:
    there = {"User": "shop_a", "Host": "web.lan"}
    assert report(user(host="Web.LAN"), accounts=[account(there)], scopes=[scope(there=there)]) == []


@given(st.sampled_from([{}, {"accounts": []}, {"accounts": [account(authentication_string="x", plugin="ed25519")]}]))
def test_neither_password_nor_hash_is_reported_or_stated_where_it_is_shown(changes: dict[str, Any]) -> None:
    found = change(user(previous_password="Old-1"), **changes)
    told = " ".join([*found["report"], *found["statements"], *found["rights"]])
    for secret in (PASSWORD, native_hash(PASSWORD), "Old-1", native_hash("Old-1")):
        assert secret not in told


def test_a_hundred_accounts_that_are_as_wanted_need_nothing() -> None:
    names = [f"site{number}" for number in range(100)]
    users = [user(name=name, privileges=[{"database": name, "grant": ["SELECT", "LOCK TABLES"]}]) for name in names]
    found = due(
        rows(
            databases=[{"name": name} for name in names],
            accounts=[account({"User": name, "Host": "localhost"}) for name in names],
            scopes=[scope(name, there={"User": name, "Host": "localhost"}) for name in names],
        ),
        names,
        users,
    )
    assert found["report"] == []


# Running values and imports


def test_values_of_the_plan_run() -> None:
    values = [
        {"name": "max_connections", "value": "30"},
        {"name": "bind_address", "value": "127.0.0.1"},
        {"name": "event_scheduler", "value": "ON"},
        {"name": "long_query_time", "value": "2.000000"},
    ]
    wanted = {"max_connections": 30, "bind_address": "127.0.0.1", "event_scheduler": True, "long_query_time": 2, "unasked": 1}
    assert overridden(rows(values=values), wanted) == []
    assert overridden(rows(values=values), {"max_connections": 40, "bind_address": "0.0.0.0", "event_scheduler": False}) == [
        "max_connections is 30 instead of 40",
        "bind_address is 127.0.0.1 instead of 0.0.0.0",
        "event_scheduler is ON instead of OFF",
    ]


def test_only_empty_databases_are_filled() -> None:
    dumps = [{"database": "shop", "path": "a"}, {"database": "blog", "path": "b"}]
    assert empty_databases(rows(filled=[{"name": "blog"}]), dumps) == dumps[:1]
