"""Filter ``baseline_firewall_problems``: why the ports of a tier cannot be opened."""

from __future__ import annotations

from templating import evaluate

CALL = "{{ 'web' | lemp.stack.baseline_firewall_problems([{'name': 'https', 'port': port, 'protocol': 'tcp'}], ours"


def test_problems_come_as_sentences() -> None:
    assert evaluate(CALL + ") }}", port="443", ours=True) == []
    [problem] = evaluate(CALL + ") }}", port="none", ours=True)
    assert problem.startswith('baseline_firewall_rules: "https" (port none, sources all) is no rule')


def test_check_mode_is_named() -> None:
    assert len(evaluate(CALL + ") }}", port=443, ours=False)) == 1
    assert evaluate(CALL + ", check_mode=true) }}", port=443, ours=False) == []
