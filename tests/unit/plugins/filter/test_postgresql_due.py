"""Filter ``postgresql_due``: what has to be done on a server."""

from __future__ import annotations

import json

from templating import evaluate

EMPTY = dict.fromkeys(("settings", "problems", "pending", "roles", "databases"))


def test_what_is_missing_is_due() -> None:
    found = evaluate(
        "{{ surveyed | lemp.stack.postgresql_due([{'name': 'shop', 'owner': 'shop'}], users, {}) }}",
        surveyed=json.dumps({"version": 170000, **EMPTY}),
        users=[{"name": "shop", "password": "{{ vault }}"}],
        vault="secret",
    )
    assert found["report"][:3] == ["shop: is created", "shop: may log in", "shop: gets its password"]
    assert "CREATE DATABASE shop" in found["report"]
    assert "SCRAM-SHA-256$" in found["script"]
    assert "secret" not in str(found)
