"""Filter ``postgresql_problems``: what is wrong with the role's inputs."""

from __future__ import annotations

from templating import evaluate


def test_a_value_that_cannot_be_is_named_with_its_remedy() -> None:
    assert evaluate("{{ {'postgresql_port': '70000'} | lemp.stack.postgresql_problems }}") == [
        "postgresql_port is 70000; use a number from 1 to 65535."
    ]


def test_passwords_in_variables_of_their_own_are_seen_and_not_shown() -> None:
    users = [{"name": "shop", "password": "{{ vault }}", "databases": ["blog"]}]
    found = evaluate("{{ {'postgresql_users': users} | lemp.stack.postgresql_problems }}", users=users, vault="secret")
    assert len(found) == 1
    assert "lets users into blog" in found[0]
    assert "secret" not in found[0]
    bare = evaluate("{{ {'postgresql_users': users} | lemp.stack.postgresql_problems }}", users=users, vault="")
    assert "shop has no password" in bare[0]
