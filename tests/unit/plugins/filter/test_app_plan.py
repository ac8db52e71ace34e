"""Filter ``app_plan``: what the role's tasks work with."""

from __future__ import annotations

from typing import Any

from templating import evaluate


def test_sites_of_the_stack_become_what_the_role_does(variables: dict[str, Any]) -> None:
    template = (
        "{{ lemp_sites | lemp.stack.app_sites | lemp.stack.app_plan([], themes=['twenty'], root='/usr/share/wordpress') }}"
    )
    made = evaluate(template, **variables)
    assert made["wordpress"] == ["blog"]
    assert [user["name"] for user in made["users"]] == ["blog", "docs"]
    assert made["links"][0]["target"] == "/usr/share/wordpress/wp-content/themes/twenty"
    assert made["tables"][0]["admin_password"] == "admin-secret"
    assert made["tables"][0]["database"]["password"] == "database-secret"
