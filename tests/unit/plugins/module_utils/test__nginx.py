"""Role nginx refuses inputs that cannot be, each with one sentence."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.lemp.stack.plugins.module_utils._nginx import problems

PORTS = {"nginx_http_port": 80, "nginx_https_port": "443", "nginx_status_port": 8081}
STATIC = {"name": "docs", "kind": "static", "domains": ["docs.example.org"], "root": "/srv/docs"}


def test_good_servers_have_no_problem() -> None:
    assert problems([STATIC, {**STATIC, "name": "b", "domains": ["b.example.org"]}], PORTS) == []


@pytest.mark.parametrize(
    ("server", "sentence"),
    [
        (
            {"kind": "php", "root": "/srv"},
            "nginx_servers: docs is of kind php, which needs root and php_socket; add php_socket.",
        ),
        ({"kind": "static"}, "nginx_servers: docs is of kind static, which needs root; add root."),
        ({"kind": "proxy"}, "nginx_servers: docs is of kind proxy, which needs proxy_url; add proxy_url."),
    ],
)
def test_what_a_kind_needs_is_asked_for(server: dict[str, Any], sentence: str) -> None:
    assert problems([{"name": "docs", "domains": ["docs.example.org"], **server}], PORTS) == [sentence]


def test_a_domain_or_a_name_belongs_to_one_server() -> None:
    found = problems([STATIC, STATIC], PORTS)
    assert found == [
        "nginx_servers names a name more than once (docs); a name can belong to one server only.",
        "nginx_servers names a domain more than once (docs.example.org); a domain can belong to one server only.",
    ]


def test_ports_must_differ_even_as_text() -> None:
    assert problems([], {**PORTS, "nginx_http_port": 443}) == [
        "nginx_http_port (443), nginx_https_port (443), nginx_status_port (8081) must differ; change one of them."
    ]
