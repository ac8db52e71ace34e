# GNU General Public License v3.0+ (see LICENSE)
"""What PostgreSQL keeps of a password: SCRAM-SHA-256 as in RFC 5802 and RFC 7677, without the password ever leaving us."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import stringprep
import unicodedata

ITERATIONS = 4096
SALT_BYTES = 16
FORM = re.compile(r"SCRAM-SHA-256\$(\d+):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+)")
# RFC 4013, section 2.3.
_PROHIBITED = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
    stringprep.in_table_a1,
)


def verifier(password: str, salt: bytes | None = None, iterations: int = ITERATIONS) -> str:
    """What ``ALTER ROLE ... PASSWORD`` takes in place of a password, so that no log of the server can show that.

    :param salt: random if not given.
    """
    salt = os.urandom(SALT_BYTES) if salt is None else salt
    salted = hashlib.pbkdf2_hmac("sha256", prepared(password), salt, iterations)
    stored = hashlib.sha256(_keyed(salted, b"Client Key")).digest()
    server = _keyed(salted, b"Server Key")
    return f"SCRAM-SHA-256${iterations}:{_text(salt)}${_text(stored)}:{_text(server)}"


def fits(password: str, kept: str | None) -> bool:
    """Whether what the server keeps was made of this password; false where it keeps none, or an MD5 sum."""
    match = FORM.fullmatch(kept or "")
    if not match:
        return False
    try:
        salt = base64.b64decode(match[2], validate=True)
    except ValueError:
        return False
    return hmac.compare_digest(verifier(password, salt, int(match[1])), match[0])


def prepared(password: str) -> bytes:
    """A password as client and server hash it: prepared by RFC 4013 where that is possible, else as it is.

    Source: pg_saslprep in https://github.com/postgres/postgres/blob/master/src/common/saslprep.c
    """
    mapped = "".join(
        " " if stringprep.in_table_c12(character) else character
        for character in password
        if not stringprep.in_table_b1(character)
    )
    normal = unicodedata.normalize("NFKC", mapped)
    if not normal or any(is_in(character) for character in normal for is_in in _PROHIBITED) or _mixes_directions(normal):
        return password.encode()
    return normal.encode()


def _mixes_directions(text: str) -> bool:
    """RFC 3454, section 6."""
    right = [stringprep.in_table_d1(character) for character in text]
    if not any(right):
        return False
    return any(map(stringprep.in_table_d2, text)) or not (right[0] and right[-1])


def _keyed(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, hashlib.sha256).digest()


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
