"""Filter ``mariadb_queries``: statements that read the state of a server."""

from __future__ import annotations

from templating import evaluate


def test_statements_name_the_wanted_accounts() -> None:
    found = evaluate(
        "{{ [{'name': 'shop', 'password': 'secret'}] | lemp.stack.mariadb_queries([{'name': 'readers'}], [], ['port']) }}"
    )
    assert [statement for statement in found if not statement.startswith("SELECT ")] == []
    assert "User IN ('readers', 'shop')" in found[2]
    assert "VARIABLE_NAME IN ('port', 'version')" in found[-1]
    assert "secret" not in str(found)
