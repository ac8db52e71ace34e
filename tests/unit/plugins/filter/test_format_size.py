"""Filter ``format_size``: bytes as a daemon reads them."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleError
from templating import evaluate


@pytest.mark.parametrize(
    ("dialect", "written"),
    [
        ("postgresql", "1536MB"),
        ("mariadb", "1536M"),
        ("redis", "1536mb"),
        ("php", "1536M"),
        ("nginx", "1536m"),
        ("systemd", "1536M"),
    ],
)
def test_each_daemon_has_a_spelling_of_its_own(dialect: str, written: str) -> None:
    assert evaluate("{{ 1610612736 | lemp.stack.format_size(dialect) }}", dialect=dialect) == written


def test_an_unknown_daemon_is_named() -> None:
    with pytest.raises(AnsibleError, match="dialect is 'apache', but must be one of postgresql"):
        evaluate("{{ 1 | lemp.stack.format_size('apache') }}")
