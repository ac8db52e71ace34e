"""Certificates are valid for their names, keys are private, and the own CA is trusted by the host alone."""

import pytest

OWN = "/etc/ssl/lemp/own"


def test_own_certificate_is_signed_by_the_ca_for_every_domain(host):
    host.check_output(f"openssl verify -CAfile /etc/ssl/lemp/ca/ca.pem {OWN}/fullchain.pem")
    names = host.check_output(f"openssl x509 -in {OWN}/fullchain.pem -noout -ext subjectAltName")
    assert "DNS:own.lemp.test" in names
    assert "DNS:www.own.lemp.test" in names


def test_host_trusts_the_ca(host):
    assert host.run(f"openssl verify -CApath /etc/ssl/certs {OWN}/fullchain.pem").rc == 0


def test_ca_may_sign_certificates_but_no_further_ca(host):
    text = host.check_output("openssl x509 -in /etc/ssl/lemp/ca/ca.pem -noout -ext basicConstraints,keyUsage")
    assert "CA:TRUE, pathlen:0" in text
    assert "Certificate Sign" in text


def test_a_certificate_and_key_that_the_ca_did_not_make_were_replaced(host):
    certificate = "/etc/ssl/lemp/replaced/fullchain.pem"
    host.check_output(f"openssl verify -CAfile /etc/ssl/lemp/ca/ca.pem {certificate}")
    assert "id-ecPublicKey" in host.check_output(f"openssl x509 -in {certificate} -noout -text")


@pytest.mark.parametrize("site", ["own", "replaced", "brought"])
def test_key_fits_its_certificate_and_is_readable_by_root_alone(host, site):
    public_key = host.check_output(f"openssl x509 -in /etc/ssl/lemp/{site}/fullchain.pem -noout -pubkey")
    assert public_key == host.check_output(f"openssl pkey -in /etc/ssl/lemp/{site}/privkey.pem -pubout")
    key = host.file(f"/etc/ssl/lemp/{site}/privkey.pem")
    assert (key.mode, key.user) == (0o600, "root")


def test_ca_key_is_readable_by_root_alone(host):
    key = host.file("/etc/ssl/lemp/ca/ca.key")
    assert (key.mode, key.user) == (0o600, "root")


def test_brought_certificate_is_installed_as_it_came(host):
    assert host.file("/etc/ssl/lemp/brought/fullchain.pem").content_string == host.file("/root/brought.pem").content_string


def test_running_unit_was_reloaded_for_brought_and_for_signed_certificates(host):
    assert host.check_output("journalctl -u nginx --no-pager").count("Reloading nginx") >= 2
