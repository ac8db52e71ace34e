"""Filter ``redis_firewall_rules``: ports of instances."""

from __future__ import annotations

from templating import evaluate


def test_an_instance_behind_a_socket_has_no_rule() -> None:
    expression = "{{ [{'name': 'cache', 'port': 0}, {'name': 'queue', 'port': '6380'}] | lemp.stack.redis_firewall_rules }}"
    assert evaluate(expression) == [{"name": "redis-queue", "port": 6380, "protocol": "tcp", "sources": []}]
