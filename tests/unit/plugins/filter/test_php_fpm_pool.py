"""Filter ``php_fpm_pool``: the workers of one pool."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleError
from templating import evaluate


def test_it_is_a_view_of_the_plan(variables: dict[str, Any]) -> None:
    plan = "(ansible_facts | lemp.stack.plan({'mariadb': {}, 'php_fpm': {'pools': [{'name': 'www', 'worker_memory_mb': 70}]}}))"
    expression = (
        "{{ [ansible_facts | lemp.stack.php_fpm_pool(['mariadb'], worker_memory_mb=70), " + plan + ".php_fpm.pools.www] }}"
    )
    seen, planned = evaluate(expression, **variables)
    assert seen == planned


def test_a_host_that_is_too_small_is_an_error(variables: dict[str, Any]) -> None:
    variables["ansible_facts"] = {"memtotal_mb": 128, "processor_nproc": 1}
    with pytest.raises(AnsibleError, match=r"'lemp.stack.php_fpm_pool' failed: the services need \d+ MB more"):
        evaluate("{{ ansible_facts | lemp.stack.php_fpm_pool(['nginx', 'php_fpm', 'mariadb', 'postgresql']) }}", **variables)


def test_an_unknown_input_is_named(variables: dict[str, Any]) -> None:
    with pytest.raises(AnsibleError, match=r"'lemp.stack.php_fpm_pool' failed: .*nonsense"):
        evaluate("{{ ansible_facts | lemp.stack.php_fpm_pool(application='nonsense') }}", **variables)
