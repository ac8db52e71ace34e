"""Filter ``baseline_problems``: what would lock somebody out of a host."""

from __future__ import annotations

from templating import evaluate


def test_problems_come_as_sentences() -> None:
    problems = evaluate("{{ {'baseline_rollback_seconds': '5'} | lemp.stack.baseline_problems({}) }}")
    assert problems == ["baseline_rollback_seconds is 5, in which a new connection cannot be proven; use 20 or more."]


def test_inputs_may_be_templates() -> None:
    inputs = {"baseline_sshd_ports": ["{{ port }}"], "baseline_firewall_ssh_sources": "{{ sources }}"}
    call = "{{ inputs | lemp.stack.baseline_problems({}) }}"
    assert evaluate(call, inputs=inputs, port="2222", sources=["192.0.2.1"]) == []
    assert "baseline_sshd_ports is 0;" in evaluate(call, inputs=inputs, port="0", sources=[])[0]
