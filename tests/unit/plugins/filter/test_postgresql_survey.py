"""Filter ``postgresql_survey``: the script that reads the state of a server."""

from __future__ import annotations

from templating import evaluate


def test_the_script_names_what_is_wanted_and_no_password() -> None:
    found = evaluate(
        "{{ [{'name': 'shop', 'password': 'secret'}] | lemp.stack.postgresql_survey(databases, ['jit']) }}",
        databases=[{"name": "shop", "owner": "shop"}],
    )
    assert "rolname IN ('shop')" in found
    assert "'jit'" in found
    assert "secret" not in found
    assert '\\connect "shop"\n' in found
    assert '\\connect "postgres"\n' in found
