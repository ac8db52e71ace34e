"""Filter ``config_generations``: what somebody who wants to go back reads."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleError
from templating import evaluate

KEPT = {
    "nginx": [
        {"generation": 4, "time": "2026-11-24T08:00:00Z", "origin": "found", "files": ["/a"], "current": False},
        {"generation": 5, "time": "2026-11-24T09:00:00Z", "origin": "written", "files": ["/a", "/b"], "current": True},
    ],
    "app": [{"generation": 1, "time": "2026-11-24T09:00:00Z", "origin": "written", "files": [], "current": True}],
}


def test_every_generation_is_one_line() -> None:
    assert evaluate("{{ kept | lemp.stack.config_generations('nginx') }}", kept=KEPT) == [
        "nginx: generation 4 of 2026-11-24T08:00:00Z, found, 1 files",
        "nginx: generation 5 of 2026-11-24T09:00:00Z, written, 2 files, the newest",
    ]
    assert len(evaluate("{{ kept | lemp.stack.config_generations }}", kept=KEPT)) == 3


def test_a_name_that_is_not_kept_is_refused_with_those_that_are() -> None:
    with pytest.raises(AnsibleError, match="config is ngnix, but this host keeps nginx, app; choose one of them"):
        evaluate("{{ kept | lemp.stack.config_generations('ngnix') }}", kept=KEPT)
