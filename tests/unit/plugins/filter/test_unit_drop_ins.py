"""Filter ``unit_drop_ins``: what systemd applies at once and what a daemon gets as it starts."""

from __future__ import annotations

from templating import evaluate


def test_limits_are_split_by_when_they_take_effect() -> None:
    limits = {"MemoryMax": 104857600, "TasksMax": 40, "LimitNOFILE": 1024, "OOMScoreAdjust": -100}
    start, live = evaluate("{{ limits | lemp.stack.unit_drop_ins('nginx.service') }}", limits=limits)
    assert start["dest"] == "/etc/systemd/system/nginx.service.d/lemp-start.conf"
    assert start["content"].splitlines()[1:] == ["[Service]", "LimitNOFILE=1024", "OOMScoreAdjust=-100"]
    assert live["dest"] == "/etc/systemd/system/nginx.service.d/lemp-limits.conf"
    assert live["content"].splitlines()[1:] == ["[Service]", "MemoryMax=104857600", "TasksMax=40"]
