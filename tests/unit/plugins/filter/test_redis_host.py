"""Filter ``redis_host``: what instances need on a host."""

from __future__ import annotations

from typing import Any

from templating import evaluate

INSTANCES = [{"name": "cache"}, {"name": "queue", "use": "queue"}]
LAYOUT = {"user": "redis", "data_dir": "/var/lib/redis", "binary": "/usr/bin/redis-server"}


def test_units_are_named_after_instances(variables: dict[str, Any]) -> None:
    expression = (
        "{{ (instances | lemp.stack.redis_host(plan=ansible_facts | lemp.stack.plan({'redis': {'instances': instances}}),"
        " layout=layout, version='7.0', existing=['old'])).units | map(attribute='name') }}"
    )
    names = evaluate(expression, instances=INSTANCES, layout=LAYOUT, **variables)
    assert list(names) == ["lemp-redis@old.service", "lemp-redis@cache.service", "lemp-redis@queue.service"]
