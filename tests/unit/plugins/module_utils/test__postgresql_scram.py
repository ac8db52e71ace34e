"""What PostgreSQL keeps of a password."""

from __future__ import annotations

import base64

import pytest

from ansible_collections.lemp.stack.plugins.module_utils._postgresql_scram import fits, prepared, verifier

# Kept by PostgreSQL 15 for ALTER ROLE ... PASSWORD 'pencil'.
SALT = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")


def test_the_example_of_rfc_7677() -> None:
    """Its ServerKey and StoredKey follow from the same password, salt and number of rounds."""
    kept = verifier("pencil", SALT, 4096)
    assert kept.startswith("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$")
    assert kept.endswith("$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=")


@pytest.mark.parametrize("password", ["x", 'it\'s "quoted" \\ 100% #1', "pässwörd-🔑-% s", " ", "ﬁne"])
def test_only_the_same_password_fits(password: str) -> None:
    kept = verifier(password)
    assert fits(password, kept)
    assert not fits(password + "x", kept)
    assert verifier(password) != kept, "every one has a salt of its own"
    assert verifier(password).count("$") == 2


@pytest.mark.parametrize(
    "kept", [None, "", "md5a3556571e93b0d20722ba62be61e8c2d", "SCRAM-SHA-256$4096:***$a:b", "SCRAM-SHA-256$"]
)
def test_what_is_no_scram_fits_nothing(kept: str | None) -> None:
    assert not fits("x", kept)


@pytest.mark.parametrize(
    ("password", "bytes_"),
    [
        ("I\u00adX", b"IX"),
        ("\u00aa", b"a"),
        ("\u2168", b"IX"),
        ("a\u00a0b", b"a b"),
        ("\u0007", b"\x07"),
        ("\u06271", "\u06271".encode()),
        ("\u00ad", "\u00ad".encode()),
    ],
    ids=["mapped to nothing", "normal form", "roman nine", "space", "prohibited", "directions", "nothing left"],
)
def test_a_password_is_prepared_as_rfc_4013_says_or_stays_as_it_is(password: str, bytes_: bytes) -> None:
    assert prepared(password) == bytes_
