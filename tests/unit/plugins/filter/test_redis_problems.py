"""Filter ``redis_problems``: what is wrong with the role's inputs."""

from __future__ import annotations

from templating import evaluate


def test_two_instances_on_one_port_are_named() -> None:
    expression = (
        "{{ {'redis_instances': [{'name': 'a', 'port': 6379}, {'name': 'b', 'port': 6379}]} | lemp.stack.redis_problems }}"
    )
    assert evaluate(expression) == ["redis_instances: two have port 6379; give each a port of its own, or 0."]


def test_passwords_in_variables_of_their_own_are_seen_and_not_shown() -> None:
    users = [{"name": "root", "password": "{{ vault }}", "key_prefix": "a:"}]
    expression = "{{ {'redis_instances': [{'name': 'a', 'users': users}]} | lemp.stack.redis_problems }}"
    (found,) = evaluate(expression, users=users, vault="secret")
    assert "neither root nor default" in found
    assert "secret" not in found
    assert len(evaluate(expression, users=users, vault="")) == 2
