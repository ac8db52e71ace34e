"""Filter ``plan_report``: from a host's facts to what people read."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleError
from templating import evaluate

PLAN = "ansible_facts | lemp.stack.plan(lemp_sites | lemp.stack.host_services(group_names))"


def test_a_plan_becomes_lines_or_a_page(variables: dict[str, Any]) -> None:
    text = evaluate("{{ " + PLAN + " | lemp.stack.plan_report(host='vps') }}", **variables)
    page = evaluate("{{ " + PLAN + " | lemp.stack.plan_report(host='<vps>', format='html') }}", **variables)
    assert text.startswith("vps: memory 4,096 MB")
    assert "<h1>Plan of &lt;vps&gt;</h1>" in page


@pytest.mark.parametrize("style", ["text", "html"])
def test_passwords_are_in_no_report(variables: dict[str, Any], style: str) -> None:
    told = evaluate("{{ " + PLAN + " | lemp.stack.plan_report(format='" + style + "') }}", **variables)
    assert "secret" not in told


def test_data_of_a_plan_has_no_passwords(variables: dict[str, Any]) -> None:
    assert "secret" not in evaluate("{{ " + PLAN + " | to_nice_json(indent=2, sort_keys=true) }}", **variables)


def test_another_format_is_an_error_of_one_sentence(variables: dict[str, Any]) -> None:
    with pytest.raises(
        AnsibleError, match=r"'lemp.stack.plan_report' failed: format is 'pdf', but must be one of html, text\."
    ):
        evaluate("{{ " + PLAN + " | lemp.stack.plan_report(format='pdf') }}", **variables)
