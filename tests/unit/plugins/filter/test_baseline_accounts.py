"""Filter ``baseline_accounts``: administrators, described without their passwords."""

from __future__ import annotations

from templating import evaluate


def test_the_hash_of_a_password_does_not_come_through() -> None:
    admins = [{"name": "anna", "keys": ["{{ key }}"], "password": "{{ hash }}", "shell": "/bin/sh"}]
    [account] = evaluate("{{ admins | lemp.stack.baseline_accounts }}", admins=admins, key="x AAAA", hash="$6$salt$secret")
    assert (account["name"], account["shell"], account["keys"]) == ("anna", "/bin/sh", ["x AAAA"])
    assert "secret" not in str(account)
