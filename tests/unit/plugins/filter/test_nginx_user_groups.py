"""Filter ``nginx_user_groups``: groups that the web server joins."""

from __future__ import annotations

from typing import Any

from templating import evaluate


def test_the_web_server_joins_the_group_of_each_site(variables: dict[str, Any]) -> None:
    assert evaluate("{{ lemp_sites | lemp.stack.nginx_user_groups }}", **variables) == ["blog", "docs"]
