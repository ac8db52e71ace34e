"""Filter ``mariadb_due``: what has to be done on a server."""

from __future__ import annotations

from templating import evaluate


def test_what_is_missing_is_due() -> None:
    found = evaluate(
        "{{ rows | lemp.stack.mariadb_due(['shop'], users, [{'name': 'readers'}], 'utf8mb4_bin') }}",
        rows=[[] for _ in range(10)],
        users=[{"name": "shop", "password": "{{ vault }}"}],
        vault="secret",
    )
    assert found == {
        "statements": ["CREATE DATABASE `shop` CHARACTER SET utf8mb4 COLLATE `utf8mb4_bin`", "CREATE ROLE 'readers'"],
        "secrets": [
            "CREATE USER 'shop'@'localhost' IDENTIFIED VIA mysql_native_password "
            "USING '*14E65567ABDB5135D0CFD9A70B3032C179A49EE7' REQUIRE NONE WITH MAX_STATEMENT_TIME 0"
        ],
        "rights": [],
        "report": ["CREATE DATABASE shop", "role readers: is created", "shop@localhost: is created"],
    }
