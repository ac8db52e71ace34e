"""PostgreSQL: what is wrong with the inputs, which file a setting belongs to, who may come in from where."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.lemp.stack.plugins.module_utils._postgresql import databases_of, network_of, problems, rules, settings

DATABASES = [{"name": "shop", "owner": "shop", "schemas": ["app"]}, {"name": "spare"}]
USERS: list[dict[str, Any]] = [
    {"name": "shop", "password": "secret"},
    {"name": "reader", "password": "secret", "databases": ["shop"], "privileges": [{"database": "shop", "tables": ["select"]}]},
]


def found(**inputs: Any) -> list[str]:
    return problems({f"postgresql_{name}": value for name, value in inputs.items()})


def with_user(**changes: Any) -> list[str]:
    users = [USERS[0], {key: value for key, value in {**USERS[1], **changes}.items() if value is not None}]
    return found(users=users, databases=DATABASES)


def test_good_inputs_have_no_problem() -> None:
    assert found(users=USERS, databases=DATABASES, port=5432, max_connections=0, shared_buffers_mb="128") == []
    assert found() == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": "shop", "privileges": None}, "postgresql_users lists shop more than once"),
        ({"name": "postgres"}, 'contains the name "postgres"; use 1 to 63 letters'),
        ({"name": "pg_x"}, 'contains the name "pg_x"'),
        ({"name": 'a"b'}, "contains the name"),
        ({"password": None}, "reader has no password; set it"),
        ({"password": "a\nb"}, "the password of reader holds a control character"),
        ({"roles": ["boss"]}, 'members of "boss", which is neither'),
        ({"client_hosts": ["10.0.0.1/24"]}, 'from "10.0.0.1/24"; use localhost, an address'),
        ({"client_hosts": ["web.lan"]}, 'from "web.lan"'),
        ({"databases": ["shop", "blog"]}, "lets users into blog, but postgresql_databases lists only shop, spare"),
        ({"databases": []}, "privileges in a database that the user may not enter (reader: shop)"),
        ({"privileges": [{"database": "shop", "schema": "no"}]}, "does not list (reader: shop.no)"),
        (
            {"privileges": [{"database": "shop", "tables": ["SELCT"]}]},
            'grants "SELCT", which is no right on tables; known are SELECT',
        ),
        ({"privileges": [{"database": "shop", "functions": ["SELECT"]}]}, 'grants "SELECT", which is no right on functions'),
        ({"privileges": [{"database": "shop"}, {"database": "shop", "schema": "public"}]}, "(reader: shop.public); merge"),
        ({"statement_timeout_seconds": -1}, "statement_timeout_seconds of reader is -1; use seconds"),
        ({"statement_timeout_seconds": 5, "lock_timeout_seconds": 5}, "lock_timeout_seconds of reader is 5, so its"),
    ],
)
def test_a_user_that_cannot_be_is_named_with_its_remedy(changes: dict[str, Any], sentence: str) -> None:
    sentences = with_user(**changes)
    assert len(sentences) == 1
    assert sentence in sentences[0]
    assert "secret" not in sentences[0]


def test_a_group_needs_no_password() -> None:
    assert with_user(password=None, login=False) == []
    assert with_user(roles=["shop", "pg_monitor"]) == []


def test_the_poolers_port_and_name_are_free_where_nothing_is_pooled() -> None:
    assert found(port=6432, pooler_port=6432, databases=[{"name": "pgbouncer"}]) == []


def test_an_owner_needs_no_privileges() -> None:
    users = [{**USERS[0], "privileges": [{"database": "shop", "tables": ["SELECT"]}]}]
    assert "gives the owner of a database privileges in it (shop: shop)" in found(users=users, databases=DATABASES)[0]


@pytest.mark.parametrize(
    ("databases", "sentence"),
    [
        ([{"name": "postgres"}], 'contains the name "postgres"'),
        ([{"name": "a", "schemas": ["pg_x"]}], 'contains the name "pg_x"'),
        ([{"name": "a", "extensions": ["x; DROP"]}], 'contains the name "x; DROP"'),
        ([{"name": "a"}, {"name": "a"}], "lists a more than once"),
        ([{"name": "a", "owner": "b"}], 'gives databases to "b", but'),
    ],
)
def test_a_database_that_cannot_be_is_named(databases: list[dict[str, Any]], sentence: str) -> None:
    assert sentence in found(databases=databases)[0]


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        ({"port": 0}, "postgresql_port is 0; use a number from 1 to 65535."),
        ({"port": "x"}, "postgresql_port is x; use"),
        ({"port": 6432, "databases": [{"name": "a", "pooled": True}]}, "postgresql_port is 6432, which the pooler takes"),
        (
            {"port": 7, "pooler_port": "7", "databases": [{"name": "a", "pooled": True}]},
            "postgresql_port is 7, which the pooler",
        ),
        ({"databases": [{"name": "pgbouncer", "pooled": True}]}, 'postgresql_databases has "pgbouncer" pooled'),
        ({"pooler_port": 70000}, "postgresql_pooler_port is 70000; use a number from 1 to 65535."),
        ({"pool_size": -1}, "postgresql_pool_size is -1; use a number from 1 to 10000, or 0 to have it computed."),
        ({"max_connections": 3}, "postgresql_max_connections is 3; use a number from 12 to 10000, or 0 to have it computed."),
        ({"tls_certificate_pem": "x"}, "postgresql_tls_certificate_pem is set, but postgresql_tls_key_pem is not"),
        ({"tls_key_pem": "x"}, "postgresql_tls_key_pem is set, but postgresql_tls_certificate_pem is not"),
        ({"extra_settings": {"port": 1}}, "postgresql_extra_settings sets port; use the role's own input"),
        ({"extra_settings": {"Work": 1}}, "postgresql_extra_settings sets Work"),
        ({"extra_settings": {"a": [1]}}, "postgresql_extra_settings sets a"),
        ({"extra_settings": {"a": "x\ny"}}, "postgresql_extra_settings sets a"),
        ({"extra_hba_rules": ["trust all"]}, 'contains "trust all"; write one line'),
        ({"extra_hba_rules": ["host a\nhost b"]}, "write one line of pg_hba.conf"),
    ],
)
def test_a_value_that_cannot_be_is_named(inputs: dict[str, Any], sentence: str) -> None:
    sentences = found(**inputs)
    assert len(sentences) == 1
    assert sentence in sentences[0]


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("localhost", ""),
        ("127.0.0.1", ""),
        ("::1", ""),
        ("10.0.0.7", "10.0.0.7/32"),
        ("10.0.0.0/24", "10.0.0.0/24"),
        ("2001:db8::/64", "2001:db8::/64"),
        ("10.0.0.1/24", None),
        ("web", None),
        ("all", None),
    ],
)
def test_client_hosts_are_this_host_addresses_or_networks(host: str, network: str | None) -> None:
    assert network_of(host) == network


def test_a_user_comes_from_its_hosts_into_its_databases_in_the_order_of_the_inventory() -> None:
    users = [
        {"name": "reader", "databases": ["shop"], "client_hosts": ["10.0.0.0/24"]},
        {"name": "shop"},
        {"name": "g", "login": False},
    ]
    local = [
        'local "shop" "shop" scram-sha-256',
        *(f'host "shop" "shop" {net} scram-sha-256' for net in ("127.0.0.1/32", "::1/128")),
    ]
    assert rules(users, DATABASES, True) == ['hostssl "shop" "reader" 10.0.0.0/24 scram-sha-256', *local]
    assert rules(users, DATABASES, False) == local, "without a certificate nobody comes from elsewhere"


def test_no_rule_lets_anybody_in_without_a_password_or_into_all_databases() -> None:
    for rule in rules(USERS, DATABASES, True):
        assert rule.endswith(" scram-sha-256")
        assert " all " not in rule


def test_an_owner_may_enter_what_it_owns() -> None:
    assert databases_of({"name": "shop", "databases": ["spare"]}, DATABASES) == ["spare", "shop"]
    assert databases_of({"name": "other"}, DATABASES) == []


def test_settings_go_where_they_take_hold_and_the_users_stand_above_the_plans() -> None:
    explained = {"postgresql.shared_buffers": {"unit": "bytes"}, "postgresql.jit": {"unit": ""}}
    written = settings(
        {"shared_buffers": 128 * 2**20, "jit": "off"},
        explained,
        {"jit": True, "wal_level": "logical", "search_path": "it's \\ 1", "pg_cron.max_running_jobs": 9},
    )
    assert written == {
        "start": {"pg_cron.max_running_jobs": "'9'", "shared_buffers": "'128MB'", "wal_level": "'logical'"},
        "reload": {"jit": "'on'", "search_path": "'it''s \\\\ 1'"},
    }
