"""Filter ``certbot_tree``: what certificates ask of the host's disk and units."""

from __future__ import annotations

from templating import evaluate


def test_directories_and_units_follow_from_the_certificates() -> None:
    wanted = {"name": "shop", "issuer": "files", "certificate": "/ssl/shop/c", "key": "/ssl/keys/k"}
    wanted |= {"certificate_pem": "C", "key_pem": "K"}
    made = evaluate("{{ [wanted] | lemp.stack.certbot_tree('/ssl/ca', ['nginx']) }}", wanted=wanted)
    assert made["directories"] == ["/ssl/ca", "/ssl/shop", "/ssl/keys"]
    assert [entry["dest"] for entry in made["files"]] == ["/ssl/shop/c", "/ssl/keys/k"]
    assert [unit["name"] for unit in made["units"]] == ["nginx.service"]


def test_units_are_left_out_where_nothing_was_brought() -> None:
    made = evaluate("{{ [] | lemp.stack.certbot_tree('/ssl/ca', ['nginx']) }}")
    assert made == {"directories": ["/ssl/ca"], "files": [], "units": []}
