"""Module ``own_ca_info``: what it finds due on a host's disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from authority import NOW, certificate_pem, key_pem, make_key

from ansible_collections.lemp.stack.plugins.modules.own_ca_info import find_due

CA_KEY, KEY = make_key(), make_key()
CA_PEM = certificate_pem(CA_KEY, [], subject="CA", days=(-1, 3650))
NOTHING: dict[str, Any] = {"keys_due": [], "ca_due": False, "trust_due": False, "certificates_due": []}


class Host:
    """A directory with a CA, two certificates and a bundle that trusts the CA."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.write("ca.key", key_pem(CA_KEY), 0o600)
        self.write("ca.pem", CA_PEM)
        self.write("bundle.crt", f"{certificate_pem(make_key())}{CA_PEM}")
        for name in ("a", "b"):
            self.write(f"{name}.key", key_pem(KEY), 0o600)
            self.write(f"{name}.pem", certificate_pem(KEY, [f"{name}.example"], CA_KEY))

    def write(self, name: str, content: str, mode: int = 0o644) -> None:
        (self.path / name).write_text(content)
        (self.path / name).chmod(mode)

    def wanted(self, name: str, *domains: str) -> dict[str, Any]:
        paths = {"certificate": f"{self.path}/{name}.pem", "key": f"{self.path}/{name}.key"}
        return {"name": name, "domains": list(domains) or [f"{name}.example"], **paths}

    def due(self, *certificates: dict[str, Any], **changes: Any) -> dict[str, Any]:
        given = {
            "certificates": certificates or [self.wanted("a"), self.wanted("b")],
            "ca_certificate": f"{self.path}/ca.pem",
            "ca_key": f"{self.path}/ca.key",
            "ca_name": "CA",
            "trust_bundle": f"{self.path}/bundle.crt",
            "renew_before_days": 30,
        }
        return find_due({**given, **changes}, NOW)


@pytest.fixture(name="host")
def host_in_a_directory(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_nothing_is_due_where_all_is_well(host: Host) -> None:
    assert host.due() == NOTHING


def test_everything_is_due_on_a_bare_host(tmp_path: Path) -> None:
    host = Host(tmp_path)
    for path in tmp_path.iterdir():
        path.unlink()
    due = host.due()
    assert due["keys_due"] == [f"{tmp_path}/{name}.key" for name in ("ca", "a", "b")]
    assert (due["ca_due"], due["trust_due"]) == (True, True)
    assert due["certificates_due"] == [host.wanted("a"), host.wanted("b")]


def test_only_the_certificate_that_names_other_domains_is_due(host: Host) -> None:
    wanted = host.wanted("b", "b.example", "c.example")
    assert host.due(host.wanted("a"), wanted) == {**NOTHING, "certificates_due": [wanted]}


def test_a_key_that_others_may_read_is_mended_and_no_more(host: Host) -> None:
    (host.path / "a.key").chmod(0o644)
    assert host.due() == {**NOTHING, "keys_due": [f"{host.path}/a.key"]}


def test_a_broken_key_takes_its_certificate_along(host: Host) -> None:
    host.write("a.key", "garbage", 0o600)
    assert host.due() == {**NOTHING, "keys_due": [f"{host.path}/a.key"], "certificates_due": [host.wanted("a")]}


def test_another_ca_key_makes_everything_due(host: Host) -> None:
    host.write("ca.key", key_pem(make_key()), 0o600)
    due = host.due()
    assert (due["keys_due"], due["ca_due"], len(due["certificates_due"])) == ([], True, 2)


def test_a_ca_near_its_end_is_signed_anew_and_its_certificates_stay(host: Host) -> None:
    host.write("ca.pem", certificate_pem(CA_KEY, [], subject="CA", days=(-1, 20)))
    assert host.due() == {**NOTHING, "ca_due": True, "trust_due": True}


def test_a_host_that_does_not_trust_the_ca_yet_is_told(host: Host) -> None:
    host.write("bundle.crt", certificate_pem(make_key()))
    assert host.due() == {**NOTHING, "trust_due": True}
    assert host.due(trust_bundle=None) == NOTHING
