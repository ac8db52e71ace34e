"""Filter ``mariadb_databases``: names of the databases."""

from __future__ import annotations

from typing import Any

from templating import evaluate


def test_only_a_site_with_a_database_names_one(variables: dict[str, Any]) -> None:
    assert evaluate("{{ lemp_sites | lemp.stack.mariadb_databases }}", **variables) == ["blog"]
