"""Filter ``mariadb_overridden``: settings that do not run as planned."""

from __future__ import annotations

from templating import evaluate

RUNNING = {"innodb_buffer_pool_size": 134217728, "max_connections": 30, "bind_address": "127.0.0.1"}


def test_a_value_that_another_file_overrides_is_named() -> None:
    template = "{{ [[running]] | lemp.stack.mariadb_overridden(planned, '127.0.0.1') }}"
    assert evaluate(template, running=RUNNING, planned=RUNNING) == []
    assert evaluate(template, running=RUNNING, planned={**RUNNING, "max_connections": 40}) == [
        "max_connections is 30 instead of 40"
    ]
