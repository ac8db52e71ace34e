"""Which certificates have to be signed again."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.lemp.stack.plugins.module_utils._certificate import due

WANTED = [{"name": "shop", "domains": ["b.example", "a.example"]}]
GOOD: dict[str, Any] = {
    "valid_at": {"renewal": True},
    "issuer": {"commonName": "CA"},
    "subject_alt_name": ["DNS:a.example", "DNS:b.example"],
    "public_key_fingerprints": {"sha256": "k"},
}
KEY = {"fingerprint": {"sha256": "k"}}


def test_a_good_certificate_is_left_alone() -> None:
    assert due(WANTED, [GOOD], [KEY], "CA") == []


@pytest.mark.parametrize(
    "change",
    [
        {"valid_at": {"renewal": False}},
        {"issuer": {"commonName": "another"}},
        {"subject_alt_name": ["DNS:a.example"]},
        {"subject_alt_name": None},
        {"public_key_fingerprints": {"sha256": "of another key"}},
    ],
)
def test_whatever_differs_makes_it_due(change: dict[str, Any]) -> None:
    assert due(WANTED, [{**GOOD, **change}], [KEY], "CA") == ["shop"]


def test_a_certificate_that_is_not_there_is_due() -> None:
    assert due(WANTED, [{"failed": False, "msg": "not found"}], [KEY], "CA") == ["shop"]


def test_a_key_that_could_not_be_read_makes_it_due() -> None:
    assert due(WANTED, [{**GOOD, "public_key_fingerprints": {}}], [{}], "CA") == ["shop"]
