"""Filter ``mariadb_due``: what has to be done on a server."""

from __future__ import annotations

from templating import evaluate


def test_what_is_missing_is_due() -> None:
    found = evaluate(
        "{{ rows | lemp.stack.mariadb_due(['shop'], users) }}",
        rows=[[] for _ in range(7)],
        users=[{"name": "shop", "password": "{{ vault }}"}],
        vault="secret",
    )
    assert found == {
        "statements": [],
        "databases": ["shop"],
        "accounts": [{"name": "shop", "host": "localhost", "password": "secret", "priv": {"*.*": "USAGE"}}],
        "report": ["CREATE DATABASE shop", "shop@localhost: is created"],
    }
