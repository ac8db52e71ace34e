"""What is wrong with the inputs of role mariadb, and with the versions on the host."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.lemp.stack.plugins.module_utils._mariadb import (
    BOUNDS,
    OWN_VARIABLES,
    PLANNED_BOUNDS,
    STEPS,
    account_of,
    canonical_right,
    host_of,
    overlap,
    problems,
    upgrade,
    version_in,
)

PASSWORD = 'it\'s "quoted" \\ 🔑'
USER: dict[str, Any] = {
    "name": "shop_a",
    "host": "localhost",
    "password": PASSWORD,
    "privileges": [{"database": "shop_a", "grant": ["SELECT", "lock tables"]}],
}
SERVER = "mariadbd  Ver 11.8.3-MariaDB-0+deb13u1 from Debian for debian-linux-gnu on x86_64 (n/a)"


def user(**changes: Any) -> dict[str, Any]:
    return {key: value for key, value in {**USER, **changes}.items() if value is not None}


def complaint(versions: str = "", **inputs: Any) -> str:
    return " ".join(problems(inputs, versions))


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


@pytest.mark.parametrize(
    ("host", "fits"),
    [
        ("10.0.0.0/255.255.255.0", True),
        ("10.0.0.%", True),
        ("fd00::7", True),
        ("10.0.0.0/24", False),
        ("10.0.0.7/255.255.255.0", False),
        ("10.0.0.0/0.0.0.255", False),
        ("10.0.0.%/24", False),
        ("fd00::/64", False),
        ("web.lan/24", False),
    ],
)
def test_networks_that_match_nobody_are_refused(host: str, fits: bool) -> None:
    found = complaint(mariadb_users=[user(host=host)], mariadb_databases=["shop_a"])
    assert found == (
        ""
        if fits
        else f"mariadb_users lets in clients from {host}, which MariaDB matches with nobody; write a network as 10.0.0.% or "
        "10.0.0.0/255.255.255.0."
    )


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "::", "*", "localhost", "db-1.lan", "127.0.0.1,::1,10.0.0.5"])
def test_the_server_listens_on_addresses_and_names(address: str) -> None:
    assert complaint(SERVER, mariadb_bind_address=address) == ""


@pytest.mark.parametrize("address", ["", "10.0.0.5, 10.0.0.6", "10.0.0.5,", "10.0.0", "10.0.0.0/24", "a b", "['::1']", "x\n"])
def test_what_cannot_be_listened_on_is_refused(address: str) -> None:
    found = complaint(mariadb_bind_address=address)
    assert found.startswith("mariadb_bind_address is ")
    assert found.endswith("; use an address or a name of this host, or several with commas and no blanks between them.")


@pytest.mark.parametrize(("version", "known"), [("10.5.9", False), ("10.6.2", False), ("10.11.2", True), ("11.8.3", True)])
def test_several_addresses_are_refused_where_the_server_takes_one(version: str, known: bool) -> None:
    found = complaint(f"mariadbd  Ver {version}-MariaDB", mariadb_bind_address="127.0.0.1,10.0.0.5")
    assert (found == "") is known
    assert known or "takes one address only; use that, or 0.0.0.0 and mariadb_firewall_sources." in found


@pytest.mark.parametrize("name", [*BOUNDS, *PLANNED_BOUNDS])
def test_numbers_stay_within_their_bounds(name: str) -> None:
    low, high = {**BOUNDS, **PLANNED_BOUNDS}[name]
    for value in (low - 1 or -1, high + 1, "many", None, float("nan"), [1]):
        assert f"{name} is {value}; use a number from {low} to {high}" in complaint(**{name: value})


@pytest.mark.parametrize("name", STEPS)
def test_sizes_that_the_server_would_round_are_refused(name: str) -> None:
    assert complaint(**{name: 77}) == f"{name} is 77, which the server would round; use a multiple of 4."
    assert complaint(**{name: 80}) == complaint(**{name: "80"}) == ""


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


# Accounts, roles and rights


def test_accounts_are_named_as_the_server_keeps_them() -> None:
    assert account_of(user(host="Web.LAN")) == "shop_a@web.lan"
    assert (account_of(user(host=None)), host_of({"host": ""})) == ("shop_a@localhost", "localhost")
    assert [canonical_right(right) for right in ("all privileges", "Replication client", "select")] == [
        "ALL",
        "BINLOG MONITOR",
        "SELECT",
    ]


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        ("localhost", "127.0.0.1", True),
        ("localhost", "%", True),
        ("localhost", "10.0.0.%", False),
        ("10.0.0.7", "10.0.0.%", True),
        ("10.0.0.7", "10.0.0.8", False),
        ("10.0.%", "10.0.0.0/255.255.255.0", True),
        ("10.1.%", "10.0.0.0/255.255.255.0", False),
        ("10.0.0.0/24", "10.0.1.0/24", False),
        ("10.0.0.0/24", "10.0.0.128/25", True),
        ("web_.lan", "web1.%", True),
        ("web_.lan", "web12.lan", False),
        ("%.lan", "web%", True),
    ],
)
def test_places_overlap_where_some_client_fits_both(one: str, other: str, meet: bool) -> None:
    assert overlap(one, other) is overlap(other, one) is meet


def test_one_name_with_two_passwords_is_refused_where_the_places_overlap() -> None:
    databases = {"mariadb_databases": ["shop_a"]}
    two = [user(host="10.0.0.7"), user(host="10.0.0.%", password="another")]
    assert complaint(**databases, mariadb_users=two) == (
        "mariadb_users has different passwords for one name at places that overlap (shop_a@10.0.0.7 and shop_a@10.0.0.%); "
        "give them one password, or different names."
    )
    for harmless in (
        [user(host="10.0.0.7"), user(host="10.0.0.%")],
        [user(), user(host="10.0.0.%", password="another")],
        [user(host="10.0.0.7"), user(name="blog", host="10.0.0.%", password="another")],
        [user(plugin="unix_socket", password=None), user(host="%")],
    ):
        assert complaint(**databases, mariadb_users=harmless) == ""


@pytest.mark.parametrize("changes", [{"host": "10.0.0.7", "password": None}, {}, {"password": None, "previous_password": "x"}])
def test_the_socket_needs_localhost_and_no_password(changes: dict[str, Any]) -> None:
    found = complaint(mariadb_users=[user(plugin="unix_socket", **changes)], mariadb_databases=["shop_a"])
    assert "comes in by unix_socket, which takes no password and works at localhost only" in found


def test_an_unknown_way_in_is_refused() -> None:
    found = complaint(mariadb_users=[user(plugin="parsec")], mariadb_databases=["shop_a"])
    assert found == "mariadb_users has plugin parsec; use one of mysql_native_password, ed25519, unix_socket."


def test_rights_on_the_server_are_known_and_named_apart() -> None:
    everywhere = {"database": "*", "grant": ["PROCESS", "REPLICATION CLIENT", "select"]}
    assert complaint(mariadb_users=[user(privileges=[everywhere])]) == ""
    found = complaint(
        mariadb_users=[user(privileges=[{"database": "shop_a", "grant": ["PROCESS"]}])], mariadb_databases=["shop_a"]
    )
    assert 'mariadb_users grants "PROCESS", which is no right on a database' in found
    assert found.endswith("; rights on the whole server need database *.")
    assert '"GRANT OPTION"' in complaint(mariadb_users=[user(privileges=[{"database": "*", "grant": ["GRANT OPTION"]}])])


@pytest.mark.parametrize(("version", "known"), [("10.11.6", False), ("11.2.1", False), ("11.3.0", True), ("11.8.3", True)])
def test_rights_that_this_version_does_not_know_are_refused(version: str, known: bool) -> None:
    inputs: dict[str, Any] = {
        "mariadb_databases": ["shop_a"],
        "mariadb_users": [user(privileges=[{"database": "shop_a", "grant": ["show create routine"]}])],
    }
    assert complaint(**inputs) == ""
    for line in (f"/usr/sbin/mariadbd  Ver {version}-MariaDB", f"mariadb-server:\n  Candidate: 1:{version}-1"):
        found = complaint(line, **inputs)
        assert ('grants "SHOW CREATE ROUTINE", which MariaDB' in found) is not known


def test_roles_are_checked_as_users_are() -> None:
    roles = [{"name": "readers", "privileges": [{"database": "shop", "grant": ["SELCT"]}]}, {"name": "readers"}]
    found = complaint(mariadb_roles=[*roles, {"name": "none"}], mariadb_users=[user(roles=["writers"], default_role="x")])
    for part in (
        'mariadb_roles contains the name "none"',
        "mariadb_roles lists readers more than once",
        'mariadb_roles grants "SELCT"',
        "mariadb_roles grants rights on shop, but mariadb_databases lists only nothing",
        "mariadb_users gives the role writers, but mariadb_roles lists only readers, readers, none",
        "the default_role of shop_a@localhost is none of its roles",
    ):
        assert part in found
    good = {"mariadb_roles": [{"name": "readers"}], "mariadb_users": [user(roles=["readers"], privileges=None)]}
    assert complaint(**good) == ""


# TLS, imports, versions


def test_tls_needs_both_files_and_a_server_that_offers_it() -> None:
    assert complaint(mariadb_tls={"certificate": "/a.pem"}) == (
        "mariadb_tls has no key; name certificate and key, or leave it empty."
    )
    assert complaint(mariadb_tls={"certificate": "/a.pem", "key": "/a.key"}, tls_offered=True) == ""
    needy = {"mariadb_users": [user(require_tls=True, privileges=None)]}
    assert complaint(**needy, tls_offered=True) == ""
    assert "shop_a@localhost has to use TLS, which the server does not offer" in complaint(**needy, tls_offered=False)
    assert "the server offers no TLS on loopback" in complaint(mariadb_require_secure_transport=True, tls_offered=False)


def test_a_dump_needs_a_listed_database_of_its_own() -> None:
    dumps = [{"database": "shop", "path": "a.sql"}, {"database": "shop", "path": "b.sql"}]
    found = complaint(mariadb_imports=dumps)
    assert "mariadb_imports fills shop, shop, but mariadb_databases lists only nothing" in found
    assert "mariadb_imports fills shop more than once" in found
    assert complaint(mariadb_imports=dumps[:1], mariadb_databases=["shop"]) == ""


@pytest.mark.parametrize(
    ("versions", "sentence"),
    [
        ("", ""),
        (SERVER, ""),
        (f"Data: 10.11.6-MariaDB\n{SERVER}", ""),
        (f"Data: 11.8.1-MariaDB\n{SERVER}", ""),
        (f"Data: 12.0.2-MariaDB\n{SERVER}", "last used by MariaDB 12.0, which is newer than this host's 11.8"),
        ("Data: 11.8.1-MariaDB\n\nmariadb-server:\n  Installed: (none)\n  Candidate: 1:10.11.6-1\n", "host's 10.11"),
        ("/usr/libexec/mysqld  Ver 10.3.39-MariaDB for Linux", "MariaDB 10.3 is what this host has or offers"),
        ("mariadb-server:\n  Candidate: 1:10.3.39\n", "the role knows 10.5 and newer"),
        ("Data: 11.8.1-MariaDB\n", "cannot be told on this host"),
        ("mariadbd  Ver something\n", "cannot be told on this host"),
    ],
)
def test_servers_too_old_and_data_too_new_are_refused(versions: str, sentence: str) -> None:
    found = problems({}, versions)
    assert len(found) == bool(sentence)
    assert sentence in " ".join(found)


def test_versions_are_read_with_an_epoch_and_without() -> None:
    assert version_in("  Candidate: 1:10.11.6-1", "Candidate:") == version_in("Candidate:10.11.6", "Candidate:") == (10, 11)
    assert version_in("Candidate: (none)", "Candidate:") is None


# Upgrades

MINOR = "Installed: 1:11.8.3-1\nCandidate: 1:11.8.9-1\nmariadbd  Ver 11.8.3-MariaDB\nData: 11.8.3-MariaDB\n"
MOVED = "Installed: 11.8.9-1\nCandidate: 11.8.9-1\nmariadbd  Ver 11.8.9-MariaDB\nData: 10.11.6-MariaDB\n"


@pytest.mark.parametrize(
    ("found", "due", "version"),
    [
        (MINOR, True, "1:11.8.9-1"),
        (MINOR.replace("11.8.9", "12.3.1"), True, "1:12.3.1-1"),
        (MINOR.replace("11.8.9", "11.8.3"), False, ""),
        # Somebody took a repository away; what is there stays.
        (MINOR.replace("1:11.8.9", "1:10.11.6"), False, ""),
        (MINOR.replace("Candidate: 1:11.8.9-1", "Candidate: (none)"), False, ""),
        (MOVED, True, ""),
        (MOVED.replace("10.11.6", "11.8.1"), False, ""),
    ],
)
def test_an_upgrade_is_due_for_newer_packages_or_older_data(found: str, due: bool, version: str) -> None:
    outcome = upgrade(found, "/b")
    assert (outcome["due"], outcome["version"], outcome["problems"]) == (due, version, [])


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (f"Data bytes: {10 * 2**30}\nFree bytes: {10 * 2**30}\n", "The backup needs 11264 MB in /b, where 10240 MB are free"),
        ("Prepared: yes\n", "Prepared XA transactions are open"),
        ("Data bytes: 10\nFree bytes: 11\n", ""),
    ],
)
def test_what_stands_in_the_way_of_an_upgrade_is_said(more: str, sentence: str) -> None:
    found = upgrade(MINOR + more, "/b")["problems"]
    assert len(found) == bool(sentence)
    assert sentence in " ".join(found)
    # It matters only where there is something to do.
    assert upgrade(MINOR.replace("11.8.9", "11.8.3") + more, "/b")["problems"] == []


def test_data_too_old_or_too_new_and_hosts_without_packages_are_refused() -> None:
    assert "no tested way to 11.8" in upgrade(MOVED.replace("10.11.6", "10.3.1"), "/b")["problems"][0]
    newer = MINOR.replace("Data: 11.8.3", "Data: 12.3.1")
    assert "is newer than this host's 11.8" in upgrade(newer, "/b")["problems"][0]
    assert "no package mariadb-server on this host" in " ".join(upgrade("", "/b")["problems"])
