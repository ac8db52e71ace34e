"""Hashes are those that servers keep."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.lemp.stack.plugins.module_utils._mariadb_password import ed25519_key, native_hash


@pytest.mark.parametrize(
    ("password", "kept"),
    [
        # SELECT PASSWORD('…') of MariaDB 11.8 with a UTF-8 connection.
        ("password", "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19"),
        ("", "*BE1BDEC0AA74B4DCB079943E70528096CCA985F8"),
        ("pässwörd-🔑-% s", "*52A2FC379B234FCEA763FE59EB602E4FD4E80A06"),
    ],
)
def test_native_hash_is_the_one_that_the_server_keeps(password: str, kept: str) -> None:
    assert native_hash(password) == kept


@pytest.mark.parametrize(
    ("password", "kept"),
    [
        # The manual's own example of plugin ed25519.
        ("secret", "ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY"),
        # A seed of 32 bytes, as library cryptography has it.
        ("a" * 32, "rwaj4ykXFOTzVsGcmxXNGVHsbmZiqne+B1R/KJODNB0"),
    ],
)
def test_ed25519_key_is_the_one_that_the_server_keeps(password: str, kept: str) -> None:
    assert ed25519_key(password) == kept


@given(st.text(st.characters(codec="utf-8"), min_size=1))
@settings(max_examples=25)
def test_what_is_kept_has_its_form(password: str) -> None:
    assert re.fullmatch(r"\*[0-9A-F]{40}", native_hash(password))
    assert re.fullmatch(r"[A-Za-z0-9+/]{43}", ed25519_key(password))


def test_a_number_is_its_digits() -> None:
    for kept in (native_hash, ed25519_key):
        assert kept(12345) == kept("12345")  # type: ignore[arg-type]  # YAML without quotes
