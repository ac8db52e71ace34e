"""Filter ``postgresql_databases``: one database per site that has its data there."""

from __future__ import annotations

from typing import Any

from templating import evaluate

SHOP = {
    "name": "shop",
    "domains": ["shop.example.org"],
    "database": {"engine": "postgresql", "password": "{{ vault_password }}"},
    "cache": {"engine": "redis", "password": "{{ vault_password }}", "sessions": True},
}


def test_only_sites_of_this_engine_have_one(variables: dict[str, Any]) -> None:
    variables["lemp_sites"] = [*variables["lemp_sites"], SHOP]
    assert evaluate("{{ lemp_sites | lemp.stack.postgresql_databases }}", **variables) == [{"name": "shop", "owner": "shop"}]
