"""Filter ``app_sites``: what runs on each site."""

from __future__ import annotations

from typing import Any

from templating import evaluate


def test_an_app_is_told_its_rendered_passwords(variables: dict[str, Any]) -> None:
    blog, docs = evaluate("{{ lemp_sites | lemp.stack.app_sites }}", **variables)
    assert (blog["wordpress"]["admin_password"], blog["database"]["password"]) == ("admin-secret", "database-secret")
    assert docs["recipe"] == "none"
