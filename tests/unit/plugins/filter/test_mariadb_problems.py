"""Filter ``mariadb_problems``: what is wrong with the role's inputs."""

from __future__ import annotations

from templating import evaluate


def test_a_value_that_cannot_be_is_named_with_its_remedy() -> None:
    assert evaluate("{{ {'mariadb_port': '70000'} | lemp.stack.mariadb_problems }}") == [
        "mariadb_port is 70000; use a number from 1 to 65535."
    ]


def test_passwords_in_variables_of_their_own_are_seen_and_not_shown() -> None:
    users = [{"name": "shop", "password": "{{ vault }}", "privileges": [{"database": "blog", "grant": ["SELECT"]}]}]
    found = evaluate("{{ {'mariadb_users': users} | lemp.stack.mariadb_problems }}", users=users, vault="secret")
    assert len(found) == 1
    assert "grants rights on blog" in found[0]
    assert evaluate("{{ {'mariadb_users': users} | lemp.stack.mariadb_problems }}", users=users, vault="")[0].endswith(
        "shop has no password; set it, best from a vault."
    )


def test_versions_are_judged_where_they_are_known() -> None:
    template = "{{ {} | lemp.stack.mariadb_problems(versions) }}"
    assert evaluate(template, versions="") == []
    assert "newer than this host's 10.11" in evaluate(template, versions="mariadbd  Ver 10.11.6\nData: 11.8.3")[0]
