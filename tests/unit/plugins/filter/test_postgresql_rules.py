"""Filter ``postgresql_rules``: who may come in."""

from __future__ import annotations

from templating import evaluate


def test_a_user_comes_into_its_own_database_only() -> None:
    template = (
        "{{ [{'name': 'shop'}, {'name': 'blog'}] | lemp.stack.postgresql_rules([{'name': 'shop', 'owner': 'shop'}], false) }}"
    )
    assert evaluate(template) == [
        'local "shop" "shop" scram-sha-256',
        'host "shop" "shop" 127.0.0.1/32 scram-sha-256',
        'host "shop" "shop" ::1/128 scram-sha-256',
    ]
