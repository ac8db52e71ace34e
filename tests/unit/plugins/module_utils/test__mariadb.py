"""What a MariaDB server needs so that it is as wanted; what is wrong with the inputs."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.lemp.stack.plugins.module_utils._mariadb import (
    BOUNDS,
    OWN_VARIABLES,
    PLANNED_BOUNDS,
    RIGHTS,
    account_of,
    due,
    overridden,
    password_hash,
    pattern_of,
    problems,
    queries,
    right_of,
    rights_of,
    wanted_rights,
)

PASSWORD = 'it\'s "quoted" \\ 🔑'
USER: dict[str, Any] = {
    "name": "shop_a",
    "host": "localhost",
    "password": PASSWORD,
    "privileges": [{"database": "shop_a", "grant": ["SELECT", "lock tables"]}],
}
COLUMNS = (
    "Select_priv Insert_priv Update_priv Delete_priv Create_priv Drop_priv Grant_priv References_priv Index_priv Alter_priv "
    "Create_tmp_table_priv Lock_tables_priv Create_view_priv Show_view_priv Create_routine_priv Alter_routine_priv "
    "Execute_priv Event_priv Trigger_priv Delete_history_priv"
).split()


def user(**changes: Any) -> dict[str, Any]:
    return {key: value for key, value in {**USER, **changes}.items() if value is not None}


def account(**changes: Any) -> dict[str, Any]:
    """A row about the account as it is wanted."""
    return {
        "User": "shop_a",
        "Host": "localhost",
        "plugin": "mysql_native_password",
        "authentication": password_hash(PASSWORD),
        "other_ways": 0,
        "global_rights": 0,
        "tls": 0,
        **changes,
    }


def scope(database: str = r"shop\_a", *columns: str) -> dict[str, Any]:
    granted = columns or ("Select_priv", "Lock_tables_priv")
    return {"User": "shop_a", "Host": "localhost", "Db": database, **{name: "NY"[name in granted] for name in COLUMNS}}


def rows(**changes: Any) -> list[list[dict[str, Any]]]:
    """What the queries give on a server on which all is as wanted, with some of the lists replaced."""
    given_rows: dict[str, list[dict[str, Any]]] = {
        "doors": [],
        "databases": [{"name": "shop_a"}, {"name": "mysql"}],
        "accounts": [account()],
        "scopes": [scope()],
        "parts": [],
        "memberships": [],
        "running": [{"innodb_buffer_pool_size": 134217728, "max_connections": 30, "bind_address": "127.0.0.1"}],
    }
    assert changes.keys() <= given_rows.keys()
    return list({**given_rows, **changes}.values())


def report(wanted: dict[str, Any] = USER, **changes: Any) -> list[str]:
    return list(due(rows(**changes), ["shop_a"], [wanted])["report"])


# Passwords, patterns, rights


@pytest.mark.parametrize(
    ("password", "kept"),
    [
        # SELECT PASSWORD('…') of MariaDB 11.8 with a UTF-8 connection.
        ("password", "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19"),
        ("", "*BE1BDEC0AA74B4DCB079943E70528096CCA985F8"),
        ("pässwörd-🔑-% s", "*52A2FC379B234FCEA763FE59EB602E4FD4E80A06"),
    ],
)
def test_hash_is_the_one_that_the_server_keeps(password: str, kept: str) -> None:
    assert password_hash(password) == kept


@given(st.text(min_size=1))
def test_hash_never_shows_the_password(password: str) -> None:
    try:
        password.encode()
    except UnicodeEncodeError:
        return
    assert re.fullmatch(r"\*[0-9A-F]{40}", password_hash(password))


def test_hash_of_a_number_is_that_of_its_digits() -> None:
    assert password_hash(12345) == password_hash("12345")  # type: ignore[arg-type]  # YAML without quotes


@pytest.mark.parametrize(("database", "pattern"), [("shop_a", r"shop\_a"), ("no-table_s_", r"no-table\_s\_"), ("shop", "shop")])
def test_underscores_are_meant_literally(database: str, pattern: str) -> None:
    assert pattern_of(database) == pattern


@pytest.mark.parametrize(
    ("column", "right"),
    [
        ("Select_priv", "SELECT"),
        ("Create_tmp_table_priv", "CREATE TEMPORARY TABLES"),
        ("Lock_tables_priv", "LOCK TABLES"),
        ("Show_create_routine_priv", "SHOW CREATE ROUTINE"),
        ("Grant_priv", "GRANT OPTION"),
    ],
)
def test_columns_are_named_as_in_grant(column: str, right: str) -> None:
    assert right_of(column) == right


def test_every_known_right_is_a_column_and_every_column_a_known_right() -> None:
    assert {right_of(column) for column in COLUMNS} - {"GRANT OPTION"} == set(RIGHTS) - {"ALL", "ALL PRIVILEGES"}


def test_a_row_grants_what_it_says_and_all_of_it_is_all() -> None:
    assert rights_of(scope("x", "Select_priv", "Create_tmp_table_priv")) == {"SELECT", "CREATE TEMPORARY TABLES"}
    assert rights_of(scope("x", "Select_priv", "Grant_priv")) == {"SELECT", "GRANT OPTION"}
    everything = [column for column in COLUMNS if column != "Grant_priv"]
    assert rights_of(scope("x", *everything)) == {"ALL"}
    assert rights_of(scope("x", *COLUMNS)) == {"ALL", "GRANT OPTION"}
    # A newer server knows more, of which a row that lacks it does not grant all.
    assert "ALL" not in rights_of({**scope("x", *everything), "Show_create_routine_priv": "N"})


@pytest.mark.parametrize("grant", [["ALL"], ["all privileges"], ["ALL", "SELECT"]])
def test_all_is_all_however_it_is_written(grant: list[str]) -> None:
    assert wanted_rights(user(privileges=[{"database": "a_b", "grant": grant}])) == {r"a\_b": {"ALL"}}


def test_case_of_rights_does_not_matter() -> None:
    assert wanted_rights(USER) == {r"shop\_a": {"SELECT", "LOCK TABLES"}}
    assert wanted_rights(user(privileges=None)) == {}


# Queries


def test_queries_only_read_and_only_about_the_wanted_accounts() -> None:
    statements = queries([USER, user(name="blog"), user(host="10.0.0.7")])
    assert len(statements) == len(rows())
    assert [statement for statement in statements if not statement.startswith("SELECT ")] == []
    assert sum("IN ('blog', 'shop_a')" in statement for statement in statements) == 4
    assert not [statement for statement in statements if "{" in statement.replace("{}", "") or PASSWORD in statement]


def test_queries_for_nobody_are_valid() -> None:
    assert not [statement for statement in queries([]) if "IN ()" in statement]


# What is due


def test_nothing_is_due_on_a_server_as_wanted() -> None:
    assert due(rows(), ["shop_a"], [USER]) == {"statements": [], "databases": [], "accounts": [], "report": []}


def test_what_is_open_is_closed_and_what_is_missing_is_made() -> None:
    found = due(rows(doors=[{"statement": "DROP USER ''@'localhost'"}], databases=[]), ["shop_a", "blog"], [])
    assert found["statements"] == ["DROP USER ''@'localhost'"]
    assert found["databases"] == ["shop_a", "blog"]
    assert found["report"] == ["DROP USER ''@'localhost'", "CREATE DATABASE shop_a", "CREATE DATABASE blog"]


def test_a_missing_account_is_created_with_its_rights_and_no_others() -> None:
    found = due(rows(accounts=[], scopes=[]), ["shop_a"], [USER])
    assert found["report"] == ["shop_a@localhost: is created"]
    assert found["accounts"] == [
        {
            "name": "shop_a",
            "host": "localhost",
            "password": PASSWORD,
            "priv": {"*.*": "USAGE", r"shop\_a.*": "LOCK TABLES,SELECT"},
        }
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"authentication": password_hash("another")},
        {"authentication": ""},
        {"authentication": None},
        {"plugin": "ed25519"},
        {"plugin": "unix_socket"},
    ],
)
def test_another_way_in_is_replaced_by_the_password(changes: dict[str, Any]) -> None:
    assert report(accounts=[account(**changes)]) == ["shop_a@localhost: gets its password"]


def test_a_second_way_in_is_closed_before_the_password_is_set() -> None:
    found = due(rows(accounts=[account(other_ways=1)]), ["shop_a"], [USER])
    assert found["statements"] == ["ALTER USER 'shop_a'@'localhost' IDENTIFIED VIA mysql_native_password USING 'invalid'"]
    assert [entry["name"] for entry in found["accounts"]] == ["shop_a"]


def test_an_account_of_the_oldest_kind_is_compared_too() -> None:
    assert report(accounts=[account(plugin="")]) == report(accounts=[account(plugin=None)]) == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"accounts": [account(global_rights=1)]}, "loses its rights on *.*"),
        ({"accounts": [account(tls=1)]}, "no longer has to use TLS"),
        ({"scopes": []}, r"gets LOCK TABLES, SELECT on shop\_a.*"),
        ({"scopes": [scope(), scope("mysql", "Select_priv")]}, "loses SELECT on mysql.*"),
        # A pattern that stands for more databases than the one that is meant.
        ({"scopes": [scope(), scope("shop_a", "Select_priv")]}, "loses SELECT on shop_a.*"),
        (
            {"scopes": [scope(r"shop\_a", "Select_priv", "Lock_tables_priv", "Grant_priv")]},
            r"loses GRANT OPTION on shop\_a.*",
        ),
        ({"scopes": [scope(r"shop\_a", "Lock_tables_priv")]}, r"gets SELECT on shop\_a.*"),
        ({"parts": [{"User": "shop_a", "Host": "localhost", "part": "blog.posts"}]}, "loses its rights on blog.posts"),
    ],
)
def test_rights_are_compared_both_ways(changes: dict[str, Any], sentence: str) -> None:
    assert report(**changes) == [f"shop_a@localhost: {sentence}"]


def test_all_is_compared_both_ways() -> None:
    everything = [column for column in COLUMNS if column != "Grant_priv"]
    of_all = user(privileges=[{"database": "shop_a", "grant": ["ALL"]}])
    assert report(of_all, scopes=[scope(r"shop\_a", *everything)]) == []
    assert report(of_all) == [r"shop_a@localhost: gets ALL on shop\_a.*"]
    assert report(of_all, scopes=[scope(r"shop\_a", *COLUMNS)]) == [r"shop_a@localhost: loses GRANT OPTION on shop\_a.*"]
    assert report(scopes=[scope(r"shop\_a", *everything)]) == [
        r"shop_a@localhost: gets LOCK TABLES, SELECT on shop\_a.*",
        r"shop_a@localhost: loses ALL on shop\_a.*",
    ]


def test_roles_are_taken_away_by_a_statement_alone() -> None:
    row = {"User": "shop_a", "Host": "localhost", "statement": "REVOKE 'boss' FROM 'shop_a'@'localhost'"}
    found = due(rows(memberships=[row]), ["shop_a"], [USER])
    assert found == {
        "statements": [row["statement"]],
        "databases": [],
        "accounts": [],
        "report": [row["statement"]],
    }


def test_accounts_of_the_same_name_from_elsewhere_are_left_alone() -> None:
    elsewhere = {"User": "shop_a", "Host": "10.0.0.7"}
    found = due(
        rows(
            accounts=[account(), account(**elsewhere, global_rights=1, other_ways=1)],
            scopes=[scope(), {**scope("mysql", "Select_priv"), **elsewhere}],
            parts=[{**elsewhere, "part": "a.b"}],
            memberships=[{**elsewhere, "statement": "REVOKE …"}],
        ),
        ["shop_a"],
        [USER],
    )
    assert found["report"] == []


def test_hosts_are_compared_as_the_server_keeps_them() -> None:
    wanted = user(host="Web.LAN")
    there = {"User": "shop_a", "Host": "web.lan"}
    assert report(wanted, accounts=[account(**there)], scopes=[{**scope(), **there}]) == []
    assert account_of(wanted) == "shop_a@web.lan"
    assert account_of(user(host=None)) == "shop_a@localhost"


@given(st.sampled_from([{}, {"accounts": []}, {"accounts": [account(authentication="x", other_ways=1, plugin="ed25519")]}]))
def test_neither_password_nor_hash_is_reported_or_stated(changes: dict[str, Any]) -> None:
    found = due(rows(**changes), ["shop_a"], [USER])
    told = " ".join([*found["report"], *found["statements"]])
    assert PASSWORD not in told
    assert password_hash(PASSWORD) not in told


def test_a_hundred_accounts_that_are_as_wanted_need_nothing() -> None:
    names = [f"site{number}" for number in range(100)]
    users = [user(name=name, privileges=[{"database": name, "grant": ["SELECT", "LOCK TABLES"]}]) for name in names]
    found = due(
        rows(
            databases=[{"name": name} for name in names],
            accounts=[account(User=name) for name in names],
            scopes=[{**scope(name), "User": name} for name in names],
        ),
        names,
        users,
    )
    assert found["report"] == []


# Running values


def test_values_of_the_plan_run() -> None:
    planned = {"innodb_buffer_pool_size": 134217728, "max_connections": 30, "sort_buffer_size": 1}
    assert overridden(rows(), planned, "127.0.0.1") == []
    assert overridden(rows(), {**planned, "max_connections": 40}, "0.0.0.0") == [
        "max_connections is 30 instead of 40",
        "bind_address is 127.0.0.1 instead of 0.0.0.0",
    ]


# Inputs


def complaint(**inputs: Any) -> str:
    return " ".join(problems(inputs))


def test_nothing_is_wrong_with_good_inputs() -> None:
    good: dict[str, Any] = {
        "mariadb_databases": ["shop_a"],
        "mariadb_users": [USER, user(name="blog", host="10.0.0.%", privileges=None)],
        "mariadb_skip_name_resolve": True,
        "mariadb_collation": "utf8mb4_unicode_520_ci",
        "mariadb_extra_settings": {"max_allowed_packet": "64M", "innodb-print-all-deadlocks": True, "net_retry_count": 7},
        **{name: low for name, (low, _) in {**BOUNDS, **PLANNED_BOUNDS}.items()},
    }
    assert problems(good) == []
    assert problems({**good, **dict.fromkeys(PLANNED_BOUNDS, 0)}) == []
    assert problems({**good, **{name: str(high) for name, (_, high) in {**BOUNDS, **PLANNED_BOUNDS}.items()}}) == []
    assert problems({}) == []
    assert problems({"mariadb_users": None, "mariadb_databases": None, "mariadb_extra_settings": None}) == []


@pytest.mark.parametrize("name", ["a`b", "", "x" * 65, "mysql", "shop\n", 'a"b', "test"])
def test_odd_databases_are_refused(name: str) -> None:
    assert "mariadb_databases contains " in complaint(mariadb_databases=["good", name])
    assert '"good"' not in complaint(mariadb_databases=["good", name])


@pytest.mark.parametrize(
    ("changes", "shown"),
    [({"name": "root"}, '"root"'), ({"name": "a'b"}, '"a\'b"'), ({"host": "a b"}, '"a b"'), ({"name": 7}, None)],
)
def test_odd_accounts_are_refused(changes: dict[str, Any], shown: str | None) -> None:
    found = complaint(mariadb_users=[user(**changes)], mariadb_databases=["shop_a"])
    assert (f"mariadb_users contains the name or host {shown}" in found) if shown else found == ""


def test_an_account_listed_twice_is_refused_whatever_the_case_of_its_host() -> None:
    found = complaint(mariadb_users=[user(), user(name="blog"), user(host="LOCALHOST")], mariadb_databases=["shop_a"])
    assert found == (
        "mariadb_users lists an account more than once (shop_a@localhost); merge the entries that share name and host."
    )


@pytest.mark.parametrize("password", [None, ""])
def test_an_account_without_a_password_is_refused(password: str | None) -> None:
    changed = {**USER, "password": password}
    for entry in (changed, {key: value for key, value in changed.items() if key != "password"}):
        found = complaint(mariadb_users=[entry], mariadb_databases=["shop_a"])
        assert found == "mariadb_users: shop_a has no password; set it, best from a vault."


@pytest.mark.parametrize(("grant", "shown"), [(["SELCT"], '"SELCT"'), ([], "[]"), (["SELECT", "SUPER"], '"SUPER"')])
def test_unknown_rights_are_refused(grant: list[str], shown: str) -> None:
    entries = [{"database": "shop_a", "grant": grant}]
    found = complaint(mariadb_users=[user(privileges=entries)], mariadb_databases=["shop_a"])
    assert f"mariadb_users grants {shown}, which is no right on a database; known are ALL, " in found


def test_rights_on_databases_that_are_not_listed_are_refused() -> None:
    assert complaint(mariadb_users=[USER], mariadb_databases=["shop"]) == (
        "mariadb_users grants rights on shop_a, but mariadb_databases lists only shop; add the database there or correct its "
        "name."
    )
    assert "lists only nothing" in complaint(mariadb_users=[USER])


def test_a_database_twice_in_one_account_is_refused_but_not_in_two() -> None:
    entry = {"database": "shop_a", "grant": ["SELECT"]}
    assert (
        complaint(mariadb_users=[user(privileges=[entry]), user(name="b", privileges=[entry])], mariadb_databases=["shop_a"])
        == ""
    )
    found = complaint(mariadb_users=[user(privileges=[entry, entry])], mariadb_databases=["shop_a"])
    assert "lists a database more than once in the privileges of one account (shop_a@localhost: shop_a)" in found


@pytest.mark.parametrize(("host", "fits"), [("web.lan", False), ("10.0.0.7", True), ("localhost", True), ("fd00::7", True)])
def test_names_that_match_nobody_are_refused(host: str, fits: bool) -> None:
    inputs = {"mariadb_users": [user(host=host)], "mariadb_databases": ["shop_a"]}
    assert (complaint(**inputs, mariadb_skip_name_resolve=True) == "") is fits
    assert complaint(**inputs, mariadb_skip_name_resolve=False) == ""


@pytest.mark.parametrize("name", [*BOUNDS, *PLANNED_BOUNDS])
def test_numbers_stay_within_their_bounds(name: str) -> None:
    low, high = {**BOUNDS, **PLANNED_BOUNDS}[name]
    for value in (low - 1 or -1, high + 1, "many", None, float("nan"), [1]):
        assert f"{name} is {value}; use a number from {low} to {high}" in complaint(**{name: value})


@pytest.mark.parametrize("collation", ["latin1_swedish_ci", "utf8mb4_bin\n", "utf8mb4"])
def test_collations_that_lose_text_are_refused(collation: str) -> None:
    assert f"mariadb_collation is {collation}, which cannot hold every character" in complaint(mariadb_collation=collation)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("bind-address", "0.0.0.0"),
        ("Sql_Mode", "x"),
        ("a b", 1),
        ("sql_mode", 'a"b'),
        ("sql_mode", "a\nb"),
        ("sql_mode", ["a"]),
        ("sql_mode", None),
        *((name, 1) for name in sorted(OWN_VARIABLES)),
    ],
)
def test_settings_that_belong_elsewhere_or_cannot_be_written_are_refused(name: str, value: Any) -> None:
    shown = name.replace("-", "_")
    assert f"mariadb_extra_settings sets {shown}; use the role's own input" in complaint(mariadb_extra_settings={name: value})


def test_no_sentence_holds_a_password() -> None:
    bad = user(name="root", host="a b", privileges=[{"database": "x", "grant": ["x"]}] * 2)
    sentences = problems({"mariadb_users": [bad, bad], "mariadb_skip_name_resolve": True})
    assert len(sentences) == 6
    assert PASSWORD not in " ".join(sentences)
