"""Filter ``postgresql_deviations``: what runs otherwise than planned."""

from __future__ import annotations

import json

from templating import evaluate


def test_a_value_that_another_file_overrides_is_named() -> None:
    running = {"problems": None, "pending": None, "settings": {"shared_buffers": ["16384", "8kB"], "jit": ["off", None]}}
    template = "{{ surveyed | lemp.stack.postgresql_deviations(planned, explained, {'jit': 'off'}) }}"
    explained = {"postgresql.shared_buffers": {"unit": "bytes"}}
    surveyed = json.dumps(running)
    planned = {"shared_buffers": 134217728}
    assert evaluate(template, surveyed=surveyed, planned=planned, explained=explained) == []
    assert evaluate(template, surveyed=surveyed, planned={"shared_buffers": 268435456}, explained=explained) == [
        "shared_buffers is 16384 8kB instead of 268435456 bytes"
    ]
