"""Filter ``calibration``: what a playbook gets, with a plan of this collection."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleError
from templating import evaluate

MIB = 2**20
USAGE = {
    "php_fpm": {
        "pools": {"blog": {"workers": 4, "requests": 9, "worker_bytes": {"p95": 60 * MIB}}},
        "opcache": {"used_bytes": 60 * MIB, "wasted_bytes": 0, "cached_scripts": 4100},
    }
}
SERVICES = "lemp_sites | lemp.stack.host_services(group_names)"
KEPT = {"php_fpm": {"opcache_memory_mb": 72, "php_files": 4100, "pools": {"blog": {"worker_memory_mb": 66}}}}


def test_a_proposal_is_what_the_plan_reads(variables: dict[str, Any]) -> None:
    expression = "{{ usage | lemp.stack.calibration(ansible_facts | lemp.stack.plan(" + SERVICES + "), {}) }}"
    assert evaluate(expression, usage=USAGE, **variables)["proposed"]["php_fpm"]["pools"] == KEPT["php_fpm"]["pools"]
    variables["ansible_facts"]["lemp_capacity"] = {"calibration": KEPT}
    plan = evaluate("{{ ansible_facts | lemp.stack.plan(" + SERVICES + ") }}", **variables)
    assert plan["php_fpm"]["pools"]["blog"]["worker_memory_mb"] == 66
    assert plan["explain"]["opcache.max_accelerated_files"]["inputs"]["php_files"] == 4100
    assert evaluate("{{ usage | lemp.stack.calibration(plan, kept) }}", usage=USAGE, plan=plan, kept=KEPT)["proposed"] == {}


def test_without_the_present_calibration_the_plan_holds(variables: dict[str, Any]) -> None:
    variables["ansible_facts"]["lemp_capacity"] = {"calibration": KEPT}
    expression = "{{ usage | lemp.stack.calibration(ansible_facts | lemp.stack.plan(" + SERVICES + ")) }}"
    assert evaluate(expression, usage=USAGE, **variables)["proposed"] == {}


def test_a_usage_that_makes_no_sense_is_an_error_of_one_sentence() -> None:
    with pytest.raises(AnsibleError, match="the usage is 7, but must be a dictionary"):
        evaluate("{{ 7 | lemp.stack.calibration({}) }}")
