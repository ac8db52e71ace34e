"""Filter ``redis_memory``: memory of Redis."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleError
from templating import evaluate


def test_it_is_a_view_of_the_plan(variables: dict[str, Any]) -> None:
    plan = "(ansible_facts | lemp.stack.plan({'php_fpm': {}, 'redis': {'use': 'session'}}))"
    expression = (
        "{{ [ansible_facts | lemp.stack.redis_memory(['php_fpm'], use='session'), " + plan + ".redis.instances.cache] }}"
    )
    seen, planned = evaluate(expression, **variables)
    assert seen == planned


def test_a_host_that_is_too_small_is_an_error(variables: dict[str, Any]) -> None:
    variables["ansible_facts"] = {"memtotal_mb": 128, "processor_nproc": 1}
    with pytest.raises(AnsibleError, match=r"'lemp.stack.redis_memory' failed: the services need \d+ MB more"):
        evaluate("{{ ansible_facts | lemp.stack.redis_memory(['nginx', 'php_fpm', 'mariadb', 'postgresql']) }}", **variables)


def test_an_unknown_input_is_named(variables: dict[str, Any]) -> None:
    with pytest.raises(AnsibleError, match=r"'lemp.stack.redis_memory' failed: .*nonsense"):
        evaluate("{{ ansible_facts | lemp.stack.redis_memory(nonsense=1) }}", **variables)
