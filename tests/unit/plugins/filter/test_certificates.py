"""Filter ``certificates``: one certificate per site."""

from __future__ import annotations

from typing import Any

from templating import evaluate


def test_every_site_asks_for_a_certificate_of_its_own(variables: dict[str, Any]) -> None:
    wanted = evaluate("{{ lemp_sites | lemp.stack.certificates }}", **variables)
    assert [(item["name"], item["issuer"], item["key"]) for item in wanted] == [
        ("blog", "selfsigned", "/etc/ssl/lemp/blog/privkey.pem"),
        ("docs", "selfsigned", "/etc/ssl/lemp/docs/privkey.pem"),
    ]
