"""Filter ``plan``: tuned values for one host, from facts and services."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleError
from templating import evaluate


def test_roles_of_a_play_are_services(variables: dict[str, Any]) -> None:
    plan = evaluate("{{ ansible_facts | lemp.stack.plan(['lemp.stack.nginx', 'lemp.stack.app']) }}", **variables)
    assert list(plan["services"]) == ["nginx"]


def test_inputs_of_a_role_outrank_those_of_the_host(variables: dict[str, Any]) -> None:
    expression = "{{ ansible_facts | lemp.stack.plan({'mariadb': {'max_connections': 10}}, mariadb={'max_connections': 30}) }}"
    assert evaluate(expression, **variables)["mariadb"]["max_connections"] == 30


def test_services_of_a_host_and_of_its_roles_give_the_same_plan(variables: dict[str, Any]) -> None:
    services = "lemp_sites | lemp.stack.host_services(group_names)"
    once = evaluate("{{ ansible_facts | lemp.stack.plan(" + services + ") }}", **variables)
    role = "{{ ansible_facts | lemp.stack.plan(" + services + ", php_fpm={'pools': lemp_sites | lemp.stack.php_fpm_pools}) }}"
    assert evaluate(role, **variables) == once


def test_a_host_that_is_too_small_is_an_error_that_names_the_shortfall(variables: dict[str, Any]) -> None:
    variables["ansible_facts"] = {"memtotal_mb": 256, "processor_nproc": 1}
    with pytest.raises(AnsibleError, match=r"'lemp.stack.plan' failed: the services need \d+ MB more than the host has"):
        evaluate("{{ ansible_facts | lemp.stack.plan(['nginx', 'php_fpm', 'mariadb']) }}", **variables)


@pytest.mark.parametrize("services", ["'nginx'", "7", "{'nginx': 7}", "{'apache': {}}"])
def test_services_that_make_no_sense_are_an_error_of_one_sentence(variables: dict[str, Any], services: str) -> None:
    with pytest.raises(AnsibleError, match=r"'lemp.stack.plan' failed: .*services"):
        evaluate("{{ ansible_facts | lemp.stack.plan(" + services + ") }}", **variables)
