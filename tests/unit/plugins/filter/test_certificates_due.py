"""Filter ``certificates_due``: which certificates have to be signed again."""

from __future__ import annotations

from templating import evaluate


def test_a_missing_certificate_is_named() -> None:
    wanted = "[{'name': 'shop', 'domains': ['shop.example.org']}]"
    assert evaluate("{{ " + wanted + " | lemp.stack.certificates_due([{}], [{}], 'CA') }}") == ["shop"]
