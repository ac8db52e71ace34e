"""Filter ``redis_drift``: running instances beside their files."""

from __future__ import annotations

from templating import evaluate

HOST = {
    "instances": [{"name": "cache", "values": {"maxmemory": "2"}}],
    "files": [{"dest": "/etc/lemp-redis/cache.acl", "content": "user default off\n"}],
}


def test_another_value_is_a_difference() -> None:
    said = "@ cache\nmaxmemory\n1\n@before cache\nuser default off resetchannels -@all"
    found = evaluate("{{ said | lemp.stack.redis_drift(host, '7.0') }}", said=said, host=HOST)
    assert found == {"values": ["cache: maxmemory is 1, planned 2"], "users": [], "silent": []}


def test_no_answer_is_no_value() -> None:
    assert evaluate("{{ ('' | lemp.stack.redis_drift(host, '7.0')).silent }}", host=HOST) == ["cache"]
