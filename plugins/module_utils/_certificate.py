# GNU General Public License v3.0+ (see LICENSE)
"""Which certificates have to be signed again. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def due(
    certificates: Iterable[Mapping[str, Any]],
    facts: Iterable[Mapping[str, Any]],
    keys: Iterable[Mapping[str, Any]],
    issuer: str,
) -> list[str]:
    """Names of certificates that are missing, near their end, of another key, issuer or other domains than wanted.

    :param certificates: what is wanted, each with ``name`` and ``domains``.
    :param facts: what ``community.crypto.x509_certificate_info`` found for each, in the same order, asked for the validity
        at ``renewal``; nothing of it where there is no certificate.
    :param keys: what ``community.crypto.openssl_privatekey`` returned for each, in the same order.
    :param issuer: common name of the CA that should have signed.
    """
    rows = zip(certificates, facts, keys)
    return [wanted["name"] for wanted, found, key in rows if not _is_good(wanted, found, key, issuer)]


def _is_good(wanted: Mapping[str, Any], found: Mapping[str, Any], key: Mapping[str, Any], issuer: str) -> bool:
    fingerprint = (key.get("fingerprint") or {}).get("sha256")
    return (
        fingerprint is not None
        and (found.get("public_key_fingerprints") or {}).get("sha256") == fingerprint
        and (found.get("valid_at") or {}).get("renewal") is True
        and (found.get("issuer") or {}).get("commonName") == issuer
        and set(found.get("subject_alt_name") or []) == {f"DNS:{domain}" for domain in wanted["domains"]}
    )
