"""Filter ``mariadb_users``: one account per site and client host."""

from __future__ import annotations

from typing import Any

from templating import evaluate


def test_a_password_that_is_a_template_is_rendered(variables: dict[str, Any]) -> None:
    [user] = evaluate("{{ lemp_sites | lemp.stack.mariadb_users }}", **variables)
    assert (user["name"], user["host"], user["password"]) == ("blog", "localhost", "database-secret")
