"""Filter ``app_plan``: what the role's tasks work with."""

from __future__ import annotations

from typing import Any

from templating import evaluate

PLATFORM = {"php": "php%s", "wordpress_packages": ["wordpress"], "wordpress_language_packages": []}


def test_sites_of_the_stack_become_what_the_role_does(variables: dict[str, Any]) -> None:
    made = evaluate("{{ lemp_sites | lemp.stack.app_sites | lemp.stack.app_plan(platform) }}", platform=PLATFORM, **variables)
    assert made["problems"] == []
    assert made["wordpress"] == ["blog"]
    assert [user["name"] for user in made["users"]] == ["blog", "docs"]
    assert made["tables"][0]["admin_password"] == "admin-secret"
    assert made["tables"][0]["database"]["password"] == "database-secret"


def test_what_is_wrong_takes_the_place_of_the_plan() -> None:
    sites = [{"name": "a", "user": "A", "home": "/a", "root": "/a", "domain": "a", "recipe": "none"}]
    made = evaluate("{{ sites | lemp.stack.app_plan(platform) }}", platform=PLATFORM, sites=sites)
    assert made["problems"][0].startswith("app_sites: user of a is A;")
    assert "users" not in made
