"""Filter ``mariadb_overridden``: settings that do not run as planned."""

from __future__ import annotations

from templating import evaluate


def test_a_value_that_another_file_overrides_is_named() -> None:
    template = "{{ [[{'name': 'max_connections', 'value': '30'}]] | lemp.stack.mariadb_overridden(wanted) }}"
    assert evaluate(template, wanted={"max_connections": 30}) == []
    assert evaluate(template, wanted={"max_connections": 40}) == ["max_connections is 30 instead of 40"]
