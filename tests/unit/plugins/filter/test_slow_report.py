"""Filter ``slow_report``: from what the module found to what people read."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleError
from templating import evaluate

SERVERS = [
    {
        "engine": "mariadb",
        "socket": "/run/x.sock",
        "version": "11.8",
        "source": "slow query log",
        "files": [],
        "since": "",
        "executions": 0,
        "seconds": 0.0,
        "notes": [],
        "statements": [],
    }
]


def test_servers_become_lines_or_a_page() -> None:
    text = evaluate("{{ servers | lemp.stack.slow_report(host='vps') }}", servers=SERVERS)
    page = evaluate("{{ servers | lemp.stack.slow_report(host='<vps>', format='html') }}", servers=SERVERS)
    assert text.startswith("Slow statements of vps\n\nMariaDB 11.8\n")
    assert "<h1>Slow statements of &lt;vps&gt;</h1>" in page


def test_another_format_is_an_error_of_one_sentence() -> None:
    with pytest.raises(
        AnsibleError, match=r"'lemp.stack.slow_report' failed: format is 'pdf', but must be one of html, text\."
    ):
        evaluate("{{ servers | lemp.stack.slow_report(format='pdf') }}", servers=SERVERS)
