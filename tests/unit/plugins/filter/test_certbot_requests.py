"""Filter ``certbot_requests``: what the own CA is asked for."""

from __future__ import annotations

from templating import evaluate


def test_a_brought_certificate_is_no_request() -> None:
    wanted = [
        {"name": name, "domains": [name], "issuer": issuer, "certificate": "/c", "key": "/k", "key_pem": "K"}
        for name, issuer in (("a", "selfsigned"), ("b", "files"))
    ]
    made = evaluate("{{ wanted | lemp.stack.certbot_requests }}", wanted=wanted)
    assert made == [{"name": "a", "domains": ["a"], "certificate": "/c", "key": "/k"}]
