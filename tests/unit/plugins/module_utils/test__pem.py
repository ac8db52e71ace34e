"""What certificates and keys say."""

from __future__ import annotations

from datetime import timedelta

import pytest
from authority import NOW, certificate_pem, key_pem, make_key

from ansible_collections.lemp.stack.plugins.module_utils._pem import belongs, is_signed_by, read_certificate, read_key

KINDS = ("ec", "rsa", "ed25519")


def test_a_certificate_says_whose_it_is_and_how_long() -> None:
    found = read_certificate(certificate_pem(make_key(), ["a.example", "b.example"], subject="a.example", issuer="CA"))
    assert (found["subject"], found["issuer"], found["domains"]) == ("a.example", "CA", ["a.example", "b.example"])
    assert (found["not_before"], found["not_after"]) == (NOW - timedelta(days=1), NOW + timedelta(days=90))


def test_the_first_certificate_of_a_chain_counts() -> None:
    chain = certificate_pem(make_key(), ["a.example"]) + certificate_pem(make_key(), ["b.example"])
    assert read_certificate(chain)["domains"] == ["a.example"]


def test_a_certificate_without_alternative_names_names_no_domain() -> None:
    assert read_certificate(certificate_pem(make_key(), []))["domains"] == []


@pytest.mark.parametrize(("kind", "curve"), [("ec", "secp256r1"), ("rsa", None), ("ed25519", None)])
def test_a_key_tells_its_curve(kind: str, curve: str | None) -> None:
    assert read_key(key_pem(make_key(kind)))["curve"] == curve


@pytest.mark.parametrize("text", ["", "no PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "\ufffd"])
def test_what_cannot_be_read_is_an_error_of_one_kind(text: str) -> None:
    for read in (read_certificate, read_key):
        with pytest.raises(ValueError, match=r".*"):
            read(text)


def test_a_key_with_a_passphrase_cannot_be_read() -> None:
    with pytest.raises(ValueError, match="passphrase"):
        read_key(key_pem(make_key(), b"secret"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_belongs_to_its_own_certificate_only(kind: str) -> None:
    key = make_key(kind)
    own, other = certificate_pem(key), certificate_pem(make_key(kind))
    assert belongs(key_pem(key), own)
    assert not belongs(key_pem(key), other)


def test_a_key_with_the_right_public_and_a_wrong_private_part_does_not_belong() -> None:
    key = make_key("rsa")
    numbers = key.private_numbers()
    broken = type(numbers)(
        p=numbers.p,
        q=numbers.q,
        d=numbers.d + 2,
        dmp1=numbers.dmp1 + 2,
        dmq1=numbers.dmq1 + 2,
        iqmp=numbers.iqmp,
        public_numbers=numbers.public_numbers,
    ).private_key(unsafe_skip_rsa_key_validation=True)
    assert not belongs(key_pem(broken), certificate_pem(key))


def test_a_signature_is_of_one_ca_whatever_its_name() -> None:
    ca, other, key = make_key(), make_key(), make_key()
    signed = certificate_pem(key, signer=ca, issuer="CA")
    assert is_signed_by(signed, key_pem(ca))
    assert not is_signed_by(signed, key_pem(other))
    assert not is_signed_by(signed, key_pem(make_key("rsa")))
    assert not is_signed_by(certificate_pem(make_key("ed25519")), key_pem(ca))
