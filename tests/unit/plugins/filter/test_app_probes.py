"""Filter ``app_probes``: what the role looks for on a host."""

from __future__ import annotations

from typing import Any

from templating import evaluate


def test_packaged_wordpress_and_static_sites_need_no_look(variables: dict[str, Any]) -> None:
    assert evaluate("{{ lemp_sites | lemp.stack.app_sites | lemp.stack.app_probes }}", **variables) == []
