# GNU General Public License v3.0+ (see LICENSE)
"""What MariaDB keeps of a password: neither way of keeping has a salt, so that a hash can be compared without logging in."""

from __future__ import annotations

import base64
import hashlib

Point = tuple[int, int, int, int]

# The curve of RFC 8032, section 5.1: field, constant and base point.
_FIELD = 2**255 - 19
_D = -121665 * pow(121666, _FIELD - 2, _FIELD) % _FIELD
_X = 15112221349535400772501151409588531511454012693041857206046113283949847762202
_Y = 46316835694926478169428394003475163141307993866256225615783033603165251855960


def native_hash(password: str) -> str:
    """What ``mysql_native_password`` keeps of a password.

    Source: https://mariadb.com/docs/server/reference/sql-functions/secondary-functions/encryption-hashing-and-compression-functions/password
    """
    once = hashlib.sha1(str(password).encode(), usedforsecurity=False).digest()
    return "*" + hashlib.sha1(once, usedforsecurity=False).hexdigest().upper()


def ed25519_key(password: str) -> str:
    """What plugin ``ed25519`` keeps of a password: the public key that belongs to it, 43 characters.

    A password is the seed, of whatever length; libraries take seeds of 32 bytes only.
    Source: https://mariadb.com/docs/server/reference/plugins/authentication-plugins/authentication-plugin-ed25519
    """
    seed = hashlib.sha512(str(password).encode()).digest()
    scalar = int.from_bytes(seed[:32], "little") & ((1 << 254) - 8) | 1 << 254
    power, total = (_X, _Y, 1, _X * _Y % _FIELD), (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            total = _sum(total, power)
        power, scalar = _sum(power, power), scalar >> 1
    inverse = pow(total[2], _FIELD - 2, _FIELD)
    x, y = total[0] * inverse % _FIELD, total[1] * inverse % _FIELD
    return base64.b64encode((y | (x & 1) << 255).to_bytes(32, "little")).decode().rstrip("=")


def _sum(one: Point, other: Point) -> Point:
    """Source: RFC 8032, section 5.1.4."""
    a = (one[1] - one[0]) * (other[1] - other[0]) % _FIELD
    b = (one[1] + one[0]) * (other[1] + other[0]) % _FIELD
    c = 2 * one[3] * other[3] * _D % _FIELD
    d = 2 * one[2] * other[2] % _FIELD
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _FIELD, g * h % _FIELD, f * g % _FIELD, e * h % _FIELD
