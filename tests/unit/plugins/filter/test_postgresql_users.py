"""Filter ``postgresql_users``: one account per site."""

from __future__ import annotations

from typing import Any

from templating import evaluate

SHOP = {
    "name": "shop",
    "domains": ["shop.example.org"],
    "database": {"engine": "postgresql", "password": "{{ vault_password }}"},
    "cache": {"engine": "redis", "password": "{{ vault_password }}", "sessions": True},
}


def test_a_password_that_is_a_template_is_rendered(variables: dict[str, Any]) -> None:
    variables["lemp_sites"] = [*variables["lemp_sites"], SHOP]
    [user] = evaluate("{{ lemp_sites | lemp.stack.postgresql_users }}", **variables)
    assert (user["name"], user["databases"], user["password"]) == ("shop", ["shop"], "database-secret")
