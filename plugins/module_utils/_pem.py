# GNU General Public License v3.0+ (see LICENSE)
"""What a certificate or key says, for decisions about it.

The library is imported where it is needed: this file also reaches hosts that do not have it yet.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timezone
from typing import Any

PROOF = b"lemp.stack"


def read_certificate(pem: str) -> dict[str, Any]:
    """The first certificate of a PEM text: ``subject`` and ``issuer`` (common names), ``domains``, ``public_key`` (a hash),
    ``not_before`` and ``not_after`` (aware).

    :raises ValueError: it holds no certificate that can be read.
    """
    from cryptography import x509

    certificate = x509.load_pem_x509_certificate(pem.encode())
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        domains = [str(name) for name in names.get_values_for_type(x509.DNSName)]
    except x509.ExtensionNotFound:
        domains = []
    return {
        "subject": _common_name(certificate.subject),
        "issuer": _common_name(certificate.issuer),
        "domains": domains,
        "public_key": _hash(certificate.public_key()),
        "not_before": _moment(certificate, "not_valid_before"),
        "not_after": _moment(certificate, "not_valid_after"),
    }


def read_key(pem: str) -> dict[str, Any]:
    """A private key of a PEM text: ``curve`` (None for keys of another kind) and ``public_key`` (a hash).

    :raises ValueError: it holds no key that can be read, or one with a passphrase.
    """
    key = _load_key(pem)
    return {"curve": getattr(getattr(key, "curve", None), "name", None), "public_key": _hash(key.public_key())}


def belongs(key_pem: str, certificate_pem: str) -> bool:
    """Whether the certificate's public key confirms what the private key signs.

    A signature proves more than equal public numbers, in a fraction of the time that the library's own check of an RSA key
    takes (50 ms for 2048 bits).

    :raises ValueError: one of them cannot be read.
    """
    from cryptography import x509

    key = _load_key(key_pem)
    public_key = x509.load_pem_x509_certificate(certificate_pem.encode()).public_key()
    return _hash(key.public_key()) == _hash(public_key) and _confirms(key, public_key)


def is_signed_by(certificate_pem: str, key_pem: str) -> bool:
    """Whether a private key on an elliptic curve signed the certificate.

    :raises ValueError: one of them cannot be read.
    """
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA

    certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
    algorithm = certificate.signature_hash_algorithm
    if algorithm is None:
        return False
    try:
        public_key = _load_key(key_pem).public_key()
        public_key.verify(certificate.signature, certificate.tbs_certificate_bytes, ECDSA(algorithm))
    except (InvalidSignature, TypeError):
        return False
    return True


def _confirms(key: Any, public_key: Any) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
    from cryptography.hazmat.primitives.hashes import SHA256

    method: tuple[Any, ...] = ()
    if isinstance(key, rsa.RSAPrivateKey):
        method = (padding.PKCS1v15(), SHA256())
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        method = (ec.ECDSA(SHA256()),)
    try:
        public_key.verify(key.sign(PROOF, *method), PROOF, *method)
    except (InvalidSignature, ValueError):
        return False
    return True


def _load_key(pem: str) -> Any:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        try:
            return load_pem_private_key(pem.encode(), None, unsafe_skip_rsa_key_validation=True)
        except TypeError:  # a library older than 39 does not know the argument; or the key has a passphrase
            return load_pem_private_key(pem.encode(), None)
    except (TypeError, UnsupportedAlgorithm) as error:
        raise ValueError("the key has a passphrase or is of an unknown kind") from error


def _common_name(name: Any) -> str | None:
    from cryptography.x509.oid import NameOID

    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else None


def _hash(public_key: Any) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return hashlib.sha256(public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def _moment(certificate: Any, name: str) -> datetime:
    """Version 42 of the library introduced aware moments and warns about the others."""
    moment: datetime | None = getattr(certificate, f"{name}_utc", None)
    if moment is None:
        moment = getattr(certificate, name).replace(tzinfo=timezone.utc)
    return moment
