"""Filter ``platform_row``: facts and a table in, a row out."""

from __future__ import annotations

from templating import evaluate


def test_a_row_is_found() -> None:
    made = evaluate(
        "{{ {'os_family': 'Debian', 'distribution': 'Ubuntu'} | lemp.stack.platform_row({'Debian': {}, 'Ubuntu': {'a': 2}}) }}"
    )
    assert made == {"a": 2}
