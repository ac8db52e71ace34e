"""Filter ``app_problems``: what the role refuses before its first change."""

from __future__ import annotations

from typing import Any

from templating import evaluate


def test_sites_of_the_stack_have_no_problem(variables: dict[str, Any]) -> None:
    assert evaluate("{{ lemp_sites | lemp.stack.app_sites | lemp.stack.app_problems([]) }}", **variables) == []


def test_a_missing_document_root_is_named() -> None:
    site = {
        "name": "crm",
        "user": "crm",
        "home": "/srv/www/crm",
        "root": "/srv/crm",
        "domain": "crm.example.org",
        "recipe": "php",
    }
    template = "{{ [site] | lemp.stack.app_problems(present) }}"
    assert "crm serves /srv/crm, which is no directory" in evaluate(template, site=site, present=[])[0]
    assert evaluate(template, site=site, present=["/srv/crm/."]) == []
