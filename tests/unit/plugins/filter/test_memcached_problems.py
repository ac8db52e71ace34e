"""Filter ``memcached_problems``: what is wrong with the role's inputs."""

from __future__ import annotations

from templating import evaluate


def test_an_item_that_does_not_fit_is_named_with_its_remedy() -> None:
    (found,) = evaluate("{{ {'memcached_max_item_size_mb': 40} | lemp.stack.memcached_problems(64) }}")
    assert found == (
        "memcached_max_item_size_mb is 40, but an item may be half of the memory of 64 MB at most; lower it, or raise "
        "memcached_memory_mb."
    )


def test_passwords_in_variables_of_their_own_are_seen_and_not_shown() -> None:
    users = [{"name": "a b", "password": "{{ vault }}"}]
    (found,) = evaluate("{{ {'memcached_users': users} | lemp.stack.memcached_problems }}", users=users, vault="secret")
    assert "name is a b" in found
    assert "secret" not in found
