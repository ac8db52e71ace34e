"""Filter ``certbot_plan``: the check on the controller, at the time it runs."""

from __future__ import annotations

from datetime import datetime, timezone

from authority import NOW, certificate_pem, key_pem, make_key
from templating import evaluate

KEY = make_key()


def wanted(days: int) -> dict[str, object]:
    """A certificate that ends so many days from now."""
    offset = (datetime.now(timezone.utc) - NOW).days
    return {
        "name": "shop",
        "domains": ["shop.example.org"],
        "issuer": "files",
        "certificate": "/ssl/c.pem",
        "key": "/ssl/k.pem",
        "certificate_pem": certificate_pem(KEY, days=(offset - 2, offset + days)),
        "key_pem": key_pem(KEY),
    }


def test_the_clock_of_the_controller_decides() -> None:
    template = "{{ certificates | lemp.stack.certbot_plan('365', '30', '/ssl/ca', ['nginx']) }}"
    made = evaluate(template, certificates=[wanted(40)])
    assert (made["problems"], made["services"]) == ([], ["nginx.service"])
    [said] = evaluate(template, certificates=[wanted(10)])["problems"]
    assert "within 30 days; renew it." in said
