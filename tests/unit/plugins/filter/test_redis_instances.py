"""Filter ``redis_instances``: the instances that sites use, and their accounts."""

from __future__ import annotations

from typing import Any

from templating import evaluate

SHOP = {
    "name": "shop",
    "domains": ["shop.example.org"],
    "database": {"engine": "postgresql", "password": "{{ vault_password }}"},
    "cache": {"engine": "redis", "password": "{{ vault_password }}", "sessions": True},
}


def test_settings_by_hand_come_along(variables: dict[str, Any]) -> None:
    variables["lemp_sites"] = [*variables["lemp_sites"], SHOP]
    cache, session = evaluate("{{ lemp_sites | lemp.stack.redis_instances({'session': {'maxmemory_mb': 64}}) }}", **variables)
    assert (cache["name"], session["name"], session["maxmemory_mb"]) == ("cache", "session", 64)
    assert "maxmemory_mb" not in cache
    assert cache["users"] == [{"name": "shop", "password": "database-secret", "key_prefix": "shop:"}]
