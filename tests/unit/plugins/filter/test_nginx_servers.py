"""Filter ``nginx_servers``: one server block per site."""

from __future__ import annotations

from typing import Any

from templating import evaluate


def test_server_blocks_are_made_from_the_variables_of_a_play(variables: dict[str, Any]) -> None:
    servers = evaluate("{{ lemp_sites | lemp.stack.nginx_servers }}", **variables)
    assert [(server["name"], server["kind"], server["root"]) for server in servers] == [
        ("blog", "php", "/usr/share/wordpress"),
        ("docs", "static", "/srv/www/docs/public"),
    ]
