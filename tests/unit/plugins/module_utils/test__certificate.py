"""What is wrong with wanted certificates, and what an own CA has to make."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from authority import NOW, certificate_pem, key_pem, make_key

from ansible_collections.lemp.stack.plugins.module_utils._certificate import (
    ca_is_good,
    covers,
    is_good,
    key_is_good,
    plan,
    problems,
    read_pair,
)

KEY, CA_KEY = make_key(), make_key()
OWN = {
    "name": "own",
    "domains": ["own.example.org"],
    "issuer": "selfsigned",
    "certificate": "/ssl/own/c.pem",
    "key": "/ssl/own/k.pem",
}
UNTIL = NOW + timedelta(days=30)


def brought(**changes: Any) -> dict[str, Any]:
    given = {
        "name": "shop",
        "domains": ["shop.example.org"],
        "issuer": "files",
        "certificate": "/ssl/shop/c.pem",
        "key": "/ssl/shop/k.pem",
        "certificate_pem": certificate_pem(KEY),
        "key_pem": key_pem(KEY),
    }
    return {**given, **changes}


def found(*certificates: dict[str, Any], lifetime_days: Any = 365, renew_before_days: Any = 30) -> list[str]:
    return problems(certificates, lifetime_days, renew_before_days, NOW)


# Problems


def test_good_certificates_have_no_problem() -> None:
    assert found(OWN, brought()) == []
    assert found() == []


@pytest.mark.parametrize("missing", ["certificate_pem", "key_pem"])
def test_a_brought_certificate_needs_both_texts(missing: str) -> None:
    without = {key: value for key, value in brought().items() if key != missing}
    for given in (without, brought(**{missing: ""})):
        [said] = found(given)
        assert "shop has issuer files, which needs certificate_pem and key_pem; give both" in said


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"key_pem": key_pem(make_key())}, "does not belong to its key_pem; bring the pair that was issued together."),
        ({"domains": ["shop.example.org", "b.example", "c.example"]}, "does not cover b.example, c.example; have it issued"),
        ({"certificate_pem": certificate_pem(KEY, days=(-1, 29))}, "ends at 2026-06-30 12:00 UTC, within 30 days; renew it."),
        ({"certificate_pem": certificate_pem(KEY, days=(1, 90))}, "is not valid before 2026-06-02 12:00 UTC"),
        ({"certificate_pem": "nothing"}, "certificate_pem of shop holds no certificate that can be read"),
        ({"key_pem": "nothing"}, "key_pem of shop holds no key that can be read"),
        ({"key_pem": key_pem(KEY, b"secret")}, "without a passphrase"),
        ({"domains": []}, "shop has no domains"),
        ({"key": "shop.key"}, "key of shop is shop.key; write an absolute path"),
    ],
)
def test_whatever_does_not_fit_is_named_with_its_remedy(changes: dict[str, Any], sentence: str) -> None:
    [said] = found(OWN, brought(**changes))
    assert said.startswith("certbot_certificates: ")
    assert sentence in said


def test_no_sentence_holds_a_key() -> None:
    secret = key_pem(make_key())
    for said in found(brought(key_pem=secret), brought(certificate_pem=secret)):
        assert not set(secret.splitlines()) & set(said.split())
        assert "BEGIN" not in said


@pytest.mark.parametrize("key", ["name", "certificate", "key"])
def test_what_two_entries_share_is_named(key: str) -> None:
    [said] = found(OWN, brought(**{key: OWN[key]}))
    assert str(OWN[key]) in said
    assert "more than once" in said


@pytest.mark.parametrize(
    ("lifetime", "renew", "is_good"), [(31, 30, True), (30, 30, False), ("30", "30", False), ("90", 30, True)]
)
def test_a_lifetime_that_would_be_renewed_at_once_is_refused(lifetime: Any, renew: Any, is_good: bool) -> None:
    said = found(lifetime_days=lifetime, renew_before_days=renew)
    assert (said == []) is is_good
    assert is_good or said[0].startswith(
        "certbot_selfsigned_lifetime_days is 30, but must exceed certbot_renew_before_days (30)"
    )


@pytest.mark.parametrize(
    ("domain", "is_covered"),
    [
        ("example.org", True),
        ("EXAMPLE.org", True),
        ("www.example.org", False),
        ("a.shop.example.org", True),
        ("a.b.shop.example.org", False),
        ("shop.example.org", False),
        ("xshop.example.org", False),
    ],
)
def test_a_wildcard_stands_for_one_label(domain: str, is_covered: bool) -> None:
    assert covers(["example.org", "*.shop.example.org"], domain) is is_covered


# The plan


def planned(*certificates: dict[str, Any]) -> dict[str, Any]:
    return plan(certificates, 365, 30, "/ssl/ca", ["nginx", "mail.service"], NOW)


def test_brought_certificates_become_files_and_units_that_reload() -> None:
    given = brought()
    made = planned(OWN, brought(certificate_pem=f"\n{given['certificate_pem']}\n\n"))
    assert made["directories"] == ["/ssl/ca", "/ssl/own", "/ssl/shop"]
    assert made["files"] == [
        {"dest": "/ssl/shop/c.pem", "content": given["certificate_pem"], "mode": "0644"},
        {"dest": "/ssl/shop/k.pem", "content": given["key_pem"], "mode": "0600", "sensitive": True},
    ]
    assert made["units"] == [
        {"name": name, "running": False, "reload_on": ["/ssl/shop/c.pem", "/ssl/shop/k.pem"]}
        for name in ("nginx.service", "mail.service")
    ]


def test_the_own_ca_is_asked_for_its_own_certificates_and_sees_no_secret() -> None:
    made = planned(OWN, brought())
    assert made["requests"] == [{key: OWN[key] for key in ("name", "domains", "certificate", "key")}]
    assert planned(OWN)["units"] == []
    assert planned(OWN)["services"] == ["nginx.service", "mail.service"]


def test_what_is_wrong_takes_the_place_of_the_plan() -> None:
    made = planned(OWN, brought(domains=[]))
    assert list(made) == ["problems"]
    assert len(made["problems"]) == 1


# The own CA


def pair(**changes: Any) -> dict[str, Any]:
    given = {
        "key": KEY,
        "signer": CA_KEY,
        "ca": CA_KEY,
        "domains": ["b.example", "a.example"],
        "days": (-1, 90),
        "issuer": "CA",
    }
    given.update(changes)
    certificate = certificate_pem(
        given.get("other", KEY), given["domains"], given["signer"], issuer=given["issuer"], days=given["days"]
    )
    return read_pair(certificate, key_pem(given["key"]), key_pem(given["ca"]))


def test_a_good_certificate_is_left_alone() -> None:
    assert is_good(pair(), ["a.example", "b.example"], "CA", UNTIL)


@pytest.mark.parametrize(
    "changes",
    [
        {"days": (-1, 29)},
        {"issuer": "another"},
        {"domains": ["a.example"]},
        {"domains": ["a.example", "b.example", "c.example"]},
        {"domains": []},
        {"other": make_key()},
        {"ca": make_key()},
        {"key": make_key("rsa")},
    ],
    ids=str,
)
def test_whatever_differs_makes_it_due(changes: dict[str, Any]) -> None:
    assert not is_good(pair(**changes), ["a.example", "b.example"], "CA", UNTIL)


@pytest.mark.parametrize("certificate", [None, "", "garbage"])
@pytest.mark.parametrize("key", [None, "garbage", key_pem(KEY)])
def test_what_is_not_there_or_cannot_be_read_is_due(certificate: str | None, key: str | None) -> None:
    found = read_pair(certificate, key, key_pem(CA_KEY))
    assert not is_good(found, [], "CA", UNTIL)
    assert not ca_is_good(found, "CA", UNTIL)


def test_a_certificate_whose_ca_has_no_key_is_due() -> None:
    certificate = certificate_pem(KEY, ["a.example"], CA_KEY, issuer="CA")
    for ca_key in (None, "garbage"):
        assert not is_good(read_pair(certificate, key_pem(KEY), ca_key), ["a.example"], "CA", UNTIL)


@pytest.mark.parametrize(
    ("changes", "name", "expected"),
    [({}, "CA", True), ({}, "another", False), ({"days": (-1, 29)}, "CA", False), ({"signer": make_key()}, "CA", False)],
)
def test_a_ca_is_good_while_it_lasts_and_is_named_as_wanted(changes: dict[str, Any], name: str, expected: bool) -> None:
    certificate = certificate_pem(CA_KEY, [], subject="CA", **changes)
    assert ca_is_good(read_pair(certificate, key_pem(CA_KEY), key_pem(CA_KEY)), name, UNTIL) is expected


def test_keys_of_another_kind_are_made_anew() -> None:
    assert key_is_good({"curve": "secp256r1"})
    assert not key_is_good({"curve": "secp384r1"})
    assert not key_is_good({"curve": None})
    assert not key_is_good(None)
