# GNU General Public License v3.0+ (see LICENSE)
"""Which certificates have to be signed again. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def due(certificates: Iterable[Mapping[str, Any]], facts: Iterable[Mapping[str, Any]], issuer: str) -> list[str]:
    """Names of certificates that are missing, near their end, of another issuer or for other domains than wanted.

    :param certificates: what is wanted, each with ``name`` and ``domains``.
    :param facts: what ``community.crypto.x509_certificate_info`` found for each, in the same order, asked for the validity
        at ``renewal``; nothing of it where there is no certificate.
    :param issuer: common name of the CA that should have signed.
    """
    return [wanted["name"] for wanted, found in zip(certificates, facts) if not _is_good(wanted, found, issuer)]


def _is_good(wanted: Mapping[str, Any], found: Mapping[str, Any], issuer: str) -> bool:
    return (
        (found.get("valid_at") or {}).get("renewal") is True
        and (found.get("issuer") or {}).get("commonName") == issuer
        and set(found.get("subject_alt_name") or []) == {f"DNS:{domain}" for domain in wanted["domains"]}
    )
