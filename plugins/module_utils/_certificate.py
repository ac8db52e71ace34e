# GNU General Public License v3.0+ (see LICENSE)
"""Decisions about certificates: what is wrong with the wanted ones, and what an own CA has to make. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from posixpath import dirname
from typing import Any

from ._pem import belongs, is_signed_by, read_certificate, read_key

CURVE = "secp256r1"
KEY_MODE = 0o600


def problems(certificates: Sequence[Mapping[str, Any]], lifetime_days: int, renew_before_days: int, now: datetime) -> list[str]:
    """What is wrong with role certbot's inputs, one sentence each; secrets are never part of one.

    :param certificates: ``certbot_certificates``.
    :param lifetime_days: ``certbot_selfsigned_lifetime_days``.
    :param renew_before_days: ``certbot_renew_before_days``.
    :param now: an aware moment.
    """
    found = []
    if int(lifetime_days) <= int(renew_before_days):
        found.append(
            f"certbot_selfsigned_lifetime_days is {lifetime_days}, but must exceed certbot_renew_before_days "
            f"({renew_before_days}), or every run would replace every certificate."
        )
    found += _shared(certificates)
    for wanted in certificates:
        problem = _problem(wanted, int(renew_before_days), now)
        if problem:
            found.append(f"certbot_certificates: {problem}.")
    return found


def _shared(certificates: Iterable[Mapping[str, Any]]) -> list[str]:
    found, seen = [], {"name": set(), "path": set()}  # type: tuple[list[str], dict[str, set[str]]]
    for wanted in certificates:
        for key, kind in (("name", "name"), ("certificate", "path"), ("key", "path")):
            if wanted[key] in seen[kind]:
                found.append(
                    f"certbot_certificates uses the {kind} {wanted[key]} more than once; give each entry a name of its own and "
                    "each certificate and key a path of its own."
                )
            seen[kind].add(wanted[key])
    return found


def _problem(wanted: Mapping[str, Any], renew_before_days: int, now: datetime) -> str | None:
    name = wanted["name"]
    if not wanted["domains"]:
        return f"{name} has no domains; name at least one"
    for key in ("certificate", "key"):
        if not wanted[key].startswith("/"):
            return f"{key} of {name} is {wanted[key]}; write an absolute path"
    if wanted["issuer"] != "files":
        return None
    if not wanted.get("certificate_pem") or not wanted.get("key_pem"):
        return f"{name} has issuer files, which needs certificate_pem and key_pem; give both, or change the issuer"
    return _problem_of_brought(wanted, renew_before_days, now)


def _problem_of_brought(wanted: Mapping[str, Any], renew_before_days: int, now: datetime) -> str | None:
    name = wanted["name"]
    try:
        certificate = read_certificate(wanted["certificate_pem"])
    except ValueError:
        return f"certificate_pem of {name} holds no certificate that can be read; give it the content of the PEM file"
    try:
        fits = belongs(wanted["key_pem"], wanted["certificate_pem"])
    except ValueError:
        return f"key_pem of {name} holds no key that can be read; give it the content of a PEM file without a passphrase"
    uncovered = [domain for domain in wanted["domains"] if not covers(certificate["domains"], domain)]
    subject = f"the certificate of {name}"
    if not fits:
        return f"{subject} does not belong to its key_pem; bring the pair that was issued together"
    if uncovered:
        return f"{subject} does not cover {', '.join(uncovered)}; have it issued for every domain of the site"
    if certificate["not_before"] > now:
        return f"{subject} is not valid before {_shown(certificate['not_before'])}; wait, or set the clock"
    if certificate["not_after"] < now + timedelta(days=renew_before_days):
        return f"{subject} ends at {_shown(certificate['not_after'])}, within {renew_before_days} days; renew it"
    return None


def _shown(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")


def covers(names: Iterable[str], domain: str) -> bool:
    """Whether a certificate for these names is valid for the domain; a wildcard stands for one label (RFC 6125, 6.4.3)."""
    folded = domain.lower()
    _, _, parent = folded.partition(".")
    return any(name.lower() in (folded, f"*.{parent}") for name in names)


def plan(
    certificates: Sequence[Mapping[str, Any]],
    lifetime_days: int,
    renew_before_days: int,
    ca_dir: str,
    units: Iterable[str],
    now: datetime,
) -> dict[str, Any]:
    """What role certbot does.

    :param certificates: ``certbot_certificates``.
    :param lifetime_days: ``certbot_selfsigned_lifetime_days``.
    :param renew_before_days: ``certbot_renew_before_days``.
    :param ca_dir: directory of the CA.
    :param units: services that read certificates; one that does not run is left alone.
    :param now: an aware moment.
    :returns: ``problems`` (one sentence each, without secrets; the rest is only there where this is empty); inputs of
        ``lemp.stack.config_tree``, with the private keys of brought certificates; ``services`` (``units``
        with their suffix); and
        ``requests``, certificates that the own CA signs, with what their signing needs and nothing else.
    """
    found = problems(certificates, lifetime_days, renew_before_days, now)
    if found:
        return {"problems": found}
    brought = [wanted for wanted in certificates if wanted["issuer"] == "files"]
    services = [name if name.endswith(".service") else f"{name}.service" for name in units]
    paths = [wanted[key] for wanted in brought for key in ("certificate", "key")]
    folders = [dirname(wanted[key]) for key in ("certificate", "key") for wanted in certificates]
    return {
        "problems": [],
        "directories": list(dict.fromkeys([ca_dir, *folders])),
        "files": [
            {"dest": wanted[path], "content": f"{wanted[text].strip()}\n", **attributes}
            for wanted in brought
            for path, text, attributes in (
                ("certificate", "certificate_pem", {"mode": "0644"}),
                ("key", "key_pem", {"mode": f"{KEY_MODE:04o}", "sensitive": True}),
            )
        ],
        "units": [{"name": name, "running": False, "reload_on": paths} for name in services if paths],
        "services": services,
        "requests": [
            {key: wanted[key] for key in ("name", "domains", "certificate", "key")}
            for wanted in certificates
            if wanted["issuer"] == "selfsigned"
        ],
    }


def read_pair(certificate_pem: str | None, key_pem: str | None, ca_key_pem: str | None) -> dict[str, Any]:
    """What the PEM texts of a certificate and its key say, ``None`` for one that is not there or cannot be read.

    :param ca_key_pem: the CA's key; ``signed`` says whether it signed the certificate.
    """
    found: dict[str, Any] = {"certificate": None, "key": None, "signed": False}
    for name, pem, read in (("certificate", certificate_pem, read_certificate), ("key", key_pem, read_key)):
        try:
            found[name] = None if pem is None else read(pem)
        except ValueError:
            continue
    try:
        found["signed"] = None not in (certificate_pem, ca_key_pem) and is_signed_by(str(certificate_pem), str(ca_key_pem))
    except ValueError:
        found["signed"] = False
    return found


def key_is_good(key: Mapping[str, Any] | None) -> bool:
    """Whether a key is of the kind that the CA makes; who may read it is another question."""
    return key is not None and key["curve"] == CURVE


def ca_is_good(pair: Mapping[str, Any], name: str, until: datetime) -> bool:
    """Whether a CA can sign: its key and certificate belong together, and it lasts and is named as wanted.

    :param pair: from ``read_pair``.
    :param name: common name of the CA.
    :param until: moment at which it must still be valid.
    """
    return _is_good_pair(pair, until) and pair["certificate"]["subject"] == name


def is_good(pair: Mapping[str, Any], domains: Iterable[str], issuer: str, until: datetime) -> bool:
    """Whether a certificate needs no new signature: the CA signed it for its key and exactly the wanted domains, and it lasts.

    :param pair: from ``read_pair``.
    :param issuer: common name of the CA that should have signed.
    :param until: moment at which it must still be valid.
    """
    return (
        _is_good_pair(pair, until)
        and pair["certificate"]["issuer"] == issuer
        and set(pair["certificate"]["domains"]) == set(domains)
    )


def _is_good_pair(pair: Mapping[str, Any], until: datetime) -> bool:
    certificate, key = pair["certificate"], pair["key"]
    return (
        certificate is not None
        and key_is_good(key)
        and certificate["public_key"] == key["public_key"]
        and pair["signed"]
        and certificate["not_before"] <= until <= certificate["not_after"]
    )
